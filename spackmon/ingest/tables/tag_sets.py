"""Which tags runs have, as sets that they share: docs/decisions/0012-facts.md.

A set is written with its members, before what refers to it, and stays as long as anything does.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection

from spackmon.ingest.rows import Statement, insert_missing, over_rows
from spackmon.ingest.tables.digests import finding, put

_TAGS = insert_missing("tag", "name text", ["name"])
_FIND = finding("tag_set")
_INSERT = insert_missing("tag_set", "digest bytea, names text", ["digest"], returning="id, digest")

# Whoever was faster with the same set has written them, too.
_MEMBERS = over_rows(
    "tag_set_id bigint, name text",
    """
    INSERT INTO tag_set_member (tag_set_id, tag_id)
    SELECT i.tag_set_id, t.id FROM {input} i JOIN tag t ON t.name = i.name
    WHERE true
    ORDER BY 1, 2
    ON CONFLICT DO NOTHING
    """,
)

_NO_RUN = " AND ".join(
    f"NOT EXISTS (SELECT 1 FROM {table} r WHERE r.tag_set_id = s.id)"  # noqa: S608 -- of our own constants
    for table in ("attempt", "build")
)
_OF_NO_RUN = Statement(
    f"SELECT s.id FROM tag_set s WHERE {_NO_RUN} ORDER BY s.id {{lock}}",  # noqa: S608 -- as above
    lock="FOR UPDATE OF s SKIP LOCKED",
)
# Somebody may have begun to refer to one between the beginning of that statement and its lock. Nobody can any
# more. Claims have no index by their tags: all are read, where there is anything to find.
_UNUSED = over_rows(
    "id bigint",
    f"""
    SELECT s.id FROM {{input}} s WHERE {_NO_RUN}
        AND s.id NOT IN (SELECT c.tag_set_id FROM claim c WHERE c.tag_set_id IS NOT NULL)
    """,  # noqa: S608 -- as above
)
_DELETE = [
    over_rows("id bigint", f"DELETE FROM {table} WHERE {column} IN (SELECT i.id FROM {{input}} i)")  # noqa: S608
    for table, column in (("tag_set_member", "tag_set_id"), ("tag_set", "id"))
]


class TagSet(NamedTuple):
    """A set of tags, which may be empty, and its row; None is that of the empty one."""

    names: frozenset[str]
    id: int | None


NO_TAGS = TagSet(frozenset(), None)


def document_of(names: Iterable[str]) -> str:
    """A set as its row has it."""
    return json.dumps(sorted(names))


def digest_of(document: str) -> bytes:
    """What names a set of this document: tags are anybody's words, and no two sets may be taken for one."""
    return hashlib.sha256(document.encode()).digest()


def read_tag_set(tag_set_id: int | None, names: str | None) -> TagSet:
    """A set of its row, or of none."""
    return NO_TAGS if names is None else TagSet(frozenset(json.loads(names)), tag_set_id)


def tag_sets_of(
    connection: Connection, wanted: Iterable[frozenset[str]], known: Iterable[TagSet] = ()
) -> dict[frozenset[str], int | None]:
    """The rows of sets, written if they are new, and kept while this transaction goes on.

    Those that are `known` need not be looked for.
    """
    ids: dict[frozenset[str], int | None] = {frozenset(): None, **{one.names: one.id for one in known}}
    documents = {document: names for names in wanted if names not in ids for document in [document_of(names)]}
    by_digest = {digest_of(document): document for document in documents}
    found = {row.digest: row.id for row in _FIND.run(connection, [(one,) for one in sorted(by_digest)])}
    absent = {digest: document for digest, document in by_digest.items() if digest not in found}
    if absent:
        found |= _add(connection, absent, documents)
    return ids | {documents[document]: found[digest] for digest, document in by_digest.items()}


def _add(
    connection: Connection, absent: dict[bytes, str], sets: dict[str, frozenset[str]]
) -> dict[bytes, int]:
    _TAGS.run(connection, sorted({(name,) for document in absent.values() for name in sets[document]}))
    made = put(connection, _FIND, _INSERT, {digest: (document,) for digest, document in absent.items()})
    members = [(made[digest], name) for digest, document in absent.items() for name in sets[document]]
    _MEMBERS.run(connection, sorted(members))
    return made


def delete_unused_sets(connection: Connection) -> None:
    """Delete the sets that nothing refers to any longer."""
    unused = _UNUSED.run(connection, [(row.id,) for row in _OF_NO_RUN.run(connection)])
    for statement in _DELETE:
        statement.run(connection, [(row.id,) for row in unused])
