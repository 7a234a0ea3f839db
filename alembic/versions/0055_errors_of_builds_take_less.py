"""Errors and warnings of runs say their texts once: what a message repeats of its text is where it begins,
and of their words PostgreSQL stores its own form in the index alone.
"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from spackmon.ops.ahead import outside
from spackmon.ops.replacing import Replacing
from spackmon.ops.rewriting import Part, Rewriting, columns

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None

# The columns and indexes that are copied are there since then.
ahead_from = "0050"

_BEGINS = "length(text) - length(message) + 1"
_MESSAGE_AT = f"CASE WHEN substr(text, {_BEGINS}) = message THEN {_BEGINS} END"
_MESSAGE = f"CASE WHEN substr(text, {_BEGINS}) = message THEN '' ELSE message END"
_WORDS = "(array_to_tsvector(string_to_array(search_words, ' ')))"
_WORDS_OF_LOGS = "ix_log_event_search_words"

_REWRITING = Rewriting(
    "events",
    (
        Part(
            Replacing(
                "build_event",
                ", ".join((
                    columns("long: log_event_id; int: claim_id attempt_id error_group_id position!"),
                    "occurrences integer NOT NULL DEFAULT 1",
                    columns("int: message_at log_line first_line last_line source_line source_column"),
                    "is_first boolean NOT NULL DEFAULT false",
                    columns("text: kind!"),
                    "role text COLLATE \"C\" NOT NULL DEFAULT 'PRIMARY'",
                    columns(
                        "text: tool error_class blame fingerprint rule; json: blanked;"
                        " text: text!"
                    ),
                    "message text COLLATE \"C\" NOT NULL DEFAULT ''",
                    columns("text: source_file pre_context post_context"),
                    "search_words text COLLATE \"C\" NOT NULL DEFAULT ''",
                )),
                {
                    "pk_build_event": "(id)",
                    "uq_build_event_claim_id_position": "(claim_id, position)",
                    "ix_build_event_attempt_id_kind": "(attempt_id, kind)",
                    "ix_build_event_error_group_id_id": "(error_group_id, id)",
                    "ix_build_event_search_words": f"USING gin ({_WORDS})",
                },
                {"claim_id": "claim", "attempt_id": "attempt", "error_group_id": "error_group"},
                values={"message_at": _MESSAGE_AT, "message": _MESSAGE},
            ),
            "id",
            "build_event",
        ),
    ),
)  # fmt: skip


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Write the events of runs anew beside the old ones, and make the index of those of logs."""
    _REWRITING.ahead(connection, tell)
    tell("words of log_event")
    outside(connection, f"DROP INDEX CONCURRENTLY IF EXISTS {_WORDS_OF_LOGS}")
    outside(connection, f"CREATE INDEX CONCURRENTLY {_WORDS_OF_LOGS} ON log_event USING gin ({_WORDS})")


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        _REWRITING.put(op.get_bind())
        op.execute(f"CREATE INDEX IF NOT EXISTS {_WORDS_OF_LOGS} ON log_event USING gin ({_WORDS})")
        op.drop_column("log_event", "search_vector")
        return
    op.add_column("build_event", sa.Column("message_at", sa.Integer))
    op.execute(f"UPDATE build_event SET message_at = {_MESSAGE_AT}, message = {_MESSAGE}")  # noqa: S608 -- ours
