"""Documents that were stored as texts are packed as new ones are, some at a time."""

from sqlalchemy import Connection

from spackmon.graph.packed_claims import NEWEST, pack
from spackmon.ingest.rows import Statement, over_rows

_DOCUMENTS_AT_ONCE = 500

_TEXTS = Statement(
    f"""
    SELECT id, document, edges, hashes, package_hash FROM spec_document WHERE packed IS NULL
    ORDER BY id LIMIT {_DOCUMENTS_AT_ONCE}
    """  # noqa: S608 -- of our own constants
)

_ANY = Statement("SELECT 1 FROM spec_document WHERE packed IS NULL LIMIT 1")

_PACK = over_rows(
    "id bigint, packed bytea, characters integer",
    """
    UPDATE spec_document
    SET packed = i.packed, dictionary = CAST(:dictionary AS smallint), characters = i.characters,
        document = NULL, edges = NULL, hashes = NULL, package_hash = NULL
    FROM {input} i WHERE spec_document.id = i.id
    """,
)


def are_texts(connection: Connection) -> bool:
    """Whether any document is not packed."""
    return bool(_ANY.run(connection))


def pack_documents(connection: Connection) -> int:
    """Pack some documents that are texts, and tell how many: 0 when all are packed.

    Who calls this owns the graphs (`locks`).
    """
    rows = [
        (row.id, pack(row.document, row.edges, row.hashes, row.package_hash), len(row.document))
        for row in _TEXTS.run(connection)
    ]
    _PACK.run(connection, rows, dictionary=NEWEST)
    return len(rows)
