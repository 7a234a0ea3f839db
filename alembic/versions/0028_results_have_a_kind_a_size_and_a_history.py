"""Results of analyzers have a kind, a size, a digest and a moment; the earlier ones stay beside them.

In PostgreSQL what there is is read while services write (`ahead`): 400,000 results took 26 s.
"""

import hashlib
from collections.abc import Callable
from functools import partial

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, JsonText, RowId, UtcDateTime
from spackmon.ops.ahead import Ids, Notes, Progress, lock, step

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

# `ahead` finds what it needs from this revision on.
ahead_from = "0026"

_ROWS_AT_ONCE, _ROWS_AHEAD = 100, 2_000
_PROGRESS = "result_progress"
_NOTES = Notes("result_note", (("attribute", "id", "result"), ("analysis", "id", "analysis")))
_COLUMNS = 'kind text COLLATE "C"', "size_bytes bigint", "digest bytea", "reported_at timestamptz"
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
_PUT_ALL = f"""
    UPDATE attribute SET kind = c.kind, size_bytes = length(c.content), digest = sha256(c.content),
        {_REPORTED}
    FROM (
        SELECT id,
            CASE WHEN binary_value IS NOT NULL THEN 'BINARY' WHEN value IS NULL THEN 'JSON' ELSE 'TEXT' END
                AS kind,
            COALESCE(binary_value, convert_to(COALESCE(json_value, value, ''), 'UTF8')) AS content
        FROM attribute WHERE elf_file_id IS NULL AND {{rows}}
    ) c
    WHERE attribute.id = c.id
"""  # noqa: S608 -- as above
_PUT_ELF = f"""
    UPDATE attribute SET kind = 'ELF', {_REPORTED},
        digest = (SELECT f.digest FROM elf_file f WHERE f.id = elf_file_id),
        size_bytes = (
            SELECT length(f.head) + length(s.content)
            FROM elf_file f JOIN symbol_set s ON s.id = f.symbol_set_id WHERE f.id = elf_file_id
        )
    WHERE elf_file_id IS NOT NULL AND {{rows}}
"""  # noqa: S608 -- as above


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Say what each result is, some in a transaction; called again, it goes on where it was interrupted."""
    progress = Progress(connection, _PROGRESS, tell)

    def prepare() -> None:
        progress.create()
        added = ", ".join(f"ADD COLUMN IF NOT EXISTS {column}" for column in _COLUMNS)
        connection.execute(sa.text(f"ALTER TABLE attribute {added}"))

    step(connection, prepare)
    _NOTES.create(connection)
    fill = partial(_put, connection, "id > :last AND id <= :next")
    progress.by_ids("results", "attribute", _ROWS_AHEAD, lambda last, after: fill(last=last, next=after))
    _NOTES.rounds(connection, partial(_put_again, connection))


def _put(connection: sa.Connection, rows: str, **parameters: object) -> None:
    for statement in (_PUT_ALL, _PUT_ELF):
        connection.execute(sa.text(statement.format(rows=rows)), parameters)


def _put_again(connection: sa.Connection, noted: Ids) -> None:
    of_ids = " OR ".join(f"{name} = ANY (CAST(:{name} AS bigint[]))" for name in ("id", "analysis_id"))
    _put(connection, f"({of_ids})", id=sorted(noted["result"]), analysis_id=sorted(noted["analysis"]))


def upgrade() -> None:
    connection = op.get_bind()
    if sa.inspect(connection).has_table(_PROGRESS):
        lock(connection, (), ("analysis", "attribute"))
        _NOTES.rest(connection, partial(_put_again, connection))
        _NOTES.drop(connection)
        op.drop_table(_PROGRESS)
    else:
        for name, type_ in _NEW:
            op.add_column("attribute", sa.Column(name, type_, nullable=True))
        _fill(connection)
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
    if connection.dialect.name == "postgresql":
        _put(connection, "true")
        return
    connection.execute(sa.text(_PUT_ELF.format(rows="true")))
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
