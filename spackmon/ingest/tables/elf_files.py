"""What the loader reads of ELF files, each once: most files of a site are files of many builds."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from spackmon.abi.packed import ANALYZER, Packed, joined, split
from spackmon.ingest.rows import RowStatement, over_rows
from spackmon.ingest.tables.orphans import delete_unused
from spackmon.submission import AttributeValue

_TRIES = 5


def _find(table: str) -> RowStatement:
    return over_rows(
        "digest bytea",
        f"SELECT f.id, f.digest FROM {table} f WHERE f.digest IN (SELECT i.digest FROM {{input}} i)"  # noqa: S608
        " ORDER BY f.digest {lock}",
        lock="FOR KEY SHARE OF f",
    )


_FIND_SETS, _FIND_FILES = _find("symbol_set"), _find("elf_file")
_INSERT_SETS = over_rows(
    "digest bytea, content bytea",
    """
    INSERT INTO symbol_set (digest, content) SELECT i.digest, i.content FROM {input} i
    WHERE true ORDER BY i.digest ON CONFLICT DO NOTHING RETURNING id, digest
    """,
)
_INSERT_FILES = over_rows(
    "digest bytea, symbol_set_id bigint, head bytea",
    """
    INSERT INTO elf_file (digest, symbol_set_id, head) SELECT i.digest, i.symbol_set_id, i.head FROM {input} i
    WHERE true ORDER BY i.digest ON CONFLICT DO NOTHING RETURNING id, digest
    """,
)
_SETS_OF = over_rows(
    "id bigint", "SELECT f.symbol_set_id AS id FROM elf_file f WHERE f.id IN (SELECT i.id FROM {input} i)"
)


class ElfFiles:
    """The ELF files that a report's findings are of, by these findings; they are stored and locked."""

    def __init__(
        self, connection: Connection, attributes: Mapping[str, tuple[AttributeValue, ...]] | None
    ) -> None:
        parts = {id(one): _parts(one) for one in (attributes or {}).get(ANALYZER, ())}
        self._digests = {key: _digest(joined(one)) for key, one in parts.items() if one is not None}
        packed = {self._digests[key]: one for key, one in parts.items() if one is not None}
        sets = {_digest(one.symbols): one.symbols for one in packed.values()}
        set_ids = _put(connection, _FIND_SETS, _INSERT_SETS, {key: (one,) for key, one in sets.items()})
        files = {key: (set_ids[_digest(one.symbols)], one.head) for key, one in packed.items()}
        self._ids = _put(connection, _FIND_FILES, _INSERT_FILES, files)

    def id_of(self, finding: AttributeValue) -> int | None:
        """The row of the file that a finding is of; None of any other finding."""
        digest = self._digests.get(id(finding))
        return None if digest is None else self._ids[digest]


def delete_unused_files(connection: Connection, ids: Iterable[int]) -> None:
    """Delete those of these files, and of their symbols, that nothing refers to any longer."""
    rows = sorted({(one,) for one in ids})
    sets = _SETS_OF.run(connection, rows)
    delete_unused(connection, "elf_file", [one for (one,) in rows])
    delete_unused(connection, "symbol_set", [row.id for row in sets])


def _parts(finding: AttributeValue) -> Packed | None:
    """None of what is no packed file: it stays what it is, and is not taken for one without symbols."""
    try:
        return None if finding.binary_value is None else split(finding.binary_value)
    except ValueError:
        return None


def _put(
    connection: Connection, find: RowStatement, insert: RowStatement, wanted: Mapping[bytes, Sequence[Any]]
) -> dict[bytes, int]:
    """The ids of rows by their digests. Raises RuntimeError as `rows.get_or_create`."""
    found: dict[bytes, int] = {}
    for _ in range(_TRIES):
        rows = find.run(connection, [(one,) for one in sorted(wanted.keys() - found.keys())])
        found |= {row.digest: row.id for row in rows}
        absent = sorted(wanted.keys() - found.keys())
        rows = insert.run(connection, [(one, *wanted[one]) for one in absent])
        found |= {row.digest: row.id for row in rows}
        if found.keys() == wanted.keys():
            return found
    raise RuntimeError("a shared row can neither be read nor be inserted")


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
