"""Builds: one for each spec, environment and owner, whoever of several clients posts it first."""

import dataclasses

from sqlalchemy import Connection

from spackmon.errors import Refused
from spackmon.formats.submission import BuildReport, Environment
from spackmon.ingest.receipts import BuildReceipt
from spackmon.ingest.rows import Statement, over_rows
from spackmon.ingest.specs import store_graph
from spackmon.models import utc_now
from spackmon.status import BuildStatus

# A hash string may name several specs: 0.16 and 0.17 have one `hash` for several `full_hash`es.
_FIND_SPEC = Statement(
    """
    SELECT s.id, s.hash, p.name
    FROM spec_hash h
    JOIN spec s ON s.id = h.spec_id
    JOIN package_version v ON v.id = s.package_version_id
    JOIN package p ON p.id = v.package_id
    WHERE h.value = :value AND (:spec_id = 0 OR s.id = :spec_id)
    ORDER BY CASE WHEN h.kind = s.hash_kind THEN 0 ELSE 1 END, s.id DESC
    LIMIT 1
    """
)

_FIND_ENVIRONMENT = Statement(
    """
    SELECT id FROM build_environment
    WHERE hostname = :hostname AND platform = :platform AND operating_system = :operating_system
        AND target = :target AND kernel_version = :kernel_version
    """
)

_INSERT_ENVIRONMENT = Statement(
    """
    INSERT INTO build_environment (hostname, platform, operating_system, target, kernel_version)
    VALUES (:hostname, :platform, :operating_system, :target, :kernel_version)
    ON CONFLICT DO NOTHING
    RETURNING id
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
    WHERE true
    ORDER BY t.id
    ON CONFLICT DO NOTHING
    """,
)


def apply_build(connection: Connection, report: BuildReport, owner_id: int) -> BuildReceipt:
    """Get or create a build, and announce its re-run if it is one.

    Raises Refused SPEC_UNKNOWN.
    """
    spec_id, spec_hash, spec_name = _find_spec(connection, report)
    environment_id, environment_created = _environment(connection, report.environment)
    # Tags before the build: the order of tables in which every transaction takes its locks.
    tags = sorted({(tag,) for tag in report.tags})
    _TAGS.run(connection, tags)
    key = {"spec_id": spec_id, "environment_id": environment_id, "owner_id": owner_id}
    created = _INSERT_BUILD.run(connection, **key, status=BuildStatus.NOTRUN.value, now=utc_now())
    if created:
        build_id = created[0].id
        _begin(connection, build_id, spec_id, report.spack_version)
    else:
        build = _FIND_BUILD.run(connection, **key)[0]
        build_id = build.id
        begun = build.status != BuildStatus.NOTRUN
        if report.announces_run and begun and not build.rerun_announced:
            _ANNOUNCE_RERUN.run(connection, build_id=build_id, now=utc_now())
    _TAG_BUILD.run(connection, tags, build_id=build_id)
    return BuildReceipt(build_id, bool(created), environment_created, spec_hash, report.spec_hash, spec_name)


def _find_spec(connection: Connection, report: BuildReport) -> tuple[int, str, str]:
    stored_id = 0
    if report.graph is not None:
        root_id = store_graph(connection, report.graph, report.spack_version).spec_id
        root = report.graph.nodes[report.graph.root]
        # The graph says which of several specs with this hash is meant.
        if any(value == report.spec_hash for _, value in root.hashes):
            stored_id = root_id
    found = _FIND_SPEC.run(connection, value=report.spec_hash, spec_id=stored_id)
    if not found:
        raise Refused(
            "SPEC_UNKNOWN", 404, f"no spec has the hash {report.spec_hash!r}: post it to specs/new/ first"
        )
    return found[0].id, found[0].hash, found[0].name


def _environment(connection: Connection, environment: Environment) -> tuple[int, bool]:
    values = dataclasses.asdict(environment)
    found = _FIND_ENVIRONMENT.run(connection, **values)
    if found:
        return found[0].id, False
    created = _INSERT_ENVIRONMENT.run(connection, **values)
    if created:
        return created[0].id, True
    return _FIND_ENVIRONMENT.run(connection, **values)[0].id, False


def _begin(connection: Connection, build_id: int, spec_id: int, spack_version: str) -> None:
    _INSERT_ATTEMPT.run(
        connection, build_id=build_id, status=BuildStatus.NOTRUN.value, spack_version=spack_version,
        now=utc_now(),
    )  # fmt: skip
    _PACKAGE_VERSIONS_BELOW.run(connection, build_id=build_id, spec_id=spec_id)
