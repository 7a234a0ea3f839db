"""Hashes of a spec's document are packed with it, and what it refers to is numbered in four bytes."""

from collections.abc import Callable, Mapping

import sqlalchemy as sa
from alembic import op

from spackmon.graph.packed_claims import pack, unpack
from spackmon.ops.replacing import Replacing
from spackmon.ops.rewriting import Repacked, Rewriting, columns, ranges

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None

# The columns that are copied are there since then.
ahead_from = "0050"

_AT_ONCE = 2_000
_PACKED = """
    SELECT id, packed, dictionary, hashes, package_hash FROM spec_document WHERE packed IS NOT NULL AND {}
"""
_UPDATE = sa.text(
    "UPDATE spec_document SET packed = :packed, hashes = NULL, package_hash = NULL WHERE id = :id"
)
_INDEX, _NOT_PACKED = "ix_spec_document_not_packed", "packed IS NULL"
_DOCUMENT = Replacing(
    "spec_document",
    columns(
        "int: spec_id! package_version_id! compiler_id architecture_id! parameter_set_id! characters;"
        " short: format_version! dictionary; is: states_all_edges!; bytes: digest! packed;"
        " text: namespace package_hash spack_version; json: document hashes edges external; text: built_as"
    ),
    {
        "pk_spec_document": "(id)",
        "uq_spec_document_spec_id_digest": "(spec_id, digest)",
        _INDEX: f"(id) WHERE {_NOT_PACKED}",
    },
    {
        "spec_id": "spec", "package_version_id": "package_version", "compiler_id": "compiler",
        "architecture_id": "architecture", "parameter_set_id": "parameter_set",
    },
    "integer",
    {
        "packed": "repacked",
        **{name: f"CASE WHEN packed IS NULL THEN {name} END" for name in ("hashes", "package_hash")},
    },
)  # fmt: skip


def _with_hashes(
    connection: sa.Connection, which: str, values: Mapping[str, object]
) -> list[tuple[int, bytes]]:
    """The numbers of documents that are packed, with these as they are kept from now on."""
    rows = connection.execute(sa.text(_PACKED.format(which)), values)
    return [(row.id, pack(*unpack(row.packed, row.dictionary), row.hashes, row.package_hash)) for row in rows]


_REWRITING = Rewriting("documents", (Repacked(_DOCUMENT, "id", "spec_document", _with_hashes),))


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Write documents anew beside the old ones."""
    _REWRITING.ahead(connection, tell)


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        _REWRITING.put(connection)
        return
    op.drop_index(_INDEX, "spec_document")
    with op.batch_alter_table("spec_document") as table:
        table.alter_column("hashes", nullable=True)
    where = sa.text(_NOT_PACKED)
    op.create_index(_INDEX, "spec_document", ["id"], sqlite_where=where)
    for last, after in ranges(connection, "spec_document", _AT_ONCE):
        if found := _with_hashes(connection, "id > :last AND id <= :after", {"last": last, "after": after}):
            connection.execute(_UPDATE, [{"id": one, "packed": packed} for one, packed in found])
