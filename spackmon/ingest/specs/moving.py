"""Two specs that turn out to be one: what refers to the one is led to the other."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Column, Connection, Table

from spackmon.ingest.locks import lock_packages
from spackmon.ingest.rows import Statement, over_rows
from spackmon.ingest.runs.resolution import settle_moved
from spackmon.ingest.tables import builds
from spackmon.ingest.tables.audiences import lead_specs
from spackmon.ingest.tables.closure_pairs import forget_pairs
from spackmon.ingest.tables.spec_hashes import forget_hashes
from spackmon.models import (
    Base,
    Closure,
    Dependency,
    OtherCompiler,
    ProvidedVirtual,
    Spec,
    SpecDocument,
    SpecHash,
    utc_now,
)

DERIVED = (Closure, Dependency, OtherCompiler, ProvidedVirtual, SpecHash)
"""Tables whose rows follow from documents, and are written anew."""

_FORGET = [
    over_rows("id bigint", f"DELETE FROM {table} WHERE {column} IN (SELECT i.id FROM {{input}} i)")  # noqa: S608
    for table, column in (
        ("dependency", "parent_id"), ("dependency", "child_id"), ("provided_virtual", "spec_id"),
        ("provided_virtual", "child_id"), ("other_compiler", "spec_id"),
    )
]  # fmt: skip

_BUILDS = Statement(
    """
    SELECT b.id, b.package_id, b.owner_id, (
        SELECT theirs.id FROM build theirs WHERE theirs.spec_id = :new_id
            AND theirs.environment_id = b.environment_id AND theirs.owner_id = b.owner_id
    ) AS same_id
    FROM build b WHERE b.spec_id = :old_id
    ORDER BY b.id
    """
)

_CLAIMS = Statement("SELECT id, package_id FROM claim WHERE spec_id = :old_id ORDER BY id")

_FIRST_RECORDED = Statement(
    """
    UPDATE spec SET recorded_at = (SELECT o.recorded_at FROM spec o WHERE o.id = :old_id)
    WHERE id = :new_id AND recorded_at > (SELECT o.recorded_at FROM spec o WHERE o.id = :old_id)
    """
)

_END = over_rows("id bigint", "DELETE FROM spec WHERE id IN (SELECT i.id FROM {input} i)")


def references() -> list[tuple[Table, Column[Any]]]:
    """Every column that refers to a spec, but for those of documents and of what follows from them."""
    own = {model.__tablename__ for model in (SpecDocument, *DERIVED)}
    spec_id: Any = Spec.__table__.c.id
    return [
        (table, column)
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if column.references(spec_id) and table.name not in own
    ]


def forget_derived(connection: Connection, spec_ids: Iterable[int]) -> None:
    """Delete what follows from the documents of some specs, whose documents are other specs' now."""
    rows = sorted((spec_id,) for spec_id in spec_ids)
    forget_pairs(connection, [spec_id for (spec_id,) in rows])
    forget_hashes(connection, [spec_id for (spec_id,) in rows])
    for statement in _FORGET:
        statement.run(connection, rows)


def end_specs(connection: Connection, ended: Mapping[int, int]) -> None:
    """Lead what refers to specs that are no more to those that they are now; nothing follows from them.

    What ran follows from claims, whose specs agree now: their runs are derived anew.
    """
    claims: list[int] = []
    for old_id, new_id in sorted(ended.items()):
        _FIRST_RECORDED.run(connection, old_id=old_id, new_id=new_id)
        rows = _CLAIMS.run(connection, old_id=old_id)
        lock_packages(connection, [row.package_id for row in rows])
        claims += [row.id for row in rows]
        _join_same_builds(connection, old_id, new_id)
        for statement in _MOVES:
            statement.run(connection, old_id=old_id, new_id=new_id)
    lead_specs(connection, ended)
    _END.run(connection, sorted((spec_id,) for spec_id in ended))
    for claim_id in claims:
        settle_moved(connection, claim_id, utc_now())


def _join_same_builds(connection: Connection, old_id: int, new_id: int) -> None:
    """A build is one for each spec, machine and owner: those of both specs become one, the older number."""
    now = utc_now()
    for build in _BUILDS.run(connection, old_id=old_id, new_id=new_id):
        if build.same_id is not None:
            older_id, newer_id = sorted((build.id, build.same_id))
            builds.join_builds(connection, older_id, newer_id, now)


_MOVES = [
    Statement(f"UPDATE {table.name} SET {column.name} = :new_id WHERE {column.name} = :old_id")  # noqa: S608
    for table, column in references()
]
