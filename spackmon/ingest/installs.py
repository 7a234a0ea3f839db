"""Installs as every source but ms1 reports them: of which build and attempt, and what is new in it.

How an attempt is found: matching.py. What a report adds to it: completion.py. Reports that turn out to be
about the same build later: linking.py.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from spackmon.formats.submission import InstallReport
from spackmon.graph.spec import SpecGraph
from spackmon.ingest.builds import create_tags, find_spec, tag_build
from spackmon.ingest.completion import (
    Facts,
    beginning,
    complete_attempt,
    complete_build,
    complete_phases,
    facts_of,
)
from spackmon.ingest.dimensions import get_or_create_packages
from spackmon.ingest.environments import NOTHING_TOLD, get_or_create_environment
from spackmon.ingest.events import Grouped, add_events, group_errors
from spackmon.ingest.linking import (
    add_package_versions,
    complete_environment,
    join_by_package,
    link,
    link_waiting,
)
from spackmon.ingest.locks import lock_builds, lock_packages
from spackmon.ingest.matching import (
    Build,
    Run,
    Sighting,
    Where,
    best_build,
    best_run,
    builds_of_package,
    builds_of_spec,
    only_run,
    runs_of,
)
from spackmon.ingest.merging import settle_build
from spackmon.ingest.receipts import InstallReceipt
from spackmon.ingest.rows import Statement
from spackmon.ingest.sources import KnownSource, add_source, find_source, note_hash, touch_source
from spackmon.ingest.specs import store_graph
from spackmon.ingest.waiting import Waiting
from spackmon.models import utc_now
from spackmon.status import SourceKind

_PACKAGE_ID = Statement("SELECT id FROM package WHERE name = :name")

_INSERT_BUILD = Statement(
    """
    INSERT INTO build (
        spec_id, package_id, environment_id, owner_id, status, rerun_announced, created_at, updated_at
    )
    VALUES (:spec_id, :package_id, :environment_id, :owner_id, :status, false, :now, :now)
    ON CONFLICT DO NOTHING
    RETURNING id
    """
)

_INSERT_ATTEMPT = Statement(
    """
    INSERT INTO attempt (
        build_id, number, status, started_at, finished_at, duration_seconds, spack_version, spack_revision
    )
    VALUES (
        :build_id, (SELECT count(*) + 1 FROM attempt a WHERE a.build_id = :build_id), :status, :started_at,
        :finished_at, :duration_seconds, :spack_version, :spack_revision
    )
    RETURNING id
    """
)

_STATE = Statement(
    """
    SELECT b.spec_id, s.hash AS spec_hash
    FROM build b LEFT JOIN spec s ON s.id = b.spec_id
    WHERE b.id = :build_id
    """
)


class _Raced(Exception):  # noqa: N818 -- undoes a savepoint and is caught
    """Somebody else made this build, or told from this source, at the same moment."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What a report says, by the rows that it names; `hashes` are all that its spec has, known or not."""

    report: InstallReport
    facts: Facts
    hashes: Sequence[str]
    spec_id: int | None
    package_id: int | None
    specs_created: int
    waiting: Sequence[Waiting]
    events: Grouped
    where: Where
    environment_id: int

    @property
    def unknown_hash(self) -> str | None:
        return self.report.spec_hash if self.spec_id is None else None


@dataclass(frozen=True, slots=True)
class _Place:
    """The attempt that a report is about; `source_id` where its source had told about it before.

    `moved` that the report made its build another one, or gave it its spec.
    """

    build_id: int
    attempt_id: int
    source_id: int | None = None
    build_created: bool = False
    attempt_created: bool = False
    moved: bool = False


def apply_install(
    connection: Connection, report: InstallReport, person_id: int, *, across_owners: bool = False
) -> InstallReceipt:
    """Add what a report tells to the attempt that it is about, which may be a new one of a new build.

    `across_owners`: it may be about a build of anybody.
    """
    now = utc_now()
    told = _told(connection, report, person_id, across_owners, now)
    _keep_packages(connection, told)
    link_waiting(connection, told.waiting, now)
    place = _known_place(connection, told, now) or _new_place(connection, told, now)
    if report.environment is not None and not place.build_created:
        _, moved = complete_environment(
            connection, place.build_id, report.environment, told.where.no_machine, now, _names(report)
        )
        if moved:
            place = dataclasses.replace(_again(connection, told, place), moved=True)
    receipt, is_moved = _complete(connection, told, place, now)
    if is_moved and join_by_package(connection, place.build_id, now):
        place = _again(connection, told, place)
    state = _STATE.run(connection, build_id=place.build_id)[0]
    return dataclasses.replace(receipt, build_id=place.build_id, spec_hash=state.spec_hash)


def _told(
    connection: Connection, report: InstallReport, person_id: int, across_owners: bool, now: datetime
) -> _Told:
    """Get or create what many builds share, in the order in which every transaction does (locks.py)."""
    spec_id = package_id = None
    hashes: Sequence[str] = (report.spec_hash,) if report.spec_hash else ()
    waiting: Sequence[Waiting] = ()
    specs_created, package_name = 0, report.package_name
    if report.graph is not None:
        stored = store_graph(connection, report.graph, report.spack_version)
        spec_id, specs_created, waiting = stored.spec_id, stored.created_count, stored.waiting
        hashes, package_name = _hashes_of_root(report.graph)
    elif report.spec_hash and (found := find_spec(connection, report.spec_hash)) is not None:
        spec_id, package_id = found.id, found.package_id
    if package_id is None and package_name:
        get_or_create_packages(connection, {package_name})
        package_id = _PACKAGE_ID.run(connection, name=package_name)[0].id
    environment = report.environment or NOTHING_TOLD
    environment_id, _ = get_or_create_environment(connection, environment)
    create_tags(connection, report.tags)
    no_machine = report.source.kind is SourceKind.CDASH
    return _Told(
        report, facts_of(report, now), hashes, spec_id, package_id, specs_created, waiting,
        events=group_errors(connection, report.events),
        where=Where(environment, no_machine, person_id, across_owners),
        environment_id=environment_id,
    )  # fmt: skip


def _hashes_of_root(graph: SpecGraph) -> tuple[Sequence[str], str]:
    root = graph.nodes[graph.root]
    return [value for _, value in root.hashes] or [root.hash], root.name


def _keep_packages(connection: Connection, told: _Told) -> None:
    """Let nobody else decide at the same moment what is one build of the packages this is about."""
    packages = {told.package_id, *(build.package_id for build in told.waiting)}
    known = _find_source(connection, told)
    if known is not None:
        packages.add(known.package_id)
    lock_packages(connection, packages)


def _find_source(connection: Connection, told: _Told) -> KnownSource | None:
    return find_source(connection, told.report.source, told.where.owner_id, told.where.across_owners)


def _known_place(connection: Connection, told: _Told, now: datetime) -> _Place | None:
    """The attempt that this source told about before; it may bring the spec only now."""
    known = _find_source(connection, told)
    if known is None:
        return None
    lock_builds(connection, [known.build_id])
    if _find_source(connection, told) != known:
        # It became part of another build while this waited for it.
        return _known_place(connection, told, now)
    place = _Place(known.build_id, known.attempt_id, known.id)
    state = _STATE.run(connection, build_id=known.build_id)[0]
    if state.spec_id is not None or told.spec_id is None or told.package_id is None:
        return place
    link(connection, known.build_id, told.spec_id, told.package_id, now)
    return dataclasses.replace(_again(connection, told, place), moved=True)


def _again(connection: Connection, told: _Told, place: _Place) -> _Place:
    """Where the attempt is after builds may have become one."""
    known = _find_source(connection, told)
    if known is None:
        return place
    return dataclasses.replace(place, build_id=known.build_id, attempt_id=known.attempt_id)


def _new_place(connection: Connection, told: _Told, now: datetime) -> _Place:
    """The attempt that a source tells about which did not tell of it before."""
    while True:
        try:
            with connection.begin_nested():
                return _match_or_create(connection, told, now)
        except _Raced:
            known = _known_place(connection, told, now)
            if known is not None:
                return known


def _match_or_create(connection: Connection, told: _Told, now: datetime) -> _Place:
    seen, owner_id = _sighting(told), told.where.owner_id
    builds: list[Build] = builds_of_spec(connection, told.hashes, told.where) if told.hashes else []
    build_ids = [build.id for build in builds]
    lock_builds(connection, build_ids)
    run = best_run(seen, runs_of(connection, build_ids), told.environment_id, owner_id)
    if run is None and not builds and told.spec_id is None:
        run = _run_of_package(connection, told, seen)
    if run is not None:
        place = _Place(run.build_id, run.attempt_id)
    else:
        build = best_build(builds, told.environment_id, owner_id)
        build_id = _create_build(connection, told, now) if build is None else build.id
        created = _INSERT_ATTEMPT.run(connection, build_id=build_id, **dataclasses.asdict(told.facts))
        place = _Place(build_id, created[0].id, build_created=build is None, attempt_created=True)
    state = _STATE.run(connection, build_id=place.build_id)[0]
    unknown_hash = told.unknown_hash if state.spec_id is None else None
    run_ids = place.build_id, place.attempt_id
    if not add_source(connection, told.report.source, owner_id, run_ids, unknown_hash, now):
        raise _Raced
    if state.spec_id is None and told.spec_id is not None and told.package_id is not None:
        link(connection, place.build_id, told.spec_id, told.package_id, now)
    return _again(connection, told, place)


def _run_of_package(connection: Connection, told: _Told, seen: Sighting) -> Run | None:
    if told.package_id is None or seen.begin is None:
        return None
    builds = builds_of_package(connection, told.package_id, told.where, seen.begin, seen.end)
    build_ids = [build.id for build in builds]
    lock_builds(connection, build_ids)
    return only_run(seen, runs_of(connection, build_ids))


def _create_build(connection: Connection, told: _Told, now: datetime) -> int:
    created = _INSERT_BUILD.run(
        connection, spec_id=told.spec_id, package_id=told.package_id, environment_id=told.environment_id,
        owner_id=told.where.owner_id, status=told.facts.status, now=now,
    )  # fmt: skip
    if not created:
        raise _Raced
    build_id: int = created[0].id
    if told.spec_id is not None:
        add_package_versions(connection, build_id, told.spec_id)
    return build_id


def _names(report: InstallReport) -> frozenset[tuple[str, str]]:
    return frozenset({(report.source.kind.value, report.source.key)})


def _sighting(told: _Told) -> Sighting:
    report = told.report
    begin, end = beginning(report), report.finished_at
    if end is None and begin is not None and report.duration_seconds is not None:
        end = begin + timedelta(seconds=report.duration_seconds)
    return Sighting(
        status=report.status and report.status.value,
        sources=_names(report),
        begin=begin,
        end=end,
        unknown_hashes=frozenset({told.unknown_hash} if told.unknown_hash else ()),
    )


def _complete(
    connection: Connection, told: _Told, place: _Place, now: datetime
) -> tuple[InstallReceipt, bool]:
    """Add what the report tells; whether that may change which other reports are about the same run.

    The receipt lacks what may still change, the build and its spec.
    """
    report, build_id, attempt_id = told.report, place.build_id, place.attempt_id
    attempt_changed = not place.attempt_created and complete_attempt(connection, attempt_id, told.facts)
    phases_created, phases_changed = complete_phases(connection, attempt_id, report)
    events_created = add_events(connection, attempt_id, told.events)
    build_changed = complete_build(connection, build_id, report, told.package_id)
    tagged = tag_build(connection, build_id, report.tags)
    hash_noted = (
        place.source_id is not None
        and told.unknown_hash is not None
        and note_hash(connection, place.source_id, told.unknown_hash)
    )
    is_moved = place.source_id is None or place.moved or attempt_changed or build_changed or hash_noted
    added = phases_changed or events_created > 0 or tagged
    if is_moved or added:
        settle_build(connection, build_id, now)
        if place.source_id is not None:
            touch_source(connection, place.source_id, now)
    receipt = InstallReceipt(
        build_id, place.build_created, place.attempt_created, is_moved or added or told.specs_created > 0,
        spec_hash=None, specs_created=told.specs_created, phases_created=phases_created,
        events_created=events_created,
    )  # fmt: skip
    return receipt, is_moved
