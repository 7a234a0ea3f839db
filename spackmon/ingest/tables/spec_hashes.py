"""Where the hashes of specs are stored: SQLite has a row for each, PostgreSQL for those beside a spec's own.

PostgreSQL's `spec_hash` is a view: of a spec's own hash, which is its row's, and of `spec_other_hash`, which
is one in SQLite. Today's Spack shows a spec by its own hash alone, which would be stored twice. PostgreSQL
expects too many rows of a view: where others alone can matter, a statement reads those.
"""

from collections.abc import Iterable, Set

from sqlalchemy import Connection

from spackmon.ingest.rows import insert_rows, over_rows

HashRow = tuple[str, str, int]
"""A hash, its kind, and the spec that it was shown for."""

_COLUMNS = "value text, kind text, spec_id bigint"

_INSERT = insert_rows("spec_hash", _COLUMNS, ending="ON CONFLICT DO NOTHING")
# Of what is a spec's own there is no row, whoever inserts it: else the view would have it twice.
_INSERT_OTHERS = over_rows(
    _COLUMNS,
    """
    INSERT INTO spec_other_hash (value, kind, spec_id)
    SELECT i.value, i.kind, i.spec_id FROM {input} i
    WHERE NOT EXISTS (
        SELECT 1 FROM spec s WHERE s.id = i.spec_id AND s.hash = i.value AND s.hash_kind = i.kind
    )
    ON CONFLICT DO NOTHING
    """,
)
_OWN = over_rows("id bigint", "SELECT s.hash, s.hash_kind, s.id FROM {input} i JOIN spec s ON s.id = i.id")
_STORED, _STORED_OTHERS = (
    over_rows(
        "id bigint",
        f"SELECT h.value, h.kind, h.spec_id FROM {{input}} i JOIN {table} h ON h.spec_id = i.id",  # noqa: S608
    )
    for table in ("spec_hash", "spec_other_hash")
)
_DELETE, _DELETE_OTHERS = (
    over_rows(
        _COLUMNS,
        f"DELETE FROM {table} WHERE (value, kind, spec_id) IN"  # noqa: S608 -- of our own constants
        " (SELECT i.value, i.kind, i.spec_id FROM {input} i)",
    )
    for table in ("spec_hash", "spec_other_hash")
)
_FORGET, _FORGET_OTHERS = (
    over_rows("id bigint", f"DELETE FROM {table} WHERE spec_id IN (SELECT i.id FROM {{input}} i)")  # noqa: S608
    for table in ("spec_hash", "spec_other_hash")
)


def add_hashes(connection: Connection, rows: Iterable[HashRow], own: Set[HashRow] = frozenset()) -> None:
    """Insert hashes as far as they are not there; `own` are those of which that is known."""
    if connection.dialect.name == "sqlite":
        _INSERT.run(connection, sorted(rows))
    else:
        _INSERT_OTHERS.run(connection, sorted(row for row in rows if row not in own))


def replace_hashes(connection: Connection, spec_ids: Iterable[int], rows: Set[HashRow]) -> int:
    """Make these the hashes of some specs, among which are their own; how many rows differed."""
    ids = [(one,) for one in spec_ids]
    if connection.dialect.name == "sqlite":
        stored = {(row[0], row[1], row[2]) for row in _STORED.run(connection, ids)}
        _DELETE.run(connection, sorted(stored - rows))
        _INSERT.run(connection, sorted(rows - stored))
        return len(stored ^ rows)
    others = rows - {(row[0], row[1], row[2]) for row in _OWN.run(connection, ids)}
    stored = {(row[0], row[1], row[2]) for row in _STORED_OTHERS.run(connection, ids)}
    _DELETE_OTHERS.run(connection, sorted(stored - others))
    _INSERT_OTHERS.run(connection, sorted(others - stored))
    return len(stored ^ others)


def forget_hashes(connection: Connection, spec_ids: Iterable[int]) -> None:
    """Delete the hashes of some specs."""
    forget = _FORGET if connection.dialect.name == "sqlite" else _FORGET_OTHERS
    forget.run(connection, sorted((one,) for one in spec_ids))
