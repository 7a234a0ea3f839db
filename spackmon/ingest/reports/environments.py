"""Environments of Spack, from their lock files."""

import hashlib
import json
from datetime import datetime

from sqlalchemy import Connection

from spackmon.ingest.receipts import EnvironmentReceipt
from spackmon.ingest.rows import Statement, over_rows
from spackmon.ingest.tables.audiences import OF_OWNER
from spackmon.submission import EnvironmentReport

_ADD_ENVIRONMENT = Statement(
    """
    INSERT INTO spack_environment (owner_id, name, created_at) VALUES (:owner_id, :name, :now)
    ON CONFLICT DO NOTHING
    """
)
_FIND_ENVIRONMENT = Statement("SELECT id FROM spack_environment WHERE owner_id = :owner_id AND name = :name")
_ADD_LOCK_FILE = Statement(
    f"""
    INSERT INTO lock_file (environment_id, digest, version, spack_version, audience_id, reported_at)
    VALUES (:environment_id, :digest, :version, :spack_version, {OF_OWNER}, :now)
    ON CONFLICT DO NOTHING
    RETURNING id
    """  # noqa: S608 -- of our own constants
)
_FIND_LOCK_FILE = Statement(
    "SELECT id FROM lock_file WHERE environment_id = :environment_id AND digest = :digest"
)
_ADD_ROOTS = over_rows(
    "lock_file_id bigint, position integer, abstract_spec text, spec_hash text, group_name text, "
    "included_from text",
    """
    INSERT INTO lock_file_root
        (lock_file_id, position, abstract_spec, spec_hash, group_name, included_from)
    SELECT i.lock_file_id, i.position, i.abstract_spec, i.spec_hash, i.group_name, i.included_from
    FROM {input} i
    """,
)
# A spec may be reported after the environment that has it.
_FIND_SPECS = Statement(
    """
    UPDATE lock_file_root SET spec_id = (
        SELECT s.id FROM spec s WHERE s.hash = lock_file_root.spec_hash ORDER BY s.hash_kind LIMIT 1
    )
    WHERE lock_file_id = :lock_file_id AND spec_id IS NULL
    """
)


def apply_environment(
    connection: Connection, report: EnvironmentReport, owner_id: int, now: datetime
) -> EnvironmentReceipt:
    """Keep what an environment became; the same again from the same person is no change."""
    _ADD_ENVIRONMENT.run(connection, owner_id=owner_id, name=report.name, now=now)
    (environment,) = _FIND_ENVIRONMENT.run(connection, owner_id=owner_id, name=report.name)
    digest = _digest(report)
    added = _ADD_LOCK_FILE.run(
        connection, environment_id=environment.id, digest=digest, version=report.lock_file_version,
        spack_version=report.spack_version, owner_id=owner_id, now=now,
    )  # fmt: skip
    if added:
        rows = [
            (added[0].id, position, root.abstract_spec, root.spec_hash, root.group, root.included_from)
            for position, root in enumerate(report.roots)
        ]
        _ADD_ROOTS.run(connection, rows)
    (lock_file,) = added or _FIND_LOCK_FILE.run(connection, environment_id=environment.id, digest=digest)
    _FIND_SPECS.run(connection, lock_file_id=lock_file.id)
    return EnvironmentReceipt(created=bool(added), name=report.name)


def _digest(report: EnvironmentReport) -> bytes:
    roots = [(root.abstract_spec, root.spec_hash, root.group, root.included_from) for root in report.roots]
    return hashlib.sha256(json.dumps([report.lock_file_version, roots]).encode()).digest()
