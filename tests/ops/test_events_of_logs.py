"""What revisions before 0022 held of logs and reports are events of runs and groups afterwards."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, insert, select, text

from spackmon.database import Database
from spackmon.ingest.checking import check_database
from spackmon.ingest.regrouping import judge_errors_of_logs, judge_reported_errors
from spackmon.logs.fingerprint import fingerprint
from spackmon.models import Base
from spackmon.ops.migrations import upgrade
from spackmon.status import BuildStatus
from tests.ingest.installs import cdash
from tests.ingest.reports import Site, spec
from tests.ingest.test_run_events import BROKEN, GROUPS, OF_RUN, REPORTED, ZLIB
from tests.ops.landed import as_before, upgrade_to

_NEW = frozenset({"error_group", "build_event", "spec_document"})
_REPORTED_BEFORE = frozenset({"log_event", "phase"})
_COLUMNS = ("claim_id", "attempt_id", "position", "kind", "text")
_OLD_EVENT = f"""INSERT INTO build_event ({", ".join(_COLUMNS)}, error_group_id)
    SELECT {", ".join(f":{name}" for name in _COLUMNS)}, g.id FROM error_group g WHERE g.text = :text"""
# What a claim says of its phases had rows of its own before 0038, and a phase its own name before 0072.
_OF_PHASE = ("name", "position", "status", "duration_seconds", "reported_at", "log_id")
_PHASES = """SELECT k.name, k.position, k.status, p.duration_seconds, p.reported_at, p.log_id,
    p.attempt_id * 100 + p.place AS id, p.attempt_id, c.id
    FROM phase p JOIN phase_kind k ON k.id = p.kind_id JOIN claim c ON c.attempt_id = p.attempt_id"""
_VALUES = ", ".join(f":{name}" for name in _OF_PHASE)
_OLD_PHASES = [
    f"INSERT INTO phase (id, attempt_id, {', '.join(_OF_PHASE)}) VALUES (:id, :attempt_id, {_VALUES})",
    f"INSERT INTO claim_phase (claim_id, {', '.join(_OF_PHASE)}) VALUES (:claim_id, {_VALUES})",
]
FIRST = """SELECT b.id, a.id, g.fingerprint FROM build b JOIN attempt a ON a.build_id = b.id
    JOIN error_group g ON g.id = b.first_error_group_id AND g.id = a.first_error_group_id ORDER BY b.id"""
_OLD_GROUPS = "SELECT DISTINCT text FROM build_event WHERE claim_id IS NOT NULL ORDER BY text"


def _carry(site: Site, is_meant: Callable[[str], bool], connection: Connection) -> None:
    """The rows of a site's tables as an older revision would have had them."""
    metadata = MetaData()
    metadata.reflect(connection)
    for table in Base.metadata.sorted_tables:
        if table.name not in metadata.tables or table.name in _NEW or not is_meant(table.name):
            continue
        there = metadata.tables[table.name]
        columns = [column for column in table.columns if column.name in there.columns]
        rows = site.database.read_once(lambda c, columns=columns: [dict(r) for r in _rows(c, columns)])
        if rows:
            connection.execute(insert(as_before(table)), rows)


def _report(site: Site, connection: Connection) -> None:
    """What sources reported of errors and in logs, and the groups, as a program of before writes it."""
    _carry(site, lambda name: name == "log_event", connection)
    for row in site.rows(_PHASES):
        values = dict(zip((*_OF_PHASE, "id", "attempt_id", "claim_id"), row, strict=True))
        for statement in _OLD_PHASES:
            connection.execute(text(statement), values)
    for (shown,) in site.rows(_OLD_GROUPS):
        connection.execute(
            text("INSERT INTO error_group (fingerprint, text) VALUES (:fingerprint, :text)"),
            {"fingerprint": fingerprint(shown), "text": shown},
        )
    for row in site.rows(f"SELECT {', '.join(_COLUMNS)} FROM build_event WHERE claim_id IS NOT NULL"):
        connection.execute(text(_OLD_EVENT), dict(zip(_COLUMNS, row, strict=True)))


def _rows(connection: Connection, columns: Any) -> Any:
    return connection.execute(select(*columns)).mappings()


@pytest.mark.parametrize("revision", [18, 21])
def test_events_in_logs_become_events_of_runs_whenever_they_were_reported(
    empty_url: str, sqlite_url: str, tmp_path: Path, revision: int
) -> None:
    site = Site(Database(sqlite_url))
    site.phase(site.build(ZLIB), "build", "ERROR", BROKEN)
    site.apply(cdash(spec("hdf5", "1.14"), events=REPORTED, status=BuildStatus.FAILED))
    upgrade_to(revision, empty_url, tmp_path / "before")
    migrated = Database(empty_url)
    migrated.write_once(lambda connection: connection.execute(text("DELETE FROM person")))
    migrated.write_once(partial(_carry, site, lambda name: name not in _REPORTED_BEFORE))
    told: list[str] = []

    def report_once(progress: str) -> None:
        # All is prepared, and there was nothing.
        if not told or progress == "events that changed meanwhile":
            told.append(progress)
            if migrated.is_sqlite or len(told) == 2:
                migrated.write_once(partial(_report, site))

    if migrated.is_sqlite:
        report_once("")
    upgrade(empty_url, tell=report_once)
    assert told
    rows = partial(_read, migrated)
    of_log = "SELECT kind, error_class, message, is_first FROM build_event WHERE log_event_id IS NOT NULL"
    assert sorted(rows(of_log)) == sorted(site.rows(of_log))
    assert rows("SELECT count(*) FROM error_group WHERE version = 1") == [(1,)]
    assert not [part for part in check_database(migrated, repair=False) if sum(part.differences.values())]
    for judge in (judge_errors_of_logs, judge_reported_errors):
        migrated.write_once(lambda c, judge=judge: judge(c, 0, 100, keep_classes=True))
    assert rows(OF_RUN) == site.rows(OF_RUN)
    assert rows(GROUPS) == site.rows(GROUPS)
    first = rows(FIRST)
    assert first == site.rows(FIRST)
    assert first
    migrated.close()


def _read(database: Database, question: str) -> list[tuple[Any, ...]]:
    return database.read_once(lambda c: [tuple(row) for row in c.execute(text(question))])
