"""Buildcaches, as they were when they were read last."""

from datetime import datetime

from sqlalchemy import Connection

from spackmon.ingest.receipts import BuildcacheReceipt
from spackmon.ingest.rows import Statement, over_rows
from spackmon.ingest.tables.audiences import OF_OWNER
from spackmon.submission import BuildcacheEntry, BuildcacheReport

_ADD = Statement(
    f"""
    INSERT INTO buildcache (owner_id, name, layout_version, is_listed, audience_id, read_at)
    VALUES (:owner_id, :name, :layout_version, :is_listed, {OF_OWNER}, :read_at)
    ON CONFLICT DO NOTHING
    RETURNING id
    """  # noqa: S608 -- of our own constants
)
# Of two that were read at the same time in different ways nobody can tell the later one.
_REPLACE = Statement(
    f"""
    UPDATE buildcache SET layout_version = :layout_version, is_listed = :is_listed, read_at = :read_at,
        audience_id = {OF_OWNER}
    WHERE owner_id = :owner_id AND name = :name AND read_at < :read_at
    RETURNING id
    """  # noqa: S608 -- as above
)
_FIND = Statement("SELECT id FROM buildcache WHERE owner_id = :owner_id AND name = :name")
_KNOWN = Statement(
    """
    SELECT id, layout_version, spec_hash, in_index, has_spec_file, has_archive, stated_hash
    FROM buildcache_entry WHERE buildcache_id = :buildcache_id
    """
)
_PUT_ENTRIES = over_rows(
    "buildcache_id bigint, layout_version integer, spec_hash text, in_index integer, has_spec_file integer, "
    "has_archive integer, stated_hash text, disagreement text",
    """
    INSERT INTO buildcache_entry
        (buildcache_id, layout_version, spec_hash, in_index, has_spec_file, has_archive, stated_hash,
         disagreement)
    SELECT i.buildcache_id, i.layout_version, i.spec_hash, CAST(i.in_index AS boolean),
        CAST(i.has_spec_file AS boolean), CAST(i.has_archive AS boolean), i.stated_hash, i.disagreement
    FROM {input} i
    WHERE true
    ON CONFLICT (buildcache_id, spec_hash, layout_version) DO UPDATE
    SET in_index = excluded.in_index, has_spec_file = excluded.has_spec_file,
        has_archive = excluded.has_archive, stated_hash = excluded.stated_hash,
        disagreement = excluded.disagreement
    """,
)
_DELETE_ENTRIES = over_rows(
    "id bigint", "DELETE FROM buildcache_entry WHERE id IN (SELECT i.id FROM {input} i)"
)
# A spec may be reported after the buildcache that has it; of old ones several share a hash.
_FIND_SPECS = Statement(
    """
    UPDATE buildcache_entry SET spec_id = (
        SELECT s.id FROM spec_hash h JOIN spec s ON s.id = h.spec_id
        WHERE h.value = buildcache_entry.spec_hash
        ORDER BY CASE WHEN s.hash = h.value AND s.hash_kind = h.kind THEN 0 ELSE 1 END, s.hash, s.hash_kind
        LIMIT 1
    )
    WHERE buildcache_id = :buildcache_id AND spec_id IS NULL
    """
)


def apply_buildcache(
    connection: Connection, report: BuildcacheReport, owner_id: int, now: datetime
) -> BuildcacheReceipt:
    """Keep what a buildcache has in place of what it had when this person read it before.

    What was read earlier than what is known changes nothing, whenever it comes in.
    """
    # A clock that is ahead must not keep out what is read later.
    read_at = min(report.read_at, now)
    values = {
        "owner_id": owner_id, "name": report.name, "is_listed": report.is_listed, "read_at": read_at,
        "layout_version": max((one.layout_version for one in report.entries), default=None),
    }  # fmt: skip
    added = _ADD.run(connection, **values)
    newer = added or _REPLACE.run(connection, **values)
    (buildcache,) = newer or _FIND.run(connection, owner_id=owner_id, name=report.name)
    is_changed = bool(newer) and _put_entries(connection, buildcache.id, report)
    _FIND_SPECS.run(connection, buildcache_id=buildcache.id)
    return BuildcacheReceipt(created=bool(added), changed=is_changed, name=report.name)


def _put_entries(connection: Connection, buildcache_id: int, report: BuildcacheReport) -> bool:
    """Make the entries those of the report; whether that changed any."""
    known = {_entry(row): row.id for row in _KNOWN.run(connection, buildcache_id=buildcache_id)}
    wanted = {_key(entry) for entry in report.entries}
    gone = [(row_id,) for entry, row_id in known.items() if _key(entry) not in wanted]
    new = [
        (
            buildcache_id, one.layout_version, one.spec_hash, _integer(one.in_index),
            _integer(one.has_spec_file), _integer(one.has_archive), one.stated_hash, one.disagreement,
        )
        for one in report.entries
        if one not in known
    ]  # fmt: skip
    _DELETE_ENTRIES.run(connection, gone)
    _PUT_ENTRIES.run(connection, new)
    return bool(gone or new)


def _entry(row: object) -> BuildcacheEntry:
    fields = {name: getattr(row, name) for name in BuildcacheEntry.__slots__}
    for name in ("in_index", "has_spec_file", "has_archive"):
        fields[name] = None if fields[name] is None else bool(fields[name])
    return BuildcacheEntry(**fields)


def _key(entry: BuildcacheEntry) -> tuple[int, str]:
    return entry.layout_version, entry.spec_hash


def _integer(value: bool | None) -> int | None:
    return None if value is None else int(value)
