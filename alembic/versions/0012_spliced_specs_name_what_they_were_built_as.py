"""A spliced spec names the spec that it was built as, which its documents said all along."""

import json
import re
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedWord

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_ROWS = 1000
_SPLICED = sa.text("built_as IS NOT NULL")
_HASH = re.compile(r"[a-z0-9]{7,64}")
# The strongest first.
_HASH_KINDS = ("full_hash", "build_hash", "hash")


def upgrade() -> None:
    for table in ("spec_document", "spec"):
        op.add_column(table, sa.Column("built_as", ByteOrderedWord, nullable=True))
    connection = op.get_bind()
    write = sa.text("UPDATE spec_document SET built_as = :built_as WHERE id = :id")
    for rows in _documents(connection):
        stated = [{"id": row.id, "built_as": _built_as(row.format_version, row.document)} for row in rows]
        connection.execute(write, stated)
    op.execute(
        """
        UPDATE spec SET built_as = (
            SELECT d.built_as FROM spec_document d WHERE d.spec_id = spec.id AND d.built_as IS NOT NULL
            ORDER BY d.format_version, length(d.document) DESC, d.digest LIMIT 1
        )
        WHERE id IN (SELECT d.spec_id FROM spec_document d WHERE d.built_as IS NOT NULL)
        """
    )
    op.create_index(
        "ix_spec_built_as", "spec", ["built_as"], sqlite_where=_SPLICED, postgresql_where=_SPLICED
    )


def _documents(connection: sa.Connection) -> Iterator[list[sa.Row[Any]]]:
    """The documents that may be of spliced specs, some at a time."""
    select = sa.text(
        "SELECT id, format_version, document FROM spec_document"
        " WHERE id > :last AND document LIKE :spliced ORDER BY id LIMIT :rows"
    )
    last = 0
    while rows := list(
        connection.execute(select, {"last": last, "spliced": '%"build_spec"%', "rows": _ROWS})
    ):
        yield rows
        last = rows[-1].id


def _built_as(format_version: int, document: str) -> str | None:
    """The strongest hash in the document's `build_spec`; None where that is not in the form of one."""
    node = json.loads(document)
    if format_version == 1:
        (node,) = node.values()
    stated = node.get("build_spec")
    hashes = [stated.get(kind) for kind in _HASH_KINDS] if isinstance(stated, dict) else []
    return next((value for value in hashes if isinstance(value, str) and _HASH.fullmatch(value)), None)
