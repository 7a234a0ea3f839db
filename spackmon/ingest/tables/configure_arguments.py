"""The arguments of configure phases, which most runs of a package share: a text is stored once.

One is written before what refers to it, and stays as long as a claim does. Runs and builds have those of
claims.
"""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection

from spackmon.ingest.rows import Statement, insert_missing, over_rows
from spackmon.ingest.tables.digests import finding, put

_FIND = finding("configure_arguments")
_INSERT = insert_missing("configure_arguments", "digest bytea, text text", ["digest"], returning="id, digest")

_OF_CLAIMS = "SELECT c.configure_arguments_id FROM claim c"
# Claims have no index by their arguments: all are read.
_OF_NO_CLAIM = Statement(
    f"""
    SELECT g.id FROM configure_arguments g
    WHERE g.id IN (SELECT o.id FROM configure_arguments o EXCEPT {_OF_CLAIMS})
    ORDER BY g.id {{lock}}
    """,  # noqa: S608 -- of our own constants
    lock="FOR UPDATE OF g SKIP LOCKED",
)
# Somebody may have begun to refer to one between the beginning of that statement and its lock. Nobody can any
# more.
_UNUSED = over_rows("id bigint", f"SELECT i.id FROM {{input}} i EXCEPT {_OF_CLAIMS}")  # noqa: S608 -- as above
_DELETE = over_rows("id bigint", "DELETE FROM configure_arguments WHERE id IN (SELECT i.id FROM {input} i)")


class Arguments(NamedTuple):
    """Arguments and their row; None are those of a run that nobody reported any of."""

    text: str | None
    id: int | None


NO_ARGUMENTS = Arguments(None, None)


def digest_of(text: str) -> bytes:
    """What names the row of these arguments."""
    return hashlib.sha256(text.encode()).digest()


def arguments_of(
    connection: Connection, wanted: Iterable[str | None], known: Iterable[Arguments] = ()
) -> dict[str | None, int | None]:
    """The rows of arguments, written if they are new, and kept while this transaction goes on.

    Those that are `known` need not be looked for.
    """
    ids: dict[str | None, int | None] = {None: None, **{one.text: one.id for one in known}}
    texts = {digest_of(text): text for text in wanted if text is not None and text not in ids}
    found = put(connection, _FIND, _INSERT, {digest: (text,) for digest, text in texts.items()})
    return ids | {text: found[digest] for digest, text in texts.items()}


def delete_unused_arguments(connection: Connection) -> None:
    """Delete the arguments that no claim has any longer."""
    unused = _UNUSED.run(connection, [(row.id,) for row in _OF_NO_CLAIM.run(connection)])
    _DELETE.run(connection, [(row.id,) for row in unused])
