"""The arguments of configure phases, which most runs of a package share: a text is stored once.

One is written before what refers to it, and stays as long as a claim does. Runs and builds have those of
claims.
"""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection

from spackmon.ingest.rows import insert_missing
from spackmon.ingest.tables.digests import deleting_unused, finding, put

_FIND = finding("configure_arguments")
_INSERT = insert_missing("configure_arguments", "digest bytea, text text", ["digest"], returning="id, digest")


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


delete_unused_arguments = deleting_unused("configure_arguments", "claim", "configure_arguments_id")
"""Delete the arguments that no claim has any longer."""
