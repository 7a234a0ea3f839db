"""What analyzers report, as claims: each re-run replaces what the same analyzer had said."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from spackmon.ingest.rows import Statement, over_rows
from spackmon.ingest.tables.elf_files import ElfFiles, delete_unused_files
from spackmon.submission import AttributeValue

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

_DELETE_ATTRIBUTES = over_rows(
    "analysis_id bigint",
    "DELETE FROM attribute WHERE analysis_id IN (SELECT i.analysis_id FROM {input} i)",
)

_INSERT_ATTRIBUTES = over_rows(
    "number integer, analysis_id bigint, path text, name text, value text, binary_value bytea, "
    "json_value text, elf_file_id bigint",
    """
    INSERT INTO attribute (analysis_id, path, name, value, binary_value, json_value, elf_file_id)
    SELECT i.analysis_id, i.path, i.name, i.value, i.binary_value, i.json_value, i.elf_file_id
    FROM {input} i
    WHERE true
    ORDER BY i.number
    """,
)

_READ_ATTRIBUTES = Statement(
    """
    SELECT a.analyzer, t.path, t.name, t.value, t.binary_value, t.json_value, t.elf_file_id
    FROM analysis a LEFT JOIN attribute t ON t.analysis_id = a.id
    WHERE a.claim_id = :claim_id
    ORDER BY a.analyzer, t.id
    """
)


def replace_attributes(
    connection: Connection,
    claim_id: int,
    attributes: Mapping[str, tuple[AttributeValue, ...]],
    files: ElfFiles,
    now: datetime,
) -> bool:
    """The findings of these analyzers in a claim are these, and no others; whether that changed anything.

    `files` are the ELF files that they are of.
    """
    stored: dict[str, list[tuple[Any, ...]]] = {}
    for row in _READ_ATTRIBUTES.run(connection, claim_id=claim_id):
        stored.setdefault(row.analyzer, [])
        if row.name is not None:
            stored[row.analyzer].append(tuple(row[1:]))
    findings = {
        analyzer: [_row(finding, files.id_of(finding)) for finding in values]
        for analyzer, values in attributes.items()
    }
    changed = [analyzer for analyzer in sorted(findings) if stored.get(analyzer) != findings[analyzer]]
    if not changed:
        return False
    analyses = _PUT_ANALYSIS.run(connection, [(a,) for a in changed], claim_id=claim_id, now=now)
    id_of = {row.analyzer: row.id for row in analyses}
    _DELETE_ATTRIBUTES.run(connection, [(analysis_id,) for analysis_id in id_of.values()])
    rows = [(id_of[analyzer], *finding) for analyzer in changed for finding in findings[analyzer]]
    _INSERT_ATTRIBUTES.run(connection, [(number, *row) for number, row in enumerate(rows)])
    before = {row[-1] for analyzer in changed for row in stored.get(analyzer, ())}
    after = {row[-1] for analyzer in changed for row in findings[analyzer]}
    delete_unused_files(connection, before - after - {None})
    return True


def _row(finding: AttributeValue, elf_file_id: int | None) -> tuple[Any, ...]:
    binary = finding.binary_value if elf_file_id is None else None
    return finding.install_file, finding.name, finding.value, binary, finding.json_value, elf_file_id
