"""Errors and warnings share the lines around them: an event has the number of their row.

PostgreSQL finds those of plain texts by these: what was stored of their words is left out.
"""

import hashlib
from collections.abc import Callable, Mapping

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, NarrowId
from spackmon.ops.ahead import step
from spackmon.ops.replacing import Replacing
from spackmon.ops.rewriting import Repacked, Rewriting, columns, ranges

revision = "0077"
down_revision = "0076"
branch_labels = None
depends_on = None

# The columns that are copied are there since then.
ahead_from = "0055"

_ROWS_AT_ONCE = 2_000

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

_LINES = ("pre_context", "post_context")
_HAS_LINES = "(pre_context IS NOT NULL OR post_context IS NOT NULL)"
_LENGTHS = " || ' ' || ".join(f"COALESCE(CAST(length(r.{one}) AS text), '-')" for one in _LINES)
_BOTH = " || ".join(f"COALESCE(r.{one}, '')" for one in _LINES)
_DIGEST = f"sha256(convert_to({_LENGTHS} || chr(10) || {_BOTH}, 'UTF8'))"
_SOME = f"(SELECT id, pre_context, post_context FROM build_event WHERE ({{which}}) AND {_HAS_LINES}) r"  # noqa: S608 -- of our own constants, as all here
_PUT = f"""
    INSERT INTO event_context (digest, pre_context, post_context)
    SELECT DISTINCT {_DIGEST}, r.pre_context, r.post_context FROM {_SOME} ORDER BY 1
    ON CONFLICT DO NOTHING
"""  # noqa: S608
_FIND = f"SELECT r.id, c.id FROM {_SOME} JOIN event_context c ON c.digest = {_DIGEST}"  # noqa: S608

# Of SQLite, which makes no digests.
_READ = f"""
    SELECT id, pre_context, post_context FROM build_event
    WHERE id > :last AND id <= :after AND {_HAS_LINES}
"""  # noqa: S608
_INSERT = """
    INSERT INTO event_context (digest, pre_context, post_context)
    VALUES (:digest, :pre_context, :post_context)
    ON CONFLICT DO NOTHING
"""
_REFER = """
    UPDATE build_event SET context_id = (SELECT c.id FROM event_context c WHERE c.digest = :digest)
    WHERE id = :id
"""


def _ids_of(connection: sa.Connection, which: str, values: Mapping[str, object]) -> list[tuple[int, int]]:
    """The numbers of events that have lines around them, with those of these, which are put."""
    connection.execute(sa.text(_PUT.format(which=which)), values)
    rows = connection.execute(sa.text(_FIND.format(which=which)), values)
    return [(row_id, context_id) for row_id, context_id in rows]


_REWRITING = Rewriting(
    "shorter_events",
    (
        Repacked(
            Replacing(
                "build_event",
                ", ".join((
                    columns(
                        "long: log_event_id;"
                        " int: claim_id attempt_id error_group_id context_id position!"
                    ),
                    "occurrences integer NOT NULL DEFAULT 1",
                    columns("int: message_at log_line first_line last_line source_line source_column"),
                    "is_first boolean NOT NULL DEFAULT false",
                    columns("text: kind!"),
                    "role text COLLATE \"C\" NOT NULL DEFAULT 'PRIMARY'",
                    columns("text: tool error_class blame fingerprint rule; json: blanked; text: text!"),
                    "message text COLLATE \"C\" NOT NULL DEFAULT ''",
                    columns("text: source_file"),
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
                values={"context_id": "repacked", "search_words": _SEARCH_WORDS},
            ),
            "id",
            "build_event",
            _ids_of,
            made_type="integer",
        ),
    ),
)  # fmt: skip

locked = _REWRITING.locked


def _create(connection: sa.Connection) -> None:
    if sa.inspect(connection).has_table("event_context"):
        return
    table = sa.Table(
        "event_context",
        sa.MetaData(),
        sa.Column("id", NarrowId, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        *(sa.Column(one, ByteOrderedText) for one in _LINES),
        sa.PrimaryKeyConstraint("id", name="pk_event_context"),
        sa.UniqueConstraint("digest", name="uq_event_context_digest"),
    )
    table.create(connection)


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Write the events anew beside the old ones."""
    step(connection, lambda: _create(connection))
    _REWRITING.ahead(connection, tell)


def upgrade() -> None:
    connection = op.get_bind()
    _create(connection)
    if connection.dialect.name == "postgresql":
        _REWRITING.put(connection)
        return
    op.add_column("build_event", sa.Column("context_id", NarrowId))
    for last, after in ranges(connection, "build_event", _ROWS_AT_ONCE):
        rows = connection.execute(sa.text(_READ), {"last": last, "after": after}).mappings()
        found = [{**row, "digest": _digest(row["pre_context"], row["post_context"])} for row in rows]
        for statement in (_INSERT, _REFER) if found else ():
            connection.execute(sa.text(statement), found)
    for one in _LINES:
        op.drop_column("build_event", one)


def _digest(*both: str | None) -> bytes:
    lengths = " ".join("-" if lines is None else str(len(lines)) for lines in both)
    return hashlib.sha256("\n".join((lengths, "".join(lines or "" for lines in both))).encode()).digest()
