"""How migrations meet the database: through the connection that `spackmon.ops.migrations` hands over.

A developer who writes the next revision names a migrated database instead:
`alembic -x url=sqlite:///data.db revision --autogenerate -m "…"`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import context
from sqlalchemy import Connection

from spackmon.database import Database
from spackmon.models import Base, columns

# Rendered by name: the variants of a type for the two databases are decided in one place.
_NAMED_TYPES = {columns.RowId: "RowId", columns.ByteOrderedText: "ByteOrderedText"}


def _render_item(kind: str, item: Any, _: object) -> str | bool:
    if kind != "type":
        return False
    if isinstance(item, columns.JsonText | columns.UtcDateTime):
        return f"{type(item).__name__}()"
    return _NAMED_TYPES.get(item, False)


@contextmanager
def _connection() -> Iterator[Connection]:
    given = context.config.attributes.get("connection")
    if given is not None:
        yield given
        return
    database = Database(context.get_x_argument(as_dictionary=True)["url"])
    with database.engine.begin() as connection:
        yield connection
    database.close()


with _connection() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_item=_render_item,
        # SQLite alters a table by copying it.
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()
