"""What the loader reads of ELF files, each once: most files of a site are files of many builds."""

import hashlib
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection

from spackmon.abi.reader.packed import ANALYZER, Packed, joined, split
from spackmon.ingest.rows import over_rows
from spackmon.ingest.tables.digests import finding, put
from spackmon.ingest.tables.host_images import put_host_image
from spackmon.ingest.tables.orphans import delete_unused
from spackmon.submission import AttributeValue, HostImage

_FIND_SETS, _FIND_FILES = finding("symbol_set"), finding("elf_file")
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
    """The ELF files that a report's findings are of, by these findings; they are stored and locked.

    `host_image_id` is the row of the machine on which they were read, None if it is not known.
    """

    def __init__(
        self,
        connection: Connection,
        attributes: Mapping[str, tuple[AttributeValue, ...]] | None,
        host: HostImage | None = None,
    ) -> None:
        findings = {id(one): _parts(one.binary_value) for one in (attributes or {}).get(ANALYZER, ())}
        libraries = {one.sha256: _parts(one.content) for one in (host.libraries if host else ())}
        self._digests = {key: _digest(joined(one)) for key, one in findings.items() if one is not None}
        of_libraries = {key: _digest(joined(one)) for key, one in libraries.items() if one is not None}
        packed = {self._digests[key]: one for key, one in findings.items() if one is not None}
        packed |= {of_libraries[key]: one for key, one in libraries.items() if one is not None}
        sets = {_digest(one.symbols): one.symbols for one in packed.values()}
        set_ids = put(connection, _FIND_SETS, _INSERT_SETS, {key: (one,) for key, one in sets.items()})
        files = {key: (set_ids[_digest(one.symbols)], one.head) for key, one in packed.items()}
        self._ids = put(connection, _FIND_FILES, _INSERT_FILES, files)
        self.host_image_id = None
        if host is not None:
            read = {bytes.fromhex(key): self._ids[digest] for key, digest in of_libraries.items()}
            self.host_image_id = put_host_image(connection, host, read)

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


def _parts(content: bytes | None) -> Packed | None:
    """None of what is no packed file: it stays what it is, and is not taken for one without symbols."""
    try:
        return None if content is None else split(content)
    except ValueError:
        return None


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
