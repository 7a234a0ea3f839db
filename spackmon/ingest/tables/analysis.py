"""What analyzers report, as claims: each re-run replaces what the same analyzer had said, and keeps it."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from spackmon.abi.reader.packed import ANALYZER
from spackmon.ingest.rows import Statement, over_rows
from spackmon.ingest.tables.elf_files import ElfFiles, delete_unused_files
from spackmon.ingest.tables.host_images import put_host_of_analysis
from spackmon.status import ResultKind
from spackmon.submission import AttributeValue

_VALUE = "path, name, kind, value, binary_value, json_value, size_bytes, digest"

# Of what is stored of a file; a client may have packed it otherwise.
_ELF_SIZE = (
    "(SELECT length(f.head) + length(s.content) FROM elf_file f JOIN symbol_set s ON s.id = f.symbol_set_id"
    " WHERE f.id = {id})"
)

_PUT_ANALYSIS = over_rows(
    "analyzer text",
    """
    INSERT INTO analysis (claim_id, analyzer, reported_at)
    SELECT CAST(:claim_id AS bigint), i.analyzer, :now FROM {input} i
    WHERE true
    ORDER BY i.analyzer
    ON CONFLICT (claim_id, analyzer) DO UPDATE SET reported_at = excluded.reported_at
    RETURNING id, analyzer
    """,
)

_KEEP_REPLACED = over_rows(
    "id bigint",
    f"""
    INSERT INTO earlier_attribute (analysis_id, {_VALUE}, reported_at, replaced_at)
    SELECT analysis_id, {_VALUE}, reported_at, :now FROM attribute
    WHERE id IN (SELECT i.id FROM {{input}} i) AND elf_file_id IS NULL ORDER BY id
    """,  # noqa: S608 -- of our own constants
)

_DELETE_ATTRIBUTES = over_rows(
    "id bigint", "DELETE FROM attribute WHERE id IN (SELECT i.id FROM {input} i) RETURNING elf_file_id"
)

_INSERT_ATTRIBUTES = over_rows(
    "number integer, analysis_id bigint, path text, name text, kind text, value text, binary_value bytea, "
    "json_value text, size_bytes bigint, digest bytea, elf_file_id bigint",
    f"""
    INSERT INTO attribute (analysis_id, {_VALUE}, reported_at, elf_file_id)
    SELECT i.analysis_id, i.path, i.name, i.kind, i.value, i.binary_value, i.json_value,
        COALESCE({_ELF_SIZE.format(id="i.elf_file_id")}, i.size_bytes),
        COALESCE((SELECT f.digest FROM elf_file f WHERE f.id = i.elf_file_id), i.digest), :now, i.elf_file_id
    FROM {{input}} i
    WHERE true
    ORDER BY i.number
    """,  # noqa: S608 -- as above
)

_READ_ATTRIBUTES = Statement(
    """
    SELECT a.analyzer, t.id, t.elf_file_id, t.path, t.name, t.value, t.binary_value, t.json_value
    FROM analysis a LEFT JOIN attribute t ON t.analysis_id = a.id
    WHERE a.claim_id = :claim_id
    ORDER BY a.analyzer, t.id
    """
)

_FIND_ANALYSIS = Statement("SELECT id FROM analysis WHERE claim_id = :claim_id AND analyzer = :analyzer")

_Finding = tuple[Any, ...]


def replace_attributes(
    connection: Connection,
    claim_id: int,
    attributes: Mapping[str, tuple[AttributeValue, ...]],
    files: ElfFiles,
    now: datetime,
    *,
    by_file: bool,
) -> bool:
    """The findings of these analyzers in a claim are these, and no others; whether that changed anything.

    `files` are the ELF files that they are of. `by_file`: what an analyzer had found in files of which it
    says nothing now stays. An empty list says that it found nothing in any.
    """
    stored: dict[str, list[tuple[int, _Finding]]] = {}
    for row in _READ_ATTRIBUTES.run(connection, claim_id=claim_id):
        stored.setdefault(row.analyzer, [])
        if row.name is not None:
            stored[row.analyzer].append((row.id, (row.elf_file_id, *row[3:])))
    replaced: list[int] = []
    added: dict[str, list[AttributeValue]] = {}
    for analyzer, values in sorted(attributes.items()):
        gone, new = _difference(stored.get(analyzer, ()), values, files, by_file=by_file)
        replaced += gone
        if gone or new or analyzer not in stored:
            added[analyzer] = new
    if not added:
        return files.host_image_id is not None and _put_host(connection, claim_id, files.host_image_id)
    analyses = _PUT_ANALYSIS.run(connection, [(a,) for a in added], claim_id=claim_id, now=now)
    id_of = {row.analyzer: row.id for row in analyses}
    ids = [(attribute_id,) for attribute_id in replaced]
    _KEEP_REPLACED.run(connection, ids, now=now)
    deleted = _DELETE_ATTRIBUTES.run(connection, ids)
    rows = [
        (id_of[analyzer], *_row(one, files.id_of(one)))
        for analyzer, values in added.items()
        for one in values
    ]
    _INSERT_ATTRIBUTES.run(connection, [(number, *row) for number, row in enumerate(rows)], now=now)
    if files.host_image_id is not None:
        _put_host(connection, claim_id, files.host_image_id)
    delete_unused_files(connection, {row.elf_file_id for row in deleted if row.elf_file_id is not None})
    return True


def _put_host(connection: Connection, claim_id: int, host_image_id: int) -> bool:
    """Whether it is news on which machine a claim's ELF files were read."""
    rows = _FIND_ANALYSIS.run(connection, claim_id=claim_id, analyzer=ANALYZER)
    return bool(rows) and put_host_of_analysis(connection, rows[0].id, host_image_id)


def _difference(
    stored: Iterable[tuple[int, _Finding]], values: Sequence[AttributeValue], elf: ElfFiles, *, by_file: bool
) -> tuple[list[int], list[AttributeValue]]:
    """The rows that are replaced, and the findings that are new."""
    files = {one.install_file for one in values}
    unseen = Counter(_finding(one, elf.id_of(one)) for one in values)
    gone = []
    for attribute_id, finding in stored:
        if unseen[finding] > 0:
            unseen[finding] -= 1
        elif not (by_file and values) or finding[1] in files:
            gone.append(attribute_id)
    new = []
    for one in values:
        finding = _finding(one, elf.id_of(one))
        if unseen[finding] > 0:
            unseen[finding] -= 1
            new.append(one)
    return gone, new


def _finding(one: AttributeValue, elf_file_id: int | None) -> _Finding:
    binary = one.binary_value if elf_file_id is None else None
    return elf_file_id, one.install_file, one.name, one.value, binary, one.json_value


def _row(one: AttributeValue, elf_file_id: int | None) -> tuple[Any, ...]:
    digest = hashlib.sha256(one.content).digest()
    kind, binary = one.kind, one.binary_value
    if elf_file_id is not None:
        kind, binary = ResultKind.ELF, None
    return (
        one.install_file, one.name, kind.value, one.value, binary, one.json_value, len(one.content), digest,
        elf_file_id,
    )  # fmt: skip
