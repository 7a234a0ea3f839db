"""Results of analyzers have a kind, a size, a digest and a moment; the earlier ones stay beside them."""

import hashlib

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, JsonText, RowId, UtcDateTime

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_ROWS_AT_ONCE = 100
_HASHED = sa.text("hash IS NOT NULL")
_NEW = ("kind", ByteOrderedText), ("size_bytes", RowId), ("digest", sa.LargeBinary()), (
    "reported_at", UtcDateTime(),
)  # fmt: skip
_SOME = sa.text(
    "SELECT id, value, binary_value, json_value FROM attribute WHERE id > :last AND elf_file_id IS NULL"
    " ORDER BY id LIMIT :most"
)
_REPORTED = "reported_at = (SELECT a.reported_at FROM analysis a WHERE a.id = analysis_id)"
_PUT = sa.text(
    f"""
    UPDATE attribute SET kind = :kind, size_bytes = :size, digest = :digest, {_REPORTED} WHERE id = :id
    """  # noqa: S608 -- of our own constants
)
# SQLite has no SHA-256; elsewhere nobody waits until each value was in Python and back.
_PUT_ALL = sa.text(
    f"""
    UPDATE attribute SET kind = c.kind, size_bytes = length(c.content), digest = sha256(c.content),
        {_REPORTED}
    FROM (
        SELECT id,
            CASE WHEN binary_value IS NOT NULL THEN 'BINARY' WHEN value IS NULL THEN 'JSON' ELSE 'TEXT' END
                AS kind,
            COALESCE(binary_value, convert_to(COALESCE(json_value, value, ''), 'UTF8')) AS content
        FROM attribute WHERE elf_file_id IS NULL
    ) c
    WHERE attribute.id = c.id
    """  # noqa: S608 -- as above
)
_PUT_ELF = sa.text(
    f"""
    UPDATE attribute SET kind = 'ELF', {_REPORTED},
        digest = (SELECT f.digest FROM elf_file f WHERE f.id = elf_file_id),
        size_bytes = (
            SELECT length(f.head) + length(s.content)
            FROM elf_file f JOIN symbol_set s ON s.id = f.symbol_set_id WHERE f.id = elf_file_id
        )
    WHERE elf_file_id IS NOT NULL
    """  # noqa: S608 -- as above
)


def upgrade() -> None:
    for name, type_ in _NEW:
        op.add_column("attribute", sa.Column(name, type_, nullable=True))
    _fill(op.get_bind())
    with op.batch_alter_table("attribute") as attribute:
        for name, _ in _NEW:
            attribute.alter_column(name, nullable=False)
    op.create_table(
        "earlier_attribute",
        sa.Column("id", RowId, nullable=False),
        sa.Column("analysis_id", RowId, nullable=False),
        sa.Column("replaced_at", UtcDateTime(), nullable=False),
        sa.Column("path", ByteOrderedText, nullable=True),
        sa.Column("name", ByteOrderedText, nullable=False),
        sa.Column("kind", ByteOrderedText, nullable=False),
        sa.Column("value", ByteOrderedText, nullable=True),
        sa.Column("binary_value", sa.LargeBinary(), nullable=True),
        sa.Column("json_value", JsonText(), nullable=True),
        sa.Column("size_bytes", RowId, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("reported_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_earlier_attribute")),
        sa.ForeignKeyConstraint(
            ["analysis_id"], ["analysis.id"], name=op.f("fk_earlier_attribute_analysis_id")
        ),
    )
    op.create_index(op.f("ix_earlier_attribute_analysis_id"), "earlier_attribute", ["analysis_id"])
    op.create_index(
        "ix_install_file_hash", "install_file", ["hash"], sqlite_where=_HASHED, postgresql_where=_HASHED
    )


def _fill(connection: sa.Connection) -> None:
    connection.execute(_PUT_ELF)
    if connection.dialect.name == "postgresql":
        connection.execute(_PUT_ALL)
        return
    last = 0
    while rows := connection.execute(_SOME, {"last": last, "most": _ROWS_AT_ONCE}).all():
        connection.execute(_PUT, [_of(row) for row in rows])
        last = rows[-1].id


def _of(row: sa.Row[tuple[int, str | None, bytes | None, str | None]]) -> dict[str, object]:
    if row.binary_value is not None:
        kind, content = "BINARY", bytes(row.binary_value)
    else:
        kind = "JSON" if row.value is None else "TEXT"
        content = (row.json_value or row.value or "").encode()
    return {"id": row.id, "kind": kind, "size": len(content), "digest": hashlib.sha256(content).digest()}
