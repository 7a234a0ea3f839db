"""Builds: what the runs of one spec on one machine by one owner have in common.

A build is its owner, its spec and its machine. A run whose sources name only a part of the machine belongs
to the only machine of its owner's builds of that spec that this may be a part of. So builds are a function
of runs, as runs are of claims. A number that a client was given leads on to what became of its build for
ever: the older of two builds that turn out to be one stays.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from spackmon.ingest.rows import LARGEST_ROW_ID, Statement, over_rows
from spackmon.ingest.tables.audiences import of_build, show_specs
from spackmon.ingest.tables.build_contents import add_contents, forget_contents
from spackmon.ingest.tables.changes import note_changes
from spackmon.ingest.tables.error_groups import count_errors
from spackmon.ingest.tables.facets import Settled, is_facet_of, newest_of
from spackmon.ingest.tables.numbers import build_of_number, leave_build
from spackmon.ingest.tables.totals import Newest, change_owner
from spackmon.runs.claim import Machine

_INSERT = Statement(
    """
    INSERT INTO build (spec_id, package_id, environment_id, owner_id, status, created_at, updated_at)
    VALUES (:spec_id, :package_id, :environment_id, :owner_id, 'NOTRUN', :now, :now)
    RETURNING id
    """
)

_READ = Statement(
    """
    SELECT b.id, b.spec_id, b.package_id, b.environment_id, b.owner_id, s.hash AS spec_hash,
        s.hash_kind AS spec_hash_kind,
        e.hostname, e.platform, e.operating_system, e.target, e.kernel_version
    FROM build b JOIN build_environment e ON e.id = b.environment_id
    LEFT JOIN spec s ON s.id = b.spec_id
    WHERE b.id = :build_id
    """
)

_SET_IDENTITY = Statement(
    """
    UPDATE build
    SET spec_id = :spec_id, package_id = :package_id, environment_id = :environment_id, owner_id = :owner_id
    WHERE id = :build_id
    """
)

# What is unique of builds is not, while several of them change.
_FORGET_IDENTITY = Statement("UPDATE build SET spec_id = NULL WHERE id = :build_id")

# The machines of a spec's runs, with the builds that they are counted to.
_MACHINES = Statement(
    """
    SELECT DISTINCT a.environment_id, b.id AS build_id, b.environment_id AS build_environment_id,
        b.package_id, e.hostname, e.platform, e.operating_system, e.target, e.kernel_version
    FROM build b JOIN attempt a ON a.build_id = b.id
    JOIN build_environment e ON e.id = a.environment_id
    WHERE b.spec_id = :spec_id AND b.owner_id = :owner_id
    ORDER BY b.id, a.environment_id
    """
)

_BUILD_OF_MACHINE = Statement(
    """
    SELECT id FROM build
    WHERE spec_id = :spec_id AND owner_id = :owner_id AND environment_id = :environment_id
    """
)

# Runs of a spec that is not known, by the hash that their sources name it by.
_NAME_PACKAGE = Statement(
    "UPDATE build SET package_id = :package_id WHERE id = :build_id AND package_id IS NULL"
)

_BUILD_OF_UNKNOWN = Statement(
    """
    SELECT b.id FROM claim c
    JOIN attempt a ON a.id = c.attempt_id
    JOIN build b ON b.id = a.build_id
    WHERE c.spec_hash = :spec_hash AND c.spec_id IS NULL AND b.spec_id IS NULL AND b.owner_id = :owner_id
        AND b.environment_id = :environment_id
    ORDER BY b.id
    LIMIT 1
    """
)

# Behind the others: a number is unique at any moment.
_BEHIND = "number + (SELECT COALESCE(max(a.number), 0) FROM attempt a WHERE a.build_id = :target_id)"

_MOVE_ATTEMPTS = Statement(
    f"""
    UPDATE attempt SET build_id = :target_id, number = {_BEHIND}
    WHERE build_id = :build_id AND environment_id = :environment_id
    """  # noqa: S608 -- of our own constants
)

_ENVIRONMENTS = Statement("SELECT DISTINCT environment_id FROM attempt WHERE build_id = :build_id")

_MOVE_ALL = Statement("UPDATE attempt SET build_id = :target_id WHERE build_id = :build_id")

_MOVE_ATTEMPT = Statement(
    f"""
    UPDATE attempt SET build_id = :target_id, number = {_BEHIND}
    WHERE id = :attempt_id AND build_id <> :target_id
    """  # noqa: S608 -- as above
)

_OTHERS = Statement("SELECT 1 FROM attempt WHERE build_id = :build_id AND id <> :attempt_id LIMIT 1")

# What nobody says when it ran comes first: it never hides a run that is known to be later. Its place among
# others of the kind is that of its name, the shorter one first, as 9 is before 10: not that of its arrival.
_RAN_AT = """
    CASE WHEN {0}.started_at IS NULL AND {0}.end_is_inferred THEN NULL
        ELSE COALESCE({0}.started_at, {0}.finished_at) END
"""
_MISNUMBERED = Statement(
    f"""
    SELECT r.id, r.place FROM (
        SELECT a.id, a.number, row_number() OVER (ORDER BY a.ran_at IS NOT NULL, a.ran_at, c.kind,
            length(c.key), c.key, a.id) AS place
        FROM (
            SELECT r.id, r.number, {_RAN_AT.format("r")} AS ran_at FROM attempt r WHERE r.build_id = :build_id
        ) a
        LEFT JOIN (
            SELECT attempt_id, kind, key,
                row_number() OVER (PARTITION BY attempt_id ORDER BY kind, length(key), key, owner_id) AS place
            FROM claim WHERE attempt_id IN (SELECT id FROM attempt WHERE build_id = :build_id)
        ) c ON c.attempt_id = a.id AND c.place = 1
    ) r
    WHERE r.number <> r.place
    """  # noqa: S608 -- of our own constants
)

# By way of negative numbers: one at a time is unique.
_RENUMBER = over_rows(
    "id bigint, number integer",
    """
    UPDATE attempt SET number = -1000000000 - (SELECT i.number FROM {input} i WHERE i.id = attempt.id)
    WHERE id IN (SELECT i.id FROM {input} i)
    """,
)

_MAKE_POSITIVE = Statement(
    "UPDATE attempt SET number = -1000000000 - number WHERE build_id = :build_id AND number <= -1000000000"
)

# What was announced and has not begun hides nothing that ran. With the facet that the build has by it, and
# whether there is anything to number.
_NEWEST = over_rows(
    "id bigint",
    f"""
    SELECT b.id AS build_id, a.id, a.started_at, a.duration_seconds, f.id AS facet_id, b.owner_id,
        b.started_at AS before_at, b.duration_seconds AS before_seconds, b.facet_id AS before_id,
        b.tag_set_id AS before_tags,
        b.first_error_group_id AS before_error, b.error_count AS before_errors,
        b.warning_count AS before_warnings,
        a.tag_set_id, a.first_error_group_id, a.error_count, a.warning_count,
        a.number <> 1 OR EXISTS (
            SELECT 1 FROM attempt o WHERE o.build_id = b.id AND o.id <> a.id
        ) AS is_one_of_several
    FROM build b JOIN attempt a ON a.id = (
        SELECT n.id FROM attempt n WHERE n.build_id = b.id
        ORDER BY CASE WHEN n.status = 'NOTRUN' THEN 1 ELSE 0 END, n.number DESC
        LIMIT 1
    )
    LEFT JOIN spec s ON s.id = b.spec_id LEFT JOIN build_facet f ON {is_facet_of("a")}
    WHERE b.id IN (SELECT i.id FROM {{input}} i)
    ORDER BY b.id
    """,  # noqa: S608 -- as above
    moments=("started_at", "before_at"),
)

_REPEATED = (
    "status", "started_at", "finished_at", "duration_seconds", "cpu_seconds", "peak_memory_bytes",
    "installed_from", "prefix",
    "configure_arguments_id", "environment_set_id", "manifest_id", "first_error_group_id", "error_count",
    "warning_count", "tag_set_id",
)  # fmt: skip

_REPEAT_NEWEST = over_rows(
    "id bigint, attempt_id bigint, facet_id bigint",
    f"""
    UPDATE build SET updated_at = :now, newest_attempt_id = a.id, facet_id = i.facet_id,
        audience_id = {of_build("build")}, {", ".join(f"{name} = a.{name}" for name in _REPEATED)}
    FROM {{input}} i JOIN attempt a ON a.id = i.attempt_id
    WHERE build.id = i.id
    RETURNING build.audience_id, build.spec_id, EXISTS (SELECT 1 FROM audience) AS has_audiences
    """,  # noqa: S608 -- of our own constants
)

_WRONG = over_rows(
    "id bigint",
    f"""
    SELECT b.id FROM {{input}} i JOIN build b ON b.id = i.id
    LEFT JOIN attempt a ON a.id = b.newest_attempt_id AND a.build_id = b.id
    WHERE a.id IS NULL OR b.audience_id IS DISTINCT FROM {of_build("b")}
        OR {" OR ".join(f"b.{name} IS DISTINCT FROM a.{name}" for name in _REPEATED)}
        OR EXISTS (
            SELECT 1 FROM attempt o WHERE o.build_id = b.id AND o.id <> a.id
                AND CASE WHEN o.status = 'NOTRUN' THEN 0 ELSE 1 END
                    >= CASE WHEN a.status = 'NOTRUN' THEN 0 ELSE 1 END
                AND (o.number > a.number OR o.status <> 'NOTRUN' AND a.status = 'NOTRUN')
        )
        OR EXISTS (
            SELECT 1 FROM attempt x JOIN attempt y ON y.build_id = x.build_id AND y.number = x.number + 1
            WHERE x.build_id = b.id AND {_RAN_AT.format("x")} IS NOT NULL
                AND ({_RAN_AT.format("y")} IS NULL OR {_RAN_AT.format("y")} < {_RAN_AT.format("x")})
        )
    ORDER BY b.id
    """,  # noqa: S608 -- of our own constants
)


def read_build(connection: Connection, build_id: int) -> Any | None:
    """A build with its spec's hash and its machine, by its number or one that leads to it."""
    if not 0 < build_id <= LARGEST_ROW_ID:
        return None
    rows = _READ.run(connection, build_id=build_of_number(connection, build_id))
    return rows[0] if rows else None


def add_build(
    connection: Connection, spec_id: int | None, package_id: int | None, environment_id: int, owner_id: int,
    now: datetime,
) -> int:  # fmt: skip
    """Insert a build; its number."""
    build_id: int = _INSERT.run(
        connection, spec_id=spec_id, package_id=package_id, environment_id=environment_id, owner_id=owner_id,
        now=now,
    )[0].id  # fmt: skip
    if spec_id is not None:
        add_contents(connection, build_id, spec_id)
    return build_id


def set_identity(
    connection: Connection, build_id: int, identity: tuple[int | None, int | None, int, int]
) -> None:
    """Say of which spec, package, machine and owner a build is."""
    spec_id, package_id, environment_id, owner_id = identity
    change_owner(connection, build_id, owner_id)
    _SET_IDENTITY.run(
        connection, build_id=build_id, spec_id=spec_id, package_id=package_id, environment_id=environment_id,
        owner_id=owner_id,
    )  # fmt: skip
    # What the spec that it was of before contains is not in it any more.
    forget_contents(connection, build_id)
    if spec_id is not None:
        add_contents(connection, build_id, spec_id)


def place_for(
    connection: Connection, spec_id: int, owner_id: int, environment_id: int, machine: Machine
) -> tuple[int | None, bool]:
    """The build that a run on a machine belongs to as yet, and whether `settle_machines` must follow.

    It must where the machine is new to the runs of the spec: that may change what the others are a part of.
    """
    exact = _BUILD_OF_MACHINE.run(
        connection, spec_id=spec_id, owner_id=owner_id, environment_id=environment_id
    )
    if exact:
        return exact[0].id, False
    rows = _MACHINES.run(connection, spec_id=spec_id, owner_id=owner_id)
    for row in rows:
        if row.environment_id == environment_id:
            return row.build_id, False
    machines = {**_machines(rows), environment_id: machine}
    whole = _whole(environment_id, machines)
    return next((row.build_id for row in rows if row.build_environment_id == whole), None), True


def place_of_unknown(
    connection: Connection, spec_hash: str, package_id: int | None, owner_id: int, environment_id: int
) -> int | None:
    """The build of other runs of a spec that is not known, in the same place; it has any run's package."""
    rows = _BUILD_OF_UNKNOWN.run(
        connection, spec_hash=spec_hash, owner_id=owner_id, environment_id=environment_id
    )
    if not rows:
        return None
    if package_id is not None:
        _NAME_PACKAGE.run(connection, build_id=rows[0].id, package_id=package_id)
    return int(rows[0].id)


def move_attempt(connection: Connection, attempt_id: int, build_id: int) -> None:
    """Count an attempt to another build."""
    _MOVE_ATTEMPT.run(connection, attempt_id=attempt_id, target_id=build_id)


def settle_machines(connection: Connection, spec_id: int, owner_id: int, now: datetime) -> dict[int, int]:
    """Count the runs of an owner's spec to the builds of their machines.

    Gives the builds that changed, each with the one that its runs are of now; some have none left.
    """
    rows = _MACHINES.run(connection, spec_id=spec_id, owner_id=owner_id)
    machines = _machines(rows)
    whole = {environment_id: _whole(environment_id, machines) for environment_id in machines}
    wholes_of: dict[int, set[int]] = {}
    environment_of: dict[int, int] = {}
    for row in rows:
        wholes_of.setdefault(row.build_id, set()).add(whole[row.environment_id])
        environment_of[row.build_id] = row.build_environment_id
    moved: dict[int, int] = {}
    chosen: dict[int, int] = {}
    for target in sorted(set(whole.values())):
        of_this = [b for b, wholes in wholes_of.items() if wholes == {target}]
        of_this += [b for b, wholes in wholes_of.items() if environment_of[b] == target and len(wholes) > 1]
        if of_this:
            chosen[target] = min(of_this)
    changing = [(b, target) for target, b in chosen.items() if environment_of[b] != target]
    for build_id, _ in changing:
        _FORGET_IDENTITY.run(connection, build_id=build_id)
    for row in rows:
        target = whole[row.environment_id]
        if target not in chosen:
            chosen[target] = add_build(connection, None, row.package_id, target, owner_id, now)
            changing.append((chosen[target], target))
        if row.build_id != chosen[target]:
            _MOVE_ATTEMPTS.run(
                connection, build_id=row.build_id, target_id=chosen[target], environment_id=row.environment_id
            )
            moved[row.build_id] = moved[chosen[target]] = chosen[target]
    for build_id in set(wholes_of) - set(chosen.values()):
        _FORGET_IDENTITY.run(connection, build_id=build_id)
    for build_id, target in changing:
        set_identity(connection, build_id, (spec_id, rows[0].package_id, target, owner_id))
        moved[build_id] = build_id
    return moved


def is_alone(connection: Connection, build_id: int, attempt_id: int) -> bool:
    """Whether a build has no other run than this one."""
    return not _OTHERS.run(connection, build_id=build_id, attempt_id=attempt_id)


def join_builds(connection: Connection, build_id: int, other_id: int, now: datetime) -> None:
    """Make the runs of one build those of another, whose identity is the same; its number leads there."""
    for row in _ENVIRONMENTS.run(connection, build_id=other_id):
        _MOVE_ATTEMPTS.run(
            connection, build_id=other_id, target_id=build_id, environment_id=row.environment_id
        )
    leave_build(connection, other_id, build_id)
    settled = Settled()
    settle_builds(connection, [build_id], now, settled)
    settled.count(connection)
    count_errors(connection, [build_id, other_id])
    note_changes(connection, builds=[build_id])


def take_over(connection: Connection, build_id: int, target_id: int) -> None:
    """Make a build without runs what another one is, with all of its runs."""
    row = _READ.run(connection, build_id=target_id)[0]
    _FORGET_IDENTITY.run(connection, build_id=target_id)
    set_identity(connection, build_id, (row.spec_id, row.package_id, row.environment_id, row.owner_id))
    _MOVE_ALL.run(connection, build_id=target_id, target_id=build_id)


def settle_builds(connection: Connection, build_ids: Sequence[int], now: datetime, settled: Settled) -> bool:
    """Number the runs of builds by their beginnings and repeat the newest one's facts.

    Nothing is done and false is given where one of them has no runs. Whoever may see a build may see its
    spec.

    Runs of long ago are reported in any order. What is to be counted otherwise then is added to `settled`.
    """
    newest = _newest(connection, build_ids)
    if len(newest) < len(build_ids):
        return False
    several = [build_id for build_id, row in newest.items() if row.is_one_of_several]
    newest |= _newest(connection, [build_id for build_id in several if _renumber(connection, build_id)])
    rows = [(build_id, row.id, row.facet_id) for build_id, row in newest.items()]
    for build in _REPEAT_NEWEST.run(connection, rows, now=now):
        if build.has_audiences and build.spec_id is not None:
            show_specs(connection, [build.spec_id], build.audience_id)
    for build_id, row in newest.items():
        before = row.before_id, row.before_at, row.before_seconds
        after = row.facet_id, row.started_at, row.duration_seconds
        run_before = Newest(row.before_tags, row.before_error, row.before_errors, row.before_warnings)
        settled.add(build_id, row.owner_id, before, after, (run_before, newest_of(row)))
    return True


def _newest(connection: Connection, build_ids: Sequence[int]) -> dict[int, Any]:
    return {row.build_id: row for row in _NEWEST.run(connection, [(build_id,) for build_id in build_ids])}


def _renumber(connection: Connection, build_id: int) -> bool:
    misnumbered = [(row.id, row.place) for row in _MISNUMBERED.run(connection, build_id=build_id)]
    if misnumbered:
        _RENUMBER.run(connection, misnumbered)
        _MAKE_POSITIVE.run(connection, build_id=build_id)
    return bool(misnumbered)


def machine_of(row: Any) -> Machine:
    """The machine in a row of a build or of its runs."""
    return Machine(row.hostname, row.platform, row.operating_system, row.target, row.kernel_version)


def wrong_builds(connection: Connection, build_ids: Sequence[int]) -> list[int]:
    """Those of some builds whose runs are misnumbered, or that do not repeat the newest one's facts."""
    return [row.id for row in _WRONG.run(connection, [(build_id,) for build_id in build_ids])]


def _machines(rows: Sequence[Any]) -> dict[int, Machine]:
    return {row.environment_id: machine_of(row) for row in rows}


def _whole(environment_id: int, machines: Mapping[int, Machine]) -> int:
    """The machine that this one is a part of: the only largest one, or itself."""
    mine = machines[environment_id]
    larger = {
        other: machine
        for other, machine in machines.items()
        if other != environment_id and mine.is_part_of(machine)
    }
    largest = [
        other
        for other, machine in larger.items()
        if not any(machine.is_part_of(beyond) for one, beyond in larger.items() if one != other)
    ]
    return largest[0] if len(largest) == 1 else environment_id
