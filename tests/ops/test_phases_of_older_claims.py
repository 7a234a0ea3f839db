"""Claims have the phases that they had before these were some bytes, also those that changed meanwhile."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, text

from spackmon.database import Database
from spackmon.ingest.tables.claims import load_claims
from spackmon.ops.migrations import upgrade
from spackmon.runs.claim import PhaseClaim
from tests.ops.landed import upgrade_to

MOMENT = {"t": "2024-01-01T00:00:00.000000Z"}
SINCE = datetime(2024, 1, 1, tzinfo=UTC)
FILLED = (
    "INSERT INTO person (id, name, created_at) VALUES (1, 'ada', :t)",
    "INSERT INTO build_environment (id, hostname, platform, operating_system, target, kernel_version)"
    " VALUES (1, 'node', 'linux', 'debian12', 'zen2', '')",
    "INSERT INTO log (id, digest, size_bytes, rules_version, unlisted_events) VALUES (70000, :d, 5, 0, 0)",
)
CLAIM = text(
    "INSERT INTO claim (id, key, phases, owner_id, owner_is_certain, kind, environment_id, status, is_live,"
    " time_uncertainty_seconds, times_enclose_run, tags, first_reported_at, last_reported_at)"
    " VALUES (:id, :key, :phases, 1, true, 'MS1', 1, 'SUCCESS', true, 0, false, '[]', :t, :t)"
)
TEXTS = {
    1: '[[13,0,1000000,70000,2000000,1.5],["‘x’","odd",-5,null,"noon",0.1,7,2.25,4096]]',
    2: None,
    3: "[[14,1,3000000]]",
    9000: "[[17,0,0]]",
}


def at(seconds: float) -> datetime:
    return SINCE + timedelta(seconds=seconds)


PHASES = {
    1: (
        PhaseClaim("configure", 1, "SUCCESS", 1.5, at(1), 70000, 5, "2024-01-01T00:00:02"),
        PhaseClaim("‘x’", 7, "odd", 0.1, at(-0.000005), None, 0, "noon", 2.25, 4096),
    ),
    2: (PhaseClaim("build", 1, "ERROR", None, at(4)),),
    3: (PhaseClaim("build", 1, "ERROR", None, at(3)),),
    9000: (PhaseClaim("install", 1, "SUCCESS", None, at(0)),),
}


def test_claims_keep_their_phases_while_others_write(empty_url: str, tmp_path: Path) -> None:
    upgrade_to(56, empty_url, tmp_path / "before")
    database = Database(empty_url)

    def write(connection: Connection) -> None:
        for statement in FILLED:
            given = {**MOMENT, "d": b"digest"}
            used = {name: value for name, value in given.items() if f":{name}" in statement}
            connection.execute(text(statement), used)
        rows = [{"id": i, "key": str(i), "phases": phases, **MOMENT} for i, phases in TEXTS.items()]
        connection.execute(CLAIM, rows)

    database.write_once(write)

    def change(progress: str) -> None:
        if progress == "what changed meanwhile" or database.is_sqlite:
            changed = text("UPDATE claim SET phases = '[[14,1,4000000]]' WHERE id = 2")
            database.write_once(lambda connection: connection.execute(changed))

    if database.is_sqlite:
        change("")
    upgrade(empty_url, tell=change)
    stored = database.read_once(lambda connection: load_claims(connection, PHASES))
    assert {number: one.claim.phases for number, one in stored.items()} == PHASES
    database.close()
