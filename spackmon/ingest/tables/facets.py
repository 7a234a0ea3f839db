"""Of which facet each build is, and how many builds a facet and a day have: docs/decisions/0012-facts.md."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from spackmon.history.rounded_durations import microseconds_of, rounded
from spackmon.ingest.rows import Statement, insert_rows, over_rows
from spackmon.ingest.tables import totals
from spackmon.ingest.tables.facet_durations import add_durations
from spackmon.ingest.tables.folding import Folding

_Place = tuple[int, str, float | None]

_NAMES = (
    "package_id", "package_version_id", "compiler_id", "architecture_id", "status", "installed_from",
    "package_set_id",
)  # fmt: skip

# One process of a site at a time. The number is any that no other program takes in this database.
_TURN = Statement("SELECT 1 {lock}", lock=", pg_try_advisory_xact_lock(7311450829166305)")


def facts_of(run: str) -> dict[str, str]:
    """What the facet of a build `b` of a spec `s` has in its columns, in SQL.

    `run` is whatever has the status and the source: the build itself or a run of it.
    """
    return {
        "package_id": "COALESCE(b.package_id, 0)",
        "package_version_id": "COALESCE(s.package_version_id, 0)",
        "compiler_id": "COALESCE(s.compiler_id, 0)",
        "architecture_id": "COALESCE(s.architecture_id, 0)",
        "status": f"{run}.status",
        "installed_from": f"COALESCE({run}.installed_from, '')",
        "package_set_id": "COALESCE(s.package_set_id, 0)",
    }


def is_facet_of(run: str) -> str:
    """The condition that a row `f` is that facet."""
    return " AND ".join(f"f.{name} = {fact}" for name, fact in facts_of(run).items())


_BUILDS = "FROM build b LEFT JOIN spec s ON s.id = b.spec_id"

_WRONG = over_rows(
    "id bigint",
    f"""
    SELECT b.id AS build_id, b.owner_id, b.started_at, b.duration_seconds, b.facet_id AS before_id,
        f.id AS facet_id, b.tag_set_id, b.first_error_group_id, b.error_count, b.warning_count
    {_BUILDS} LEFT JOIN build_facet f ON {is_facet_of("b")}
    WHERE b.id IN (SELECT i.id FROM {{input}} i) AND (f.id IS NULL OR b.facet_id IS DISTINCT FROM f.id)
    ORDER BY b.id
    """,  # noqa: S608 -- of our own constants
    moments=("started_at",),
)

_ADD = over_rows(
    "id bigint",
    f"""
    INSERT INTO build_facet ({", ".join(_NAMES)})
    SELECT DISTINCT {", ".join(facts_of("b").values())} {_BUILDS}
    WHERE b.id IN (SELECT i.id FROM {{input}} i)
        AND NOT EXISTS (SELECT 1 FROM build_facet f WHERE {is_facet_of("b")})
    ORDER BY {", ".join(str(place) for place, _ in enumerate(_NAMES, 1))}
    ON CONFLICT DO NOTHING
    """,  # noqa: S608 -- as above
)

_SET = over_rows(
    "id bigint, facet_id bigint",
    "UPDATE build SET facet_id = i.facet_id FROM {input} i WHERE build.id = i.id",
)

_CHANGE = insert_rows(
    "build_facet_change",
    "facet_id bigint, day text, rounded_seconds double precision, build_count integer, microseconds bigint",
)

_OF_SPECS = over_rows("id bigint", "SELECT b.id FROM build b WHERE b.spec_id IN (SELECT i.id FROM {input} i)")

_OF_BUILD = Statement(
    """
    SELECT owner_id, facet_id, started_at, duration_seconds,
        tag_set_id, first_error_group_id, error_count, warning_count
    FROM build WHERE id = :build_id AND facet_id IS NOT NULL
    """,
    moments=("started_at",),
)

_WAITING = Statement(
    "SELECT id, facet_id, day, rounded_seconds, build_count, microseconds FROM build_facet_change"
    " ORDER BY id LIMIT :most"
)

_ADD_TO_FACETS = over_rows(
    "facet_id bigint, build_count integer",
    """
    UPDATE build_facet SET build_count = build_facet.build_count + i.build_count
    FROM {input} i WHERE build_facet.id = i.facet_id
    """,
)

_ADD_TO_DAYS = over_rows(
    "facet_id bigint, day text, build_count integer",
    """
    INSERT INTO build_day (day, status, installed_from, build_count)
    SELECT i.day, f.status, f.installed_from, sum(i.build_count)
    FROM {input} i JOIN build_facet f ON f.id = i.facet_id
    GROUP BY i.day, f.status, f.installed_from
    ON CONFLICT (day, status, installed_from) DO UPDATE
    SET build_count = build_day.build_count + excluded.build_count
    """,
)

_FOLDED = over_rows("id bigint", "DELETE FROM build_facet_change WHERE id IN (SELECT i.id FROM {input} i)")

_RECOUNT = over_rows(
    "id bigint",
    """
    UPDATE build_facet SET build_count = t.build_count
    FROM (
        SELECT f.id, count(b.id) AS build_count FROM build_facet f LEFT JOIN build b ON b.facet_id = f.id
        WHERE f.id IN (SELECT i.id FROM {input} i) GROUP BY f.id
    ) t
    WHERE build_facet.id = t.id AND build_facet.build_count <> t.build_count
    RETURNING build_facet.id
    """,
)

_DAYS = {
    "sqlite": "substr(b.started_at, 1, 10)",
    "postgresql": "to_char(b.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
}
_COUNTED = """
    SELECT COALESCE({day}, '') AS day, b.status, COALESCE(b.installed_from, '') AS installed_from,
        count(*) AS build_count
    FROM build b GROUP BY 1, 2, 3
"""
_RECOUNT_DAYS = {
    name: (
        Statement(
            f"""
            DELETE FROM build_day WHERE NOT EXISTS (
                SELECT 1 FROM ({_COUNTED.format(day=day)}) c WHERE c.day = build_day.day
                    AND c.status = build_day.status AND c.installed_from = build_day.installed_from
            ) AND build_count <> 0
            RETURNING day
            """  # noqa: S608 -- as above
        ),
        Statement(
            f"""
            INSERT INTO build_day (day, status, installed_from, build_count)
            SELECT c.day, c.status, c.installed_from, c.build_count FROM ({_COUNTED.format(day=day)}) c
            WHERE true
            ON CONFLICT (day, status, installed_from) DO UPDATE SET build_count = excluded.build_count
            WHERE build_day.build_count <> excluded.build_count
            RETURNING day
            """  # noqa: S608 -- as above
        ),
    )
    for name, day in _DAYS.items()
}

Counted = tuple[int | None, datetime | None, float | None]
"""A build's facet, none where it is not counted, when it began, and how many seconds it took."""
Change = tuple[int | None, datetime | None, float | None, int]
"""How many more builds are counted so."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What builds that are written anew change of the counts, which is written for all of them at once."""

    changes: list[Change] = field(default_factory=list)
    shared: list[totals.Counted] = field(default_factory=list)
    without_facet: set[int] = field(default_factory=set)

    def add(
        self,
        build_id: int,
        owner_id: int,
        before: Counted,
        after: Counted,
        runs: tuple[totals.Newest, totals.Newest],
    ) -> None:
        """A build was counted so and is now so: to no facet yet, where nobody has its own.

        `runs` are its newest one as it was and as it is.
        """
        self.changes.extend([(*before, -1), (*after, 1)])
        facets_of = before[0], after[0]
        if runs[0] != runs[1] or facets_of[0] != facets_of[1]:
            for run, facet_id, number in zip(runs, facets_of, (-1, 1), strict=True):
                if facet_id is not None:
                    self.shared.append((owner_id, *run, facet_id, number))
        if after[0] is None:
            self.without_facet.add(build_id)

    def count(self, connection: Connection) -> None:
        """Write it."""
        change(connection, self.changes)
        totals.change(connection, self.shared)
        count_builds(connection, self.without_facet)


def change(connection: Connection, changes: Iterable[Change]) -> None:
    """Count some builds more or less."""
    counts, sums = Counter[_Place](), Counter[_Place]()
    for facet_id, started_at, seconds, number in changes:
        if facet_id is not None:
            place = facet_id, day_of(started_at), None if seconds is None else rounded(seconds)
            counts[place] += number
            sums[place] += number * microseconds_of(seconds or 0.0)
    changed = [place for place in counts if counts[place] or sums[place]]
    changed.sort(key=lambda place: (place[0], place[1], place[2] or -1.0))
    rows = [(*place, counts[place], sums[place]) for place in changed]
    if connection.dialect.name == "sqlite":
        # It has one writer: nobody waits.
        _add(connection, rows)
    else:
        _CHANGE.run(connection, rows)


def count_builds(connection: Connection, build_ids: Collection[int]) -> int:
    """Count some builds, whose packages are locked, to the facets that they are of now; how many changed."""
    ids = sorted((build_id,) for build_id in build_ids)
    wrong = _WRONG.run(connection, ids)
    if any(row.facet_id is None for row in wrong):
        _ADD.run(connection, ids)
        wrong = _WRONG.run(connection, ids)
    _SET.run(connection, [(row.build_id, row.facet_id) for row in wrong])
    less = [(row.before_id, row.started_at, row.duration_seconds, -1) for row in wrong]
    more = [(row.facet_id, row.started_at, row.duration_seconds, 1) for row in wrong]
    change(connection, [*less, *more])
    counted = [((row.before_id, -1), row) for row in wrong] + [((row.facet_id, 1), row) for row in wrong]
    totals.change(
        connection,
        [(row.owner_id, *newest_of(row), *of) for of, row in counted if of[0] is not None],
    )
    return len(wrong)


def count_builds_of(connection: Connection, spec_ids: Collection[int]) -> None:
    """`count_builds` of all builds of some specs, whose values changed."""
    rows = _OF_SPECS.run(connection, sorted((one,) for one in spec_ids))
    count_builds(connection, [row.id for row in rows])


def uncount_build(connection: Connection, build_id: int) -> None:
    """Count a build no longer, which is about to be deleted."""
    rows = _OF_BUILD.run(connection, build_id=build_id)
    change(connection, [(row.facet_id, row.started_at, row.duration_seconds, -1) for row in rows])
    totals.change(connection, [(row.owner_id, *newest_of(row), row.facet_id, -1) for row in rows])


def newest_of(build: Any) -> totals.Newest:
    """What a build's row repeats of its newest run."""
    counts = build.error_count, build.warning_count
    return totals.Newest(build.tag_set_id, build.first_error_group_id, *counts)


def _put(connection: Connection, changes: Sequence[Any]) -> None:
    _add(connection, [tuple(row[1:]) for row in changes])
    _FOLDED.run(connection, [(row.id,) for row in changes])


FOLDING = Folding(_WAITING, _TURN, _put)
"""Of builds that reports changed into facets and days."""


def _add(connection: Connection, changes: Sequence[tuple[int, str, float | None, int, int]]) -> None:
    of_facets, of_days = Counter[int](), Counter[tuple[int, str]]()
    for facet_id, day, _, number, _ in changes:
        of_facets[facet_id] += number
        of_days[facet_id, day] += number
    _ADD_TO_FACETS.run(connection, sorted(one for one in of_facets.items() if one[1]))
    _ADD_TO_DAYS.run(connection, sorted((*key, number) for key, number in of_days.items() if number))
    add_durations(connection, [(change[0], *change[2:]) for change in changes])


def recount(connection: Connection, facet_ids: Sequence[int]) -> int:
    """Count some facets anew, once all that waits is folded, while nobody writes; how many differed."""
    FOLDING.fold_all(connection)
    return len(_RECOUNT.run(connection, [(facet_id,) for facet_id in facet_ids]))


def recount_days(connection: Connection) -> int:
    """Count all days anew, as `recount`; how many counts differed."""
    FOLDING.fold_all(connection)
    return sum(len(one.run(connection)) for one in _RECOUNT_DAYS[connection.dialect.name])


def day_of(moment: datetime | None) -> str:
    """The day in UTC that a moment is in, as `2026-03-01`; empty without one."""
    return "" if moment is None else moment.astimezone(UTC).date().isoformat()
