"""What could not be concretized, from a client's document or from the texts that other sources have."""

import hashlib
from datetime import datetime

from sqlalchemy import Connection

from spackmon.graph.requests import request_of
from spackmon.graph.versions import version_key
from spackmon.ingest.receipts import ConcretizationFailureReceipt
from spackmon.ingest.rows import Statement
from spackmon.ingest.tables.audiences import OF_OWNER
from spackmon.ingest.tables.dimensions import get_or_create_packages
from spackmon.submission import ConcretizationFailureReport

_INSERT = Statement(
    f"""
    INSERT INTO concretization_failure (
        package_id, owner_id, spack_version, digest, document, abstract_spec, message, version, version_key,
        compiler, compiler_name, compiler_key, operating_system, target, audience_id, reported_at
    )
    VALUES (
        (SELECT p.id FROM package p WHERE p.name = :name), :owner_id, :spack_version, :digest, :document,
        :abstract_spec, :message, :version, :version_key, :compiler, :compiler_name, :compiler_key,
        :operating_system, :target, {OF_OWNER}, :now
    )
    ON CONFLICT DO NOTHING
    RETURNING id
    """  # noqa: S608 -- of our own constants
)


def apply_concretization_failure(
    connection: Connection, report: ConcretizationFailureReport, owner_id: int, now: datetime
) -> ConcretizationFailureReceipt:
    """Keep what could not be concretized; the same again from the same person and Spack is no change."""
    if report.name is not None:
        get_or_create_packages(connection, {report.name})
    asked = request_of(report.document, report.abstract_spec, report.spack_version)
    rows = _INSERT.run(
        connection, name=report.name, owner_id=owner_id, spack_version=report.spack_version,
        digest=digest_of(report), document=report.document, abstract_spec=report.abstract_spec,
        message=report.message, version=asked.version, version_key=_key(asked.version),
        compiler=asked.compiler, compiler_name=asked.compiler_name,
        compiler_key=None if asked.compiler is None else version_key(asked.compiler_version or ""),
        operating_system=asked.operating_system, target=asked.target, now=now,
    )  # fmt: skip
    return ConcretizationFailureReceipt(created=bool(rows), name=report.name)


def _key(version: str | None) -> bytes | None:
    return None if version is None else version_key(version)


def digest_of(report: ConcretizationFailureReport) -> bytes:
    """What tells a failure from others of the same person and Spack."""
    content = report.document
    if content is None:
        content = f"{report.abstract_spec or ''}\0{report.message or ''}"
    return hashlib.sha1(content.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()
