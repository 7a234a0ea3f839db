"""Builds: one for each spec, environment and owner, whoever of several clients posts it first."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from spackmon.errors import Refused
from spackmon.formats.submission import BuildReport, Environment
from spackmon.ingest.environments import completed_environment, get_or_create_environment
from spackmon.ingest.linking import add_package_versions, complete_environment, link_waiting, where_of
from spackmon.ingest.locks import lock_builds
from spackmon.ingest.matching import Where, builds_of_known_spec, runs_of
from spackmon.ingest.receipts import BuildReceipt
from spackmon.ingest.rows import Statement, over_rows
from spackmon.ingest.sources import ms1_source
from spackmon.ingest.specs import store_graph
from spackmon.models import utc_now
from spackmon.status import BuildStatus

# A hash string may name several specs: 0.16 and 0.17 have one `hash` for several `full_hash`es.
_FIND_SPEC = Statement(
    """
    SELECT s.id, s.hash, p.name, p.id AS package_id
    FROM spec_hash h
    JOIN spec s ON s.id = h.spec_id
    JOIN package_version v ON v.id = s.package_version_id
    JOIN package p ON p.id = v.package_id
    WHERE h.value = :value AND (:spec_id = 0 OR s.id = :spec_id)
    ORDER BY CASE WHEN h.kind = s.hash_kind THEN 0 ELSE 1 END, s.id DESC
    LIMIT 1
    """
)

_INSERT_BUILD = Statement(
    """
    INSERT INTO build
        (spec_id, package_id, environment_id, owner_id, status, rerun_announced, created_at, updated_at)
    SELECT s.id, v.package_id, :environment_id, :owner_id, :status, false, :now, :now
    FROM spec s JOIN package_version v ON v.id = s.package_version_id
    WHERE s.id = :spec_id
    ON CONFLICT DO NOTHING
    RETURNING id
    """
)

_UNDO_BEGIN = [
    Statement(f"DELETE FROM {table} WHERE {column} = :build_id")  # noqa: S608 -- of our own constants
    for table, column in (
        ("build_source", "build_id"),
        ("attempt", "build_id"),
        ("build_package_version", "build_id"),
        ("build", "id"),
    )
]

_FIND_BUILD = Statement(
    """
    SELECT id, status, rerun_announced FROM build
    WHERE spec_id = :spec_id AND environment_id = :environment_id AND owner_id = :owner_id
    {lock}
    """,
    lock="FOR NO KEY UPDATE",
)

_INSERT_ATTEMPT = Statement(
    """
    INSERT INTO attempt (build_id, number, status, spack_version, started_at)
    VALUES (:build_id, 1, :status, :spack_version, :now)
    RETURNING id
    """
)

# Says with it whether another source had told of the same spec: hardly ever, and then there is more to do.
_INSERT_SOURCE = Statement(
    """
    INSERT INTO build_source (
        build_id, attempt_id, owner_id, kind, key, first_reported_at, last_reported_at
    )
    VALUES (:build_id, :attempt_id, :owner_id, 'MS1', :key, :now, :now)
    RETURNING (
        SELECT count(*) FROM build b
        WHERE b.spec_id = :spec_id AND b.owner_id = :owner_id AND b.id <> :build_id
    ) AS others
    """
)

_ANNOUNCE_RERUN = Statement("UPDATE build SET rerun_announced = true, updated_at = :now WHERE id = :build_id")

_TAGS = over_rows(
    "name text",
    """
    INSERT INTO tag (name)
    SELECT i.name FROM {input} i
    WHERE NOT EXISTS (SELECT 1 FROM tag t WHERE t.name = i.name)
    ORDER BY i.name
    ON CONFLICT DO NOTHING
    """,
)

_TAG_BUILD = over_rows(
    "name text",
    """
    INSERT INTO build_tag (build_id, tag_id)
    SELECT CAST(:build_id AS bigint), t.id FROM {input} i JOIN tag t ON t.name = i.name
    WHERE NOT EXISTS (SELECT 1 FROM build_tag b WHERE b.build_id = :build_id AND b.tag_id = t.id)
    ORDER BY t.id
    ON CONFLICT DO NOTHING
    RETURNING tag_id
    """,
)


def apply_build(connection: Connection, report: BuildReport, owner_id: int) -> BuildReceipt:
    """Get or create a build, and announce its re-run if it is one.

    Raises Refused SPEC_UNKNOWN.
    """
    spec = _find_spec(connection, report)
    environment_id, environment_created = get_or_create_environment(connection, report.environment)
    # Tags before the build: the order of tables in which every transaction takes its locks.
    create_tags(connection, report.tags)
    key = {"spec_id": spec.id, "environment_id": environment_id, "owner_id": owner_id}
    now = utc_now()
    created = _INSERT_BUILD.run(
        connection, **key, package_id=spec.package_id, status=BuildStatus.NOTRUN.value, now=now
    )
    is_new = bool(created)
    if created and _begin(connection, created[0].id, key, report.spack_version, now):
        is_new = not _give_way(connection, created[0].id, key, report.environment, now)
    build = created[0] if is_new else _FIND_BUILD.run(connection, **key)[0]
    begun = not is_new and build.status != BuildStatus.NOTRUN
    if begun and report.announces_run and not build.rerun_announced:
        _ANNOUNCE_RERUN.run(connection, build_id=build.id, now=now)
    tag_build(connection, build.id, report.tags)
    return BuildReceipt(build.id, is_new, environment_created, spec.hash, report.spec_hash, spec.name)


def _find_spec(connection: Connection, report: BuildReport) -> Row[*tuple[Any, ...]]:
    stored_id = 0
    if report.graph is not None:
        stored = store_graph(connection, report.graph, report.spack_version)
        link_waiting(connection, stored.waiting, utc_now())
        root = report.graph.nodes[report.graph.root]
        # The graph says which of several specs with this hash is meant.
        if any(value == report.spec_hash for _, value in root.hashes):
            stored_id = stored.spec_id
    found = find_spec(connection, report.spec_hash, stored_id)
    if found is None:
        raise Refused(
            "SPEC_UNKNOWN", 404, f"no spec has the hash {report.spec_hash!r}: post it to specs/new/ first"
        )
    return found


def find_spec(connection: Connection, shown_hash: str, spec_id: int = 0) -> Row[*tuple[Any, ...]] | None:
    """The spec that a client means by a hash: its `id`, `hash`, `name` and `package_id`.

    `spec_id` says which it is, if it has that hash.
    """
    found = _FIND_SPEC.run(connection, value=shown_hash, spec_id=spec_id)
    return found[0] if found else None


def create_tags(connection: Connection, tags: Iterable[str]) -> None:
    """Make sure that there are these tags; before a build is locked, as every transaction does."""
    _TAGS.run(connection, sorted({(tag,) for tag in tags}))


def tag_build(connection: Connection, build_id: int, tags: Iterable[str]) -> bool:
    """Give tags, which exist, to a build; whether it lacked one."""
    return bool(_TAG_BUILD.run(connection, sorted({(tag,) for tag in tags}), build_id=build_id))


def _begin(
    connection: Connection, build_id: int, key: Mapping[str, int], spack_version: str, now: datetime
) -> bool:
    """Begin the first attempt of a new build; whether its owner has other builds of the spec."""
    attempt = _INSERT_ATTEMPT.run(
        connection, build_id=build_id, status=BuildStatus.NOTRUN.value, spack_version=spack_version, now=now
    )
    source = _INSERT_SOURCE.run(
        connection, build_id=build_id, attempt_id=attempt[0].id, owner_id=key["owner_id"],
        spec_id=key["spec_id"], key=ms1_source(build_id, 1).key, now=now,
    )  # fmt: skip
    add_package_versions(connection, build_id, key["spec_id"])
    return bool(source[0].others)


def _give_way(
    connection: Connection, build_id: int, key: Mapping[str, int], environment: Environment, now: datetime
) -> bool:
    """Make another source's build this one, if it is the same as far as that source told; whether it is."""
    where = Where(environment, False, key["owner_id"])
    for other in builds_of_known_spec(connection, key["spec_id"], where):
        if other.id == build_id:
            continue
        lock_builds(connection, [other.id])
        known = where_of(connection, runs_of(connection, [other.id]))
        both = completed_environment(known.environment, known.no_machine, environment, told_no_machine=False)
        if both == environment:
            for statement in _UNDO_BEGIN:
                statement.run(connection, build_id=build_id)
            complete_environment(connection, other.id, environment, no_machine=False, now=now)
            return True
    return False
