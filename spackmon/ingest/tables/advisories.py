"""Every statement of known defects."""

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from spackmon.graph.defects import Defect
from spackmon.ingest.rows import Statement, over_rows

_PUT = Statement(
    """
    INSERT INTO advisory (identifier, aliases, summary, affects, undecided, withdrawn_at, loaded_at)
    VALUES (:identifier, :aliases, :summary, :affects, :undecided, :withdrawn_at, :now)
    ON CONFLICT (identifier) DO UPDATE SET aliases = excluded.aliases, summary = excluded.summary,
        affects = excluded.affects, undecided = excluded.undecided, withdrawn_at = excluded.withdrawn_at,
        loaded_at = excluded.loaded_at
    RETURNING id
    """
)
_DELETE_VARIANTS = Statement(
    """
    DELETE FROM advisory_variant
    WHERE advisory_range_id IN (SELECT r.id FROM advisory_range r WHERE r.advisory_id = :id)
    """
)
_DELETE_RANGES = Statement("DELETE FROM advisory_range WHERE advisory_id = :id")
_INSERT_RANGE = Statement(
    """
    INSERT INTO advisory_range (advisory_id, package_name, low, high) VALUES (:id, :package, :low, :high)
    RETURNING id
    """
)
_INSERT_VARIANTS = over_rows(
    "range_id bigint, name text, value text",
    """
    INSERT INTO advisory_variant (advisory_range_id, name, value)
    SELECT i.range_id, i.name, i.value FROM {input} i
    WHERE true
    ON CONFLICT DO NOTHING
    """,
)


def put_defect(connection: Connection, defect: Defect, now: datetime) -> None:
    """Store a defect in place of what was stored under its identifier."""
    (row,) = _PUT.run(
        connection, identifier=defect.identifier, aliases=_listed(defect.aliases), summary=defect.summary,
        affects=_listed(defect.affects), undecided=_listed(defect.undecided),
        withdrawn_at=defect.withdrawn_at, now=now,
    )  # fmt: skip
    _DELETE_VARIANTS.run(connection, id=row.id)
    _DELETE_RANGES.run(connection, id=row.id)
    for one in defect.ranges:
        low, high = one.keys
        (stored,) = _INSERT_RANGE.run(connection, id=row.id, package=one.package, low=low, high=high)
        _INSERT_VARIANTS.run(connection, [(stored.id, *variant) for variant in one.variants])


def _listed(texts: Sequence[str]) -> str:
    return json.dumps(list(texts), separators=(",", ":"))
