"""Everything that a database says, but for row numbers and for when it was reported: equal for every order.

Rows are written with what they refer to in place of its number. A table or a column that is new is in it
without a line here: only what is left out is named.
"""

import hashlib
from collections import defaultdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, select

from spackmon.logs import chunks
from spackmon.models import Base, TagSet
from spackmon.models.builds import BUILDS_OF_CHUNK
from spackmon.runs.packed_phases import unpack

# What says when or how often something was reported, or helps the next report; no answer about what ran.
_NO_FACTS = frozenset({
    "alembic_version", "audit_entry", "build_day", "build_facet", "build_facet_change",
    "build_facet_duration", "build_facet_total",
    "build_total", "build_total_change", "earlier_phase", "error_group_change", "identity", "inbox_entry",
    "log_object",
    "merged_build", "notification_channel", "notification_delivery", "notification_rule",
    "package_set", "package_set_member",
    "person", "rate_count", "reported_change", "session", "signing_key", "spec_revision", "submission_batch",
    "tag_set", "tag_set_member", "token",
})  # fmt: skip
# Words and texts that stay when nothing has them any longer.
_DICTIONARY = ("configure_arguments", "event_context", "phase_kind")
_REPORTED = frozenset({
    "reported_at", "recorded_at", "first_reported_at", "last_reported_at", "created_at", "updated_at",
    "received_at", "client_build_id", "facet_id", "package_set_id",
})  # fmt: skip

# What PostgreSQL keeps otherwise, and other columns say: sums that are folded later, places in a list of one,
# words of plain texts. And what numbers phases as they came.
_KEPT_OTHERWISE = frozenset({
    ("build_content", "chunk"), ("build_content", "places"), ("build_event", "search_words"),
    ("error_group", "event_count"),
    ("error_group", "run_count"), ("error_group", "build_count"), ("error_group", "first_seen"),
    ("error_group", "last_seen"), ("phase", "place"),
})  # fmt: skip


def canonical_dump(connection: Connection) -> dict[str, list[Any]]:
    """The rows of every table, sorted; also what nothing refers to any longer."""
    tables = [table for table in Base.metadata.sorted_tables if table.name not in _NO_FACTS]
    return _Dump(connection, tables).whole()


class _Dump:
    def __init__(self, connection: Connection, tables: list[Table]) -> None:
        self._logs = _logs(connection)
        self._tags = {row.id: row.names for row in connection.execute(select(TagSet.id, TagSet.names))}
        self._tables = [table for table in tables if table.name != "log_chunk"]
        self._rows = {table.name: [dict(row._mapping) for row in connection.execute(select(table))]
                      for table in self._tables}  # fmt: skip
        self._numbers = {
            name: {row["id"]: row for row in rows if "id" in row} for name, rows in self._rows.items()
        }
        self._named: dict[tuple[str, Any], Any] = {}

    def whole(self) -> dict[str, list[Any]]:
        return {
            table.name: sorted((self._plain(table, row) for row in self._rows[table.name]), key=repr)
            for table in self._tables
            if table.name not in _DICTIONARY
        }

    def _plain(self, table: Table, row: dict[str, Any]) -> Any:
        """The row as (column, value) pairs; a reference is the row it refers to."""
        pairs = []
        for column in table.columns:
            name, value = column.name, row[column.name]
            # An event that was read in a log has the log's row's number beside all that it repeats of that.
            is_number = name in ("id", "log_event_id")
            if name in _REPORTED or is_number or (table.name, name) in _KEPT_OTHERWISE:
                continue
            if (table.name, name) == ("build_content", "place"):
                # It goes by the build's number, and is told by the build.
                name, value = "build", self._reference("build", row["chunk"] * BUILDS_OF_CHUNK + value)
            if name == "tag_set_id":
                value = self._tags.get(value)
            if (table.name, name) == ("claim", "phases"):
                value = self._phases(row)
            if name == "newest_attempt_id":
                # The attempt refers to its build: its number is enough.
                name, value = "newest", self._numbers["attempt"].get(value, {}).get("number")
            target = _target(table, column.name)
            if target is not None and value is not None:
                value = self._reference(target, value)
            if name == "finished_at" and table.name in ("attempt", "build") and _is_end_a_report(self, row):
                continue
            pairs.append((name, _value(value)))
        if table.name == "log":
            pairs.append(("content", self._logs.get(row["id"])))
        return tuple(pairs)

    def _phases(self, claim: dict[str, Any]) -> Any:
        """What a claim says of phases, but for when it was reported."""
        found = unpack(claim["phases"], claim["first_reported_at"], defaultdict(int))
        return [
            (p.name, p.position, p.status, p.duration_seconds, p.mark, p.cpu_seconds, p.peak_memory_bytes,
             None if p.log_id is None else self._reference("log", p.log_id))
            for p in found
        ]  # fmt: skip

    def newest(self, build: dict[str, Any]) -> dict[str, Any] | None:
        """The attempt that a build shows."""
        return self._numbers["attempt"].get(build["newest_attempt_id"])

    def _reference(self, target: str, number: Any) -> Any:
        if target not in self._numbers:
            return number
        key = (target, number)
        if key not in self._named:
            table = Base.metadata.tables[target]
            row = self._numbers[target].get(number)
            # A digest: a phase would otherwise repeat its attempt, its build, its spec and all below.
            self._named[key] = None if row is None else _short(target, self._plain(table, row))
        return self._named[key]


def _is_end_a_report(dump: "_Dump", row: dict[str, Any]) -> bool:
    """Whether a run has no times of its own: its inferred end is when it was reported."""
    attempt = dump.newest(row) if "newest_attempt_id" in row else row
    return attempt is not None and attempt["end_is_inferred"] and attempt["started_at"] is None


def _short(target: str, plain: Any) -> str:
    fields = dict(plain)
    name = fields.get("name") or fields.get("hash") or fields.get("version") or ""
    return f"{target} {name} {hashlib.sha256(repr(plain).encode()).hexdigest()[:12]}"


# Derived rows refer to others without a foreign key.
_UNDECLARED = {
    "package_id": "package", "build_id": "build", "package_version_id": "package_version",
    "ancestor_id": "spec", "descendant_id": "spec", "spec_id": "spec", "attempt_id": "attempt",
    "error_group_id": "error_group", "first_error_group_id": "error_group",
    "environment_set_id": "environment_set", "manifest_id": "manifest", "parameter_set_id": "parameter_set",
    "configure_arguments_id": "configure_arguments", "context_id": "event_context",
}  # fmt: skip


def _target(table: Table, column: str) -> str | None:
    for key in table.columns[column].foreign_keys:
        return key.column.table.name
    return _UNDECLARED.get(column)


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return bytes(value) if isinstance(value, memoryview) else value


def _logs(connection: Connection) -> dict[int, bytes]:
    table = Base.metadata.tables["log_chunk"]
    pieces: dict[int, list[bytes]] = defaultdict(list)
    for row in connection.execute(select(table).order_by(table.c.log_id, table.c.number)):
        pieces[row.log_id].append(bytes(row.content))
    return {log: chunks.join(parts) for log, parts in pieces.items()}


def differences(one: dict[str, list[Any]], other: dict[str, list[Any]]) -> dict[str, list[str]]:
    """The tables that differ, each with the columns whose values do (none where rows pair them otherwise)."""
    return {
        table: [name for name in _columns(one[table], other[table]) if _values(one, table, name)
                != _values(other, table, name)]
        for table in one
        if one[table] != other[table]
    }  # fmt: skip


def _columns(*dumps: list[Any]) -> list[str]:
    return [name for name, _ in next((rows[0] for rows in dumps if rows), ())]


def _values(dump: dict[str, list[Any]], table: str, column: str) -> list[str]:
    return sorted(repr(dict(row)[column]) for row in dump[table])
