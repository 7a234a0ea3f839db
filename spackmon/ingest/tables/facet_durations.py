"""How long the builds of facets took, counted by rounded durations: docs/decisions/0012-facts.md."""

from collections import Counter
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from spackmon.history.rounded_durations import BOUNDS, ROUNDED
from spackmon.ingest.rows import over_rows

_ADD = over_rows(
    "facet_id bigint, rounded_seconds double precision, build_count integer, microseconds bigint",
    """
    INSERT INTO build_facet_duration (facet_id, rounded_seconds, build_count, microseconds)
    SELECT i.facet_id, i.rounded_seconds, i.build_count, i.microseconds FROM {input} i WHERE true
    ON CONFLICT (facet_id, rounded_seconds) DO UPDATE
    SET build_count = build_facet_duration.build_count + excluded.build_count,
        microseconds = build_facet_duration.microseconds + excluded.microseconds
    """,
)

_WHENS = (f"WHEN b.duration_seconds < {end} THEN {one}" for end, one in zip(BOUNDS, ROUNDED, strict=False))
_BOUNDS, _ROUNDED = (
    f"CAST(ARRAY[{', '.join(map(str, numbers))}] AS double precision[])" for numbers in (BOUNDS, ROUNDED)
)
_SECONDS = {
    "sqlite": f"CASE {' '.join(_WHENS)} ELSE {ROUNDED[-1]} END",
    "postgresql": f"({_ROUNDED})[width_bucket(b.duration_seconds, {_BOUNDS}) + 1]",
}
_MICROSECONDS = {
    "sqlite": "CAST(b.duration_seconds * 1000000 + 0.5 AS INTEGER)",
    "postgresql": "CAST(floor(b.duration_seconds * 1000000 + 0.5) AS bigint)",
}
_COUNTED = {
    name: f"""
    SELECT b.facet_id, {_SECONDS[name]} AS rounded_seconds, count(*) AS build_count,
        CAST(sum({_MICROSECONDS[name]}) AS bigint) AS microseconds
    FROM build b WHERE b.duration_seconds IS NOT NULL AND b.facet_id IN (SELECT i.id FROM {{input}} i)
    GROUP BY 1, 2
    """  # noqa: S608 -- of our own constants
    for name in _SECONDS
}
_RECOUNT = {
    name: (
        over_rows(
            "id bigint",
            f"""
            DELETE FROM build_facet_duration WHERE facet_id IN (SELECT i.id FROM {{input}} i)
                AND (build_count <> 0 OR microseconds <> 0) AND NOT EXISTS (
                    SELECT 1 FROM ({counted}) c WHERE c.facet_id = build_facet_duration.facet_id
                        AND c.rounded_seconds = build_facet_duration.rounded_seconds
                )
            RETURNING facet_id
            """,  # noqa: S608 -- as above
        ),
        over_rows(
            "id bigint",
            f"""
            INSERT INTO build_facet_duration (facet_id, rounded_seconds, build_count, microseconds)
            SELECT c.facet_id, c.rounded_seconds, c.build_count, c.microseconds FROM ({counted}) c WHERE true
            ON CONFLICT (facet_id, rounded_seconds) DO UPDATE
            SET build_count = excluded.build_count, microseconds = excluded.microseconds
            WHERE build_facet_duration.build_count <> excluded.build_count
                OR build_facet_duration.microseconds <> excluded.microseconds
            RETURNING facet_id
            """,  # noqa: S608 -- as above
        ),
    )
    for name, counted in _COUNTED.items()
}


def add_durations(connection: Connection, changes: Iterable[tuple[int, float | None, int, int]]) -> None:
    """Count so many builds of a facet more or less to a rounded duration, and so many microseconds."""
    counts, sums = Counter[tuple[int, float]](), Counter[tuple[int, float]]()
    for facet_id, seconds, number, microseconds in changes:
        if seconds is not None:
            counts[facet_id, seconds] += number
            sums[facet_id, seconds] += microseconds
    changed = sorted(place for place in counts if counts[place] or sums[place])
    _ADD.run(connection, [(*place, counts[place], sums[place]) for place in changed])


def recount_durations(connection: Connection, facet_ids: Sequence[int]) -> int:
    """Count the durations of some facets' builds anew, while nobody writes and once all is folded.

    How many counts differed.
    """
    rows = [(facet_id,) for facet_id in facet_ids]
    return sum(len(one.run(connection, rows)) for one in _RECOUNT[connection.dialect.name])
