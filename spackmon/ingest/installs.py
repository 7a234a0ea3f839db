"""Installs as every source but ms1 reports them: of which build and attempt, and what is new in it."""

import dataclasses

from sqlalchemy import Connection

from spackmon.formats.submission import InstallReport
from spackmon.ingest.builds import add_package_versions, create_tags, find_spec, tag_build
from spackmon.ingest.completion import complete_attempt, complete_build, complete_phases, facts_of
from spackmon.ingest.environments import NOTHING_TOLD, get_or_create_environment
from spackmon.ingest.events import add_events, group_errors
from spackmon.ingest.receipts import InstallReceipt
from spackmon.ingest.rows import Statement
from spackmon.ingest.sources import add_source, find_source, touch_source
from spackmon.ingest.specs import get_or_create_packages, store_graph
from spackmon.models import utc_now

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

_FIND_BUILD = Statement(
    """
    SELECT id FROM build
    WHERE spec_id = :spec_id AND environment_id = :environment_id AND owner_id = :owner_id
    {lock}
    """,
    lock="FOR NO KEY UPDATE",
)

_INSERT_ATTEMPT = Statement(
    """
    INSERT INTO attempt (
        build_id, number, status, started_at, finished_at, duration_seconds, spack_version, spack_revision
    )
    SELECT CAST(:build_id AS bigint), (SELECT count(*) + 1 FROM attempt a WHERE a.build_id = :build_id),
        :status, :started_at, :finished_at, :duration_seconds, :spack_version, :spack_revision
    RETURNING id
    """
)

_REPEAT_NEWEST_ATTEMPT = Statement(
    """
    UPDATE build SET updated_at = :now,
        status = (SELECT a.status FROM attempt a WHERE a.build_id = build.id ORDER BY a.number DESC LIMIT 1),
        duration_seconds = (
            SELECT a.duration_seconds FROM attempt a WHERE a.build_id = build.id
            ORDER BY a.number DESC LIMIT 1
        )
    WHERE id = :build_id
    """
)


def apply_install(
    connection: Connection, report: InstallReport, person_id: int, *, across_owners: bool = False
) -> InstallReceipt:
    """Add what a report tells to the attempt that it is about, which may be a new one of a new build."""
    now = utc_now()
    spec_id, spec_hash, package_id, specs_created = _spec(connection, report)
    environment = report.environment or NOTHING_TOLD
    environment_id, _ = get_or_create_environment(connection, environment)
    create_tags(connection, report.tags)
    events = group_errors(connection, report.events)
    known = find_source(connection, report.source, person_id, across_owners)
    build_created = attempt_created = False
    told = facts_of(report, now)
    if known is not None:
        source_id, build_id, attempt_id = known
        changed = complete_attempt(connection, attempt_id, told)
    else:
        key = {"spec_id": spec_id, "environment_id": environment_id, "owner_id": person_id}
        created = _INSERT_BUILD.run(connection, **key, package_id=package_id, status=told.status, now=now)
        build_created = bool(created)
        build_id = (created or _FIND_BUILD.run(connection, **key))[0].id
        attempt_id = _INSERT_ATTEMPT.run(connection, build_id=build_id, **dataclasses.asdict(told))[0].id
        attempt_created = changed = True
        if build_created and spec_id is not None:
            add_package_versions(connection, build_id, spec_id)
        unknown_hash = report.spec_hash if spec_id is None else None
        add_source(connection, report.source, person_id, (build_id, attempt_id), unknown_hash, now)
    phases_created, phases_changed = complete_phases(connection, attempt_id, report)
    events_created = add_events(connection, attempt_id, events)
    build_changed = complete_build(connection, build_id, report, package_id)
    tagged = tag_build(connection, build_id, report.tags)
    changed = changed or phases_changed or build_changed or tagged or events_created > 0
    if changed:
        _REPEAT_NEWEST_ATTEMPT.run(connection, build_id=build_id, now=now)
        if known is not None:
            touch_source(connection, source_id, None, now)
    return InstallReceipt(
        build_id=build_id, build_created=build_created, attempt_created=attempt_created, changed=changed,
        spec_hash=spec_hash, specs_created=specs_created, phases_created=phases_created,
        events_created=events_created,
    )  # fmt: skip


def _spec(connection: Connection, report: InstallReport) -> tuple[int | None, str | None, int | None, int]:
    """The spec's id and hash if it is known, its package, and how many specs are new."""
    specs_created = 0
    package_name = report.package_name
    if report.graph is not None:
        stored = store_graph(connection, report.graph, report.spack_version)
        root = report.graph.nodes[report.graph.root]
        package_id = _PACKAGE_ID.run(connection, name=root.name)[0].id
        return stored.spec_id, root.hash, package_id, stored.created_count
    if report.spec_hash is not None:
        found = find_spec(connection, report.spec_hash)
        if found is not None:
            return found.id, found.hash, found.package_id, 0
    if package_name is None:
        return None, None, None, specs_created
    get_or_create_packages(connection, {package_name})
    return None, None, _PACKAGE_ID.run(connection, name=package_name)[0].id, specs_created
