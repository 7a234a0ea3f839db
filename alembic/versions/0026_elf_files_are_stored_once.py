"""What the loader reads of an ELF file is stored once, however many builds have it, and so are symbols."""

import hashlib

import sqlalchemy as sa
from alembic import op

from spackmon.abi.reader.packed import Packed, joined, split
from spackmon.models.columns import RowId

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_ROWS_AT_ONCE = 100
_NEXT = sa.text(
    """
    SELECT t.id, t.binary_value FROM attribute t JOIN analysis a ON a.id = t.analysis_id
    WHERE a.analyzer = 'elf' AND t.binary_value IS NOT NULL AND t.id > :after ORDER BY t.id LIMIT :rows
    """
)
_REFER = sa.text("UPDATE attribute SET elf_file_id = :file, binary_value = NULL WHERE id = :id")
_INSERT_SET = sa.text("INSERT INTO symbol_set (digest, content) VALUES (:digest, :content) RETURNING id")
_INSERT_FILE = sa.text(
    "INSERT INTO elf_file (digest, symbol_set_id, head) VALUES (:digest, :symbols, :head) RETURNING id"
)


def upgrade() -> None:
    op.create_table(
        "symbol_set",
        sa.Column("id", RowId, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_symbol_set")),
        sa.UniqueConstraint("digest", name=op.f("uq_symbol_set_digest")),
    )
    op.create_table(
        "elf_file",
        sa.Column("id", RowId, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("symbol_set_id", RowId, nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["symbol_set_id"], ["symbol_set.id"], name=op.f("fk_elf_file_symbol_set_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_elf_file")),
        sa.UniqueConstraint("digest", name=op.f("uq_elf_file_digest")),
    )
    op.create_index(op.f("ix_elf_file_symbol_set_id"), "elf_file", ["symbol_set_id"])
    with op.batch_alter_table("attribute") as table:
        table.add_column(sa.Column("elf_file_id", RowId, nullable=True))
        table.create_foreign_key(op.f("fk_attribute_elf_file_id"), "elf_file", ["elf_file_id"], ["id"])
    op.create_index(op.f("ix_attribute_elf_file_id"), "attribute", ["elf_file_id"])
    _move(op.get_bind())


def _move(connection: sa.Connection) -> None:
    """What no packed file is, stays; each file is unpacked once, whoever has it."""
    sets: dict[bytes, int] = {}
    files: dict[bytes, int] = {}
    after = 0
    while rows := connection.execute(_NEXT, {"after": after, "rows": _ROWS_AT_ONCE}).all():
        for row in rows:
            parts = _parts(row.binary_value)
            if parts is not None:
                file = _file_of(connection, parts, sets, files)
                connection.execute(_REFER, {"file": file, "id": row.id})
        after = rows[-1].id


def _parts(content: bytes) -> Packed | None:
    try:
        return split(content)
    except ValueError:
        return None


def _file_of(
    connection: sa.Connection, parts: Packed, sets: dict[bytes, int], files: dict[bytes, int]
) -> int:
    of_symbols, digest = _digest(parts.symbols), _digest(joined(parts))
    if of_symbols not in sets:
        values = {"digest": of_symbols, "content": parts.symbols}
        sets[of_symbols] = connection.execute(_INSERT_SET, values).scalar_one()
    if digest not in files:
        file = {"digest": digest, "symbols": sets[of_symbols], "head": parts.head}
        files[digest] = connection.execute(_INSERT_FILE, file).scalar_one()
    return files[digest]


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
