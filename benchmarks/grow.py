"""A loaded site becomes several times as large within its database: every spec and build is copied.

Reporting 600,000 specs would take most of an hour. A copy has the graph, the versions and the parameters of
what it was copied from and hashes of its own, so that every share stays as it was: a package version that
half of the builds contain is in half of them again. Only the sharing of specs between a copy and another is
missing, and a hash's first characters name one spec of each copy. What sites hold once (packages, versions,
compilers, machines, tags, people) is not copied.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, LargeBinary, cast, func, insert, literal, select, text

from benchmarks.load import set_sequences, tidy
from spackmon import models
from spackmon.database import Database

_SPEC, _BUILD, _ATTEMPT = models.Spec.__table__, models.Build.__table__, models.Attempt.__table__

# In the order of their references.
_COPIED: tuple[Any, ...] = (
    _SPEC, models.SpecHash.__table__, models.SpecDocument.__table__, models.SpecCompiler.__table__,
    models.Dependency.__table__, models.ProvidedVirtual.__table__, models.Closure.__table__,
    models.EnvironmentSet.__table__, models.EnvironmentVariable.__table__, models.Manifest.__table__,
    models.InstallFile.__table__, models.Log.__table__, models.LogChunk.__table__,
    _BUILD, _ATTEMPT, models.attempt_tag, models.Phase.__table__, models.Claim.__table__,
    models.ClaimPhase.__table__, models.BuildEvent.__table__, models.Analysis.__table__,
    models.Attribute.__table__, models.BuildPackageVersion.__table__,
)  # fmt: skip
# References without a foreign key.
_DERIVED: Mapping[Any, Any] = {
    models.Closure.__table__.c.ancestor_id: _SPEC,
    models.Closure.__table__.c.descendant_id: _SPEC,
    models.BuildPackageVersion.__table__.c.build_id: _BUILD,
    models.Claim.__table__.c.client_build_id: _BUILD,
    _BUILD.c.newest_attempt_id: _ATTEMPT,
}
_HASHES = frozenset({_SPEC.c.hash, models.SpecHash.__table__.c.value})
_DIGESTS = frozenset(
    model.__table__.c.digest for model in (models.EnvironmentSet, models.Manifest, models.Log)
)
# The last two become the copy's number: it begins with 0 or 1, which are not in a hash's alphabet.
_UNCHANGED_CHARACTERS = 30


def grow(database: Database, factor: int) -> None:
    """Make a database that `load` filled `factor` times as large, up to 20."""
    highest = database.read_once(_highest_ids)
    for table in _COPIED:
        database.write(partial(_copy, table=table, highest=highest, factor=factor))
    database.write(lambda connection: set_sequences(connection, _COPIED))
    tidy(database)


def _highest_ids(connection: Connection) -> dict[Any, int]:
    return {
        table: connection.execute(select(func.max(table.c.id))).scalar_one()
        for table in _COPIED
        if "id" in table.c
    }


def _copy(connection: Connection, table: Any, highest: Mapping[Any, int], factor: int) -> None:
    if connection.dialect.name == "postgresql":
        # Every reference holds because it held in what is copied; checking each costs more than writing it.
        connection.execute(text("SET LOCAL session_replication_role = replica"))
    reference, referred = next(
        (column, found) for column in table.primary_key if (found := _referred(column)) in highest
    )
    for copy in range(1, factor):
        values = [_copied(column, copy, highest) for column in table.c]
        original = select(*values).where(reference <= highest[referred]).order_by(*table.primary_key)
        connection.execute(insert(table).from_select([column.name for column in table.c], original))


def _copied(column: Any, copy: int, highest: Mapping[Any, int]) -> ColumnElement[Any]:
    if column in _HASHES:
        return func.substr(column, 1, _UNCHANGED_CHARACTERS).concat(f"{copy:02}")
    if column in _DIGESTS:
        # SQLite's `||` makes text even of two blobs.
        return cast(column.concat(literal(bytes([copy]), LargeBinary)), LargeBinary)
    if column is models.Claim.__table__.c.key:
        return column.concat(f"/{copy}")
    referred = _referred(column)
    value: ColumnElement[Any] = column
    return value + copy * highest[referred] if referred in highest else value


def _referred(column: Any) -> Any:
    """The table whose ids a column holds, its own for its id; None if it holds none."""
    if column.name == "id":
        return column.table
    foreign = next(iter(column.foreign_keys), None)
    return foreign.column.table if foreign is not None else _DERIVED.get(column)
