"""How many claims are read for one more does not grow with how many there are."""

from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, text

from spackmon.database import Database
from spackmon.database.roles import Role
from spackmon.ingest import store
from spackmon.ingest.tables import claims
from spackmon.runs.untimed import NEWEST
from spackmon.status import BuildStatus, SourceKind
from spackmon.submission import Environment, InstallReport, Source
from tests.runs.claims import START
from tests.simulator.documents import on_disk
from tests.simulator.histories import specs
from tests.simulator.trials import people

ZLIB = specs(5, "aa")["zlib"]


def nightly(number: int) -> InstallReport:
    """A run of some night."""
    at = START + timedelta(days=number)
    return InstallReport(
        Source(SourceKind.EXTENSION, f"{number}/{ZLIB.hash}"), graph=on_disk(ZLIB), prefix="/opt/zlib",
        status=BuildStatus.SUCCESS, started_at=at, finished_at=at + timedelta(minutes=5),
    )  # fmt: skip


def untimed(number: int, prefix: str) -> InstallReport:
    """An install of which nobody can say when it was, as of a binary that came from a cache."""
    return InstallReport(
        Source(SourceKind.PREFIX, f"{prefix}#{number}"), graph=on_disk(ZLIB), prefix=prefix,
        status=BuildStatus.SUCCESS,
    )  # fmt: skip


def claims_read(database: Database, monkeypatch: pytest.MonkeyPatch, reports: Iterable[InstallReport]) -> int:
    """How many claims are read from the tables while these are stored."""
    read = 0
    load = claims.load_claims

    def counted(connection: Connection, claim_ids: Iterable[int]) -> Any:
        nonlocal read
        loaded = load(connection, claim_ids)
        read += len(loaded)
        return loaded

    def write(connection: Connection) -> None:
        for report in reports:
            store.apply(connection, report, 1, arrived_at=START + timedelta(days=1000))

    with monkeypatch.context() as patch:
        patch.setattr(claims, "load_claims", counted)
        database.write_once(write)
    return read


def test_claims_read_for_one_more_do_not_grow_with_the_history(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(database)
    counts = []
    for era, nights in enumerate((NEWEST + 1, 8, 8)):
        numbers = range(100 * era, 100 * era + 3)
        claims_read(database, monkeypatch, map(nightly, range(100 * era, 100 * era + nights)))
        claims_read(database, monkeypatch, [untimed(n, f"/ci/{n}/zlib") for n in numbers])
        claims_read(database, monkeypatch, [untimed(n, "/opt/zlib") for n in numbers])
        counts.append([
            claims_read(database, monkeypatch, [nightly(100 * era + 50)]),
            claims_read(database, monkeypatch, [nightly(-era - 1)]),
            claims_read(database, monkeypatch, [untimed(100 * era + 50, "/opt/zlib")]),
            claims_read(database, monkeypatch, [untimed(100 * era + 50, f"/ci/another/{era}")]),
        ])  # fmt: skip
    assert counts[0] == counts[1] == counts[2]
    assert all(count < 10 for count in counts[0])


def test_builds_of_a_package_at_one_time_are_not_read_for_another_spec_or_host(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(database)
    at_once = [
        InstallReport(
            Source(SourceKind.EXTENSION, f"{spec.hash}/{host}"), graph=on_disk(spec), prefix="/opt/zlib",
            environment=Environment(host, "", "", "", ""), status=BuildStatus.SUCCESS,
            started_at=START, finished_at=START + timedelta(minutes=5),
        )
        for spec in (specs(5, f"{letter}a")["zlib"] for letter in "bcd")
        for host in ("one", "two", "three")
    ]  # fmt: skip
    assert claims_read(database, monkeypatch, at_once) == len(at_once)


def test_a_claim_without_times_moves_with_the_last_success_until_there_are_two_of_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(database)

    def beside() -> list[set[str]]:
        rows = database.read_once(
            lambda c: c.exec_driver_sql("SELECT attempt_id, key FROM claim ORDER BY attempt_id").all()
        )
        runs: dict[int, set[str]] = {}
        for attempt_id, key in rows:
            runs.setdefault(attempt_id, set()).add(key.split("/" if key[0] != "/" else "#")[0])
        return [run for run in runs.values() if any(key.startswith("/opt") for key in run)]

    claims_read(database, monkeypatch, [*map(nightly, range(3)), untimed(1, "/opt/zlib")])
    assert beside() == [{"2", "/opt/zlib"}]
    claims_read(database, monkeypatch, [nightly(3)])
    assert beside() == [{"3", "/opt/zlib"}]
    claims_read(database, monkeypatch, [untimed(2, "/opt/zlib")])
    assert beside() == [{"/opt/zlib"}, {"/opt/zlib"}]


def test_postgresql_plans_the_statements_of_reports_once_a_connection(postgresql_url: str) -> None:
    database = Database(postgresql_url, role=Role("test", 1))
    try:
        people(database)
        for number in range(14):
            database.write(partial(store.apply, submission=nightly(number), person_id=1))
        # The driver prepares at the sixth time, PostgreSQL plans five times more.
        planned = database.write(
            lambda connection: connection.execute(
                text("SELECT statement FROM pg_prepared_statements WHERE custom_plans > 5")
            ).all()
        )
    finally:
        database.close()
    assert [row.statement for row in planned if "unnest" in row.statement] == []
