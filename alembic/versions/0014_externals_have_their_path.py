"""The path of an external is a column of its own, by which specs are found."""

import json
import re
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_ROWS = 1000
# No database holds these in a text. That is why the database must not look into the JSON.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def upgrade() -> None:
    op.add_column("spec", sa.Column("external_path", ByteOrderedText, nullable=True))
    connection = op.get_bind()
    write = sa.text("UPDATE spec SET external_path = :path WHERE id = :id")
    for rows in _externals(connection):
        connection.execute(write, [{"id": row.id, "path": _path(row.external)} for row in rows])


def _externals(connection: sa.Connection) -> Iterator[list[sa.Row[Any]]]:
    """The specs that are externals, some at a time."""
    select = sa.text(
        "SELECT id, external FROM spec WHERE id > :last AND external IS NOT NULL ORDER BY id LIMIT :rows"
    )
    last = 0
    while rows := list(connection.execute(select, {"last": last, "rows": _ROWS})):
        yield rows
        last = rows[-1].id


def _path(external: str) -> str | None:
    path = json.loads(external).get("path")
    return path if isinstance(path, str) and path and not _UNSTORABLE.search(path) else None
