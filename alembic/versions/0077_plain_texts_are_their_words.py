"""PostgreSQL finds errors of plain texts by these: what was stored of their words is left out."""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from spackmon.ops.replacing import Replacing
from spackmon.ops.rewriting import Part, Rewriting, columns

revision = "0077"
down_revision = "0076"
branch_labels = None
depends_on = None

# The columns that are copied are there since then.
ahead_from = "0055"

_TEXT = "text || COALESCE(' ' || source_file, '')"
_OWN = f"regexp_split_to_array(lower({_TEXT}), '[^a-z0-9_]+')"
_EITHER = f"CASE WHEN search_words = '' THEN {_OWN} ELSE string_to_array(search_words, ' ') END"
_WORDS = f"array_to_tsvector(array_remove({_EITHER}, ''))"
# That of an event of a log has the tool, too.
_IS_PLAIN = (
    f"log_event_id IS NULL AND length({_TEXT}) < 1000 AND ({_TEXT}) ~ '^[ -~\\t\\n‘’]*$'"
    f" AND ({_TEXT}) !~ '\\w{{201}}'"
)
_SEARCH_WORDS = f"CASE WHEN {_IS_PLAIN} THEN '' WHEN search_words = '' THEN ' ' ELSE search_words END"

_REWRITING = Rewriting(
    "plain_texts",
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
                    columns("text: tool error_class blame fingerprint rule; json: blanked; text: text!"),
                    "message text COLLATE \"C\" NOT NULL DEFAULT ''",
                    columns("text: source_file pre_context post_context"),
                    "search_words text COLLATE \"C\" NOT NULL DEFAULT ''",
                )),
                {
                    "pk_build_event": "(id)",
                    "uq_build_event_claim_id_position": "(claim_id, position)",
                    "ix_build_event_attempt_id_kind": "(attempt_id, kind)",
                    "ix_build_event_error_group_id_id": "(error_group_id, id)",
                    "ix_build_event_search_words": f"USING gin (({_WORDS}))",
                },
                {"claim_id": "claim", "attempt_id": "attempt", "error_group_id": "error_group"},
                values={"search_words": _SEARCH_WORDS},
            ),
            "id",
            "build_event",
        ),
    ),
)  # fmt: skip

locked = _REWRITING.locked


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Write the events anew beside the old ones."""
    _REWRITING.ahead(connection, tell)


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        _REWRITING.put(op.get_bind())
