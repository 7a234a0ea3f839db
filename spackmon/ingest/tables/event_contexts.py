"""The lines of logs around events, which re-runs of a failing spec bring again: equal ones are one row.

They are written before what refers to them, and stay as long as an event does.
"""

import hashlib
from collections.abc import Iterable

from sqlalchemy import Connection

from spackmon.ingest.rows import insert_missing
from spackmon.ingest.tables.digests import deleting_unused, finding, put

Context = tuple[str | None, str | None]
"""The lines above and below an event."""

_NONE: Context = (None, None)
_FIND = finding("event_context")
_INSERT = insert_missing(
    "event_context",
    "digest bytea, pre_context text, post_context text",
    ["digest"],
    returning="id, digest",
)


def digest_of(context: Context) -> bytes:
    """What names the row of these lines: how long either is says where it ends, and whether it is there."""
    lengths = " ".join("-" if lines is None else str(len(lines)) for lines in context)
    return hashlib.sha256("\n".join((lengths, "".join(lines or "" for lines in context))).encode()).digest()


def contexts_of(connection: Connection, wanted: Iterable[Context]) -> dict[Context, int | None]:
    """The rows of lines, written if they are new, and kept while this transaction goes on."""
    digests = {digest_of(context): context for context in wanted if context != _NONE}
    found = put(connection, _FIND, _INSERT, digests)
    return {_NONE: None, **{context: found[digest] for digest, context in digests.items()}}


delete_unused_contexts = deleting_unused("event_context", "build_event", "context_id")
"""Delete the lines that no event has any longer."""
