"""Events are searched by their words: a column, and in each database what it has to find rows by it.

SQLite keeps an FTS5 table beside a table by triggers, which go with the table where that is made anew. In
PostgreSQL events are prepared ahead, with all that revisions from 0019 on make of them and then put in place.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from spackmon.logs.words import searchable
from spackmon.models.columns import ByteOrderedText
from spackmon.ops.events_ahead import Preparation, is_prepared

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

# From this revision on all is there that `ahead` reads.
ahead_from = "0017"

_ROWS = 1000
_TEXTS = {
    "log_event": ("COALESCE(text, message)", "source_file", "tool"),
    # As spackmon.ingest writes them: those of runs' logs have the words that they have there.
    "build_event": ("text", "source_file", "CASE WHEN log_event_id IS NOT NULL THEN tool END"),
}


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Prepare the events; called again, it goes on where it was interrupted."""
    with connection.begin():
        preparation = Preparation(connection, tell)
    preparation.make()


def upgrade() -> None:
    connection = op.get_bind()
    if is_prepared(connection):
        preparation = Preparation(connection)
        preparation.follow()
        preparation.put()
    elif "search_words" not in {column["name"] for column in sa.inspect(connection).get_columns("log_event")}:
        _fill(connection)


def _fill(connection: sa.Connection) -> None:
    for table, texts in _TEXTS.items():
        op.add_column(table, sa.Column("search_words", ByteOrderedText, nullable=False, server_default=""))
        write = sa.text(f"UPDATE {table} SET search_words = :words WHERE id = :id")  # noqa: S608 -- ours
        for rows in _rows(connection, table, texts):
            words = [{"id": number, "words": searchable(*found)} for number, *found in rows]
            connection.execute(write, words)
        if connection.dialect.name == "sqlite":
            _index_in_sqlite(table)
        else:
            # Stored, not only indexed: whoever walks the latest events would make it of each again.
            vector = "array_to_tsvector(string_to_array(search_words, ' '))"
            op.execute(
                f"ALTER TABLE {table} ADD COLUMN search_vector tsvector GENERATED ALWAYS AS ({vector}) STORED"
            )
            op.execute(f"CREATE INDEX ix_{table}_search_vector ON {table} USING gin (search_vector)")


def _rows(connection: sa.Connection, table: str, texts: Sequence[str]) -> Iterator[list[sa.Row[Any]]]:
    """The events, some at a time."""
    select = sa.text(
        f"SELECT id, {', '.join(texts)} FROM {table} WHERE id > :last ORDER BY id LIMIT :rows"  # noqa: S608
    )
    last = 0
    while rows := list(connection.execute(select, {"last": last, "rows": _ROWS})):
        yield rows
        last = rows[-1].id


def _index_in_sqlite(table: str) -> None:
    index = f"{table}_search"
    # Signs are separators; all that is not ASCII belongs to words, which have white space between already.
    op.execute(
        f"CREATE VIRTUAL TABLE {index} USING fts5(search_words, content='{table}', content_rowid='id',"
        " detail='none', columnsize=0, tokenize=\"ascii tokenchars '_'\")"
    )
    op.execute(f"INSERT INTO {index} ({index}) VALUES ('rebuild')")  # noqa: S608 -- ours
    added = f"INSERT INTO {index} (rowid, search_words) VALUES (new.id, new.search_words)"  # noqa: S608
    removed = (
        f"INSERT INTO {index} ({index}, rowid, search_words)"  # noqa: S608
        " VALUES ('delete', old.id, old.search_words)"
    )
    for name, event, statements in (
        ("added", "INSERT", (added,)),
        ("removed", "DELETE", (removed,)),
        ("changed", "UPDATE OF search_words", (removed, added)),
    ):
        body = "; ".join(statements)
        op.execute(f"CREATE TRIGGER {index}_{name} AFTER {event} ON {table} BEGIN {body}; END")
