"""What analyzers report, as claims: each re-run replaces what the same analyzer had said."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from spackmon.ingest.rows import Statement, over_rows
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
    "json_value text",
    """
    INSERT INTO attribute (analysis_id, path, name, value, binary_value, json_value)
    SELECT i.analysis_id, i.path, i.name, i.value, i.binary_value, i.json_value
    FROM {input} i
    WHERE true
    ORDER BY i.number
    """,
)

_READ_ATTRIBUTES = Statement(
    """
    SELECT a.analyzer, t.path, t.name, t.value, t.binary_value, t.json_value
    FROM analysis a LEFT JOIN attribute t ON t.analysis_id = a.id
    WHERE a.claim_id = :claim_id
    ORDER BY a.analyzer, t.id
    """
)


def replace_attributes(
    connection: Connection, claim_id: int, attributes: Mapping[str, tuple[AttributeValue, ...]], now: datetime
) -> bool:
    """The findings of these analyzers in a claim are these, and no others; whether that changed anything."""
    stored: dict[str, list[tuple[Any, ...]]] = {}
    for row in _READ_ATTRIBUTES.run(connection, claim_id=claim_id):
        stored.setdefault(row.analyzer, [])
        if row.name is not None:
            stored[row.analyzer].append(tuple(row[1:]))
    findings = {
        analyzer: [(a.install_file, a.name, a.value, a.binary_value, a.json_value) for a in values]
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
    return True
