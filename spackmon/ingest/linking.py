"""Builds whose spec was not known when they were reported, and becomes known."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from spackmon.formats.submission import Environment, SpecReport
from spackmon.ingest.environments import completed_environment, environment_of, get_or_create_environment
from spackmon.ingest.locks import lock_builds, lock_packages
from spackmon.ingest.matching import (
    Run,
    Where,
    best_build,
    best_run,
    builds_of_package,
    builds_of_spec,
    only_run,
    runs_of,
)
from spackmon.ingest.merging import merge_builds
from spackmon.ingest.receipts import SpecReceipt
from spackmon.ingest.rows import Statement
from spackmon.ingest.specs import store_graph
from spackmon.ingest.waiting import Waiting
from spackmon.models import utc_now
from spackmon.status import TELL_NO_MACHINE, SourceKind

_SPEC = Statement(
    """
    SELECT s.id, v.package_id FROM spec_hash h
    JOIN spec s ON s.id = h.spec_id
    JOIN package_version v ON v.id = s.package_version_id
    WHERE h.value = :value
    ORDER BY CASE WHEN h.kind = s.hash_kind THEN 0 ELSE 1 END, s.id DESC
    LIMIT 1
    """
)

_HASHES = Statement("SELECT h.value FROM spec_hash h WHERE h.spec_id = :spec_id ORDER BY h.value")

_SET_SPEC = Statement(
    """
    UPDATE build SET spec_id = :spec_id, package_id = :package_id, updated_at = :now
    WHERE id = :build_id AND spec_id IS NULL
    """
)

_PACKAGE_VERSIONS_BELOW = Statement(
    """
    INSERT INTO build_package_version (package_version_id, build_id, package_id)
    SELECT DISTINCT v.id, CAST(:build_id AS bigint), v.package_id
    FROM closure c
    JOIN spec s ON s.id = c.descendant_id
    JOIN package_version v ON v.id = s.package_version_id
    WHERE c.ancestor_id = :spec_id
    ON CONFLICT DO NOTHING
    """
)

_SET_ENVIRONMENT = Statement(
    "UPDATE build SET environment_id = :environment_id, updated_at = :now WHERE id = :build_id"
)

_SAME_BUILD = Statement(
    """
    SELECT theirs.id FROM build mine
    JOIN build theirs ON theirs.spec_id = mine.spec_id AND theirs.owner_id = mine.owner_id
        AND theirs.environment_id = :environment_id
    WHERE mine.id = :build_id AND theirs.id <> mine.id
    """
)

_SPEC_IS_KNOWN = Statement("UPDATE build_source SET spec_hash = NULL WHERE build_id = :build_id")


def apply_spec(connection: Connection, report: SpecReport) -> SpecReceipt:
    """Store a graph; one that is known to the last document costs one statement."""
    stored = store_graph(connection, report.graph, report.spack_version)
    link_waiting(connection, stored.waiting, utc_now())
    root = report.graph.nodes[report.graph.root]
    return SpecReceipt(
        stored.spec_id, stored.created, root.hash, root.hash_kind, root.name, root.version,
        stored.created_count,
    )  # fmt: skip


def link_waiting(connection: Connection, waiting: Sequence[Waiting], now: datetime) -> None:
    """Give their spec to builds that waited for one of the specs that were just stored."""
    if not waiting:
        return
    lock_packages(connection, {build.package_id for build in waiting})
    for build in waiting:
        link_by_hash(connection, build.build_id, build.spec_hash, now)


def link_by_hash(connection: Connection, build_id: int, spec_hash: str, now: datetime) -> None:
    """Give a build its spec, if one with this hash is known."""
    for spec in _SPEC.run(connection, value=spec_hash):
        link(connection, build_id, spec.id, spec.package_id, now)


def link(connection: Connection, build_id: int, spec_id: int, package_id: int, now: datetime) -> None:
    """Give a build its spec; where that build is there already, the two become one."""
    runs = runs_of(connection, [build_id])
    if not runs or runs[0].spec_id is not None:
        return
    where = where_of(connection, runs)
    hashes = [row.value for row in _HASHES.run(connection, spec_id=spec_id)]
    others = [
        build for build in builds_of_spec(connection, hashes, where) if build.spec_id and build.id != build_id
    ]
    lock_builds(connection, [build_id, *(build.id for build in others)])
    _SPEC_IS_KNOWN.run(connection, build_id=build_id)
    same = best_run(
        runs[0].seen, runs_of(connection, [build.id for build in others]), runs[0].environment_id,
        runs[0].owner_id,
    )  # fmt: skip
    best = best_build(others, runs[0].environment_id, runs[0].owner_id)
    if same is not None or best is not None:
        target_id = same.build_id if same is not None else best.id  # type: ignore[union-attr]
        _merge(connection, build_id, target_id, where, now)
        return
    try:
        with connection.begin_nested():
            _SET_SPEC.run(connection, build_id=build_id, spec_id=spec_id, package_id=package_id, now=now)
    except IntegrityError:
        # A client of ms1 posted this build in the meantime: now it can be seen.
        link(connection, build_id, spec_id, package_id, now)
        return
    add_package_versions(connection, build_id, spec_id)


def add_package_versions(connection: Connection, build_id: int, spec_id: int) -> None:
    """Note what the graph of a build contains, whose spec is new to it."""
    _PACKAGE_VERSIONS_BELOW.run(connection, build_id=build_id, spec_id=spec_id)


def where_of(
    connection: Connection, runs: Sequence[Run], beside: frozenset[tuple[str, str]] = frozenset()
) -> Where:
    """The circumstances of a build, of which these are the runs, as its sources `beside` these told them."""
    kinds = {kind for run in runs for kind, _ in run.seen.sources - beside}
    no_machine = SourceKind.CDASH in kinds and kinds <= TELL_NO_MACHINE
    environment = environment_of(connection, runs[0].environment_id)
    return Where(environment, no_machine, runs[0].owner_id)


def _merge(connection: Connection, source_id: int, target_id: int, where: Where, now: datetime) -> int:
    """Make one build of two, in an environment of which both know a part; its id."""
    target_id, _ = complete_environment(connection, target_id, where.environment, where.no_machine, now)
    if source_id != target_id:
        merge_builds(connection, source_id, target_id, now)
    return target_id


def complete_environment(
    connection: Connection, build_id: int, told: Environment, no_machine: bool, now: datetime,
    by: frozenset[tuple[str, str]] = frozenset(),
) -> tuple[int, bool]:  # fmt: skip
    """Add what is `told` to what is known of a build's environment, `by` one of its sources.

    The id of the build that it is then, and whether there was anything to add.
    """
    runs = runs_of(connection, [build_id])
    known = where_of(connection, runs, by)
    is_alone = not any(run.seen.sources - by for run in runs)
    both = completed_environment(
        known.environment, no_machine if is_alone else known.no_machine, told, no_machine
    )
    if both == known.environment:
        return build_id, False
    environment_id, _ = get_or_create_environment(connection, both)
    while True:
        same = _SAME_BUILD.run(connection, build_id=build_id, environment_id=environment_id)
        if same:
            lock_builds(connection, [build_id, same[0].id])
            merge_builds(connection, build_id, same[0].id, now)
            return same[0].id, True
        try:
            with connection.begin_nested():
                _SET_ENVIRONMENT.run(connection, build_id=build_id, environment_id=environment_id, now=now)
        except IntegrityError:
            continue  # as in link()
        return build_id, True


def join_by_package(connection: Connection, build_id: int, now: datetime) -> bool:
    """Make one build of this and those that can only be about the same run, though they know no spec.

    Whether this one is part of another now. To be called when something that decides about it is new.
    """
    runs = runs_of(connection, [build_id])
    package_id = runs[0].package_id
    if package_id is None:
        return False
    if runs[0].spec_id is None:
        return _join(connection, runs[0], now)
    for run in runs:
        where = where_of(connection, runs)
        waiting = builds_of_package(
            connection, package_id, where, run.started_at, run.seen.end, waiting_only=True
        )
        lock_builds(connection, [build.id for build in waiting])
        for other in runs_of(connection, [build.id for build in waiting]):
            for spec_hash in other.seen.unknown_hashes:
                # Stored at the same moment in which the build was reported.
                link_by_hash(connection, other.build_id, spec_hash, now)
            if not other.seen.unknown_hashes:
                _join(connection, other, now)
    return False


def _join(connection: Connection, run: Run, now: datetime) -> bool:
    """Merge a build that knows no spec into the only one that its run may be a run of, if there is one."""
    if run.package_id is None or run.seen.begin is None:
        return False
    where = where_of(connection, runs_of(connection, [run.build_id]))
    found = builds_of_package(connection, run.package_id, where, run.seen.begin, run.seen.end)
    others = [build.id for build in found if build.id != run.build_id]
    lock_builds(connection, [run.build_id, *others])
    same = only_run(run.seen, runs_of(connection, others))
    if same is None:
        return False
    _merge(connection, run.build_id, same.build_id, where, now)
    return True
