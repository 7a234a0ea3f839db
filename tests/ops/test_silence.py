"""Runs whose client is gone end; those of a client that is only silent do not."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from spackmon.auth.people import add_person
from spackmon.database import Database
from spackmon.ingest.runs.silence import end_silent_runs
from spackmon.models import utc_now
from tests import player
from tests.player import Player
from tests.server import Server, in_database, served
from tests.waiting import until

STATUSES = "{ builds(first: 50) { nodes { id status attempts { nodes { status finishedAt } } } } }"
HOUR = 3600.0


def begin(server: Server) -> tuple[Player, dict[str, object]]:
    """A client that reports one phase and then nothing more; the phase."""
    client = Player(server.url, server.user, server.token)
    for exchange in player.exchanges("0.17-success"):
        assert client.play_one(exchange) is None
        if exchange["path"].endswith("phases/update/"):
            body = json.loads(exchange["request_body"])
            return client, {**body, "build_id": client.build_ids[body["build_id"]]}
    raise AssertionError("no phase was recorded")


def statuses(server: Server) -> list[str]:
    nodes = server.ask(STATUSES)["builds"]["nodes"]
    assert all(node["attempts"]["nodes"][-1]["status"] == node["status"] for node in nodes)
    return sorted(node["status"] for node in nodes)


def test_a_run_ends_after_the_stated_silence_and_goes_on_when_its_client_does(
    database_url: str, tmp_path: Path
) -> None:
    with served(database_url, tmp_path) as server:
        client, phase = begin(server)
        before = statuses(server)
        assert "RUNNING" in before

        def at(hours: float) -> int:
            moment = utc_now() + timedelta(hours=hours)
            ended: int = in_database(server, lambda c: end_silent_runs(c, moment, 2 * HOUR))
            return ended

        assert at(1) == 0
        assert statuses(server) == before
        assert at(3) == len(before)
        assert statuses(server) == ["CANCELLED"] * len(before)
        assert at(3) == 0
        later = {**phase, "phase_name": "later"}
        assert client.write("/ms1/builds/phases/update/", json.dumps(later).encode())[0] == 200
        (revived,) = [one for one in server.ask(STATUSES)["builds"]["nodes"] if one["status"] == "RUNNING"]
        assert [one["status"] for one in revived["attempts"]["nodes"]] == ["RUNNING"]


def test_the_server_does_it_by_itself_and_finished_runs_stay(database_url: str, tmp_path: Path) -> None:
    with served(database_url, tmp_path, run_silence_seconds=1.0) as server:
        client = Player(server.url, server.user, server.token)
        assert client.play("0.17-success") == []
        finished = len(statuses(server))
        # One of them runs again.
        begin(server)
        until(lambda: not {"RUNNING", "NOTRUN"} & set(statuses(server)), "the end of the silent runs")
        assert statuses(server) == ["CANCELLED"] + ["SUCCESS"] * (finished - 1)


CLAIMS = """
    INSERT INTO claim (owner_id, owner_is_certain, kind, key, environment_id, status, is_live,
        time_uncertainty_seconds, times_enclose_run, first_reported_at, last_reported_at, abandoned_at)
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
    SELECT 1, true, 'MS1', :status || i, 1, :status, true, 0, false, :at, :at, :abandoned_at FROM n
"""


def test_runs_that_are_over_are_not_read_again(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    now = utc_now()
    at = {name: (now - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S.%fZ") for name, hours in
          {"before": 3, "now": 0}.items()}  # fmt: skip

    def add(status: str, count: int, when: str, abandoned_at: str | None = None) -> None:
        values = {"status": status, "count": count, "at": at[when], "abandoned_at": abandoned_at}
        database.write_once(lambda connection: connection.execute(text(CLAIMS), values))

    def steps() -> int:
        count = 0

        def step() -> None:
            nonlocal count
            count += 1

        def look(connection: Connection) -> None:
            driver: Any = connection.connection.dbapi_connection
            driver.set_progress_handler(step, 100)
            # Each of them is of a machine that reports: none ends.
            assert end_silent_runs(connection, now, 2 * HOUR) == 0
            driver.set_progress_handler(None, 0)

        database.write_once(look)
        return count

    machine = (
        "INSERT INTO build_environment (id, hostname, platform, operating_system, target, kernel_version)"
        " VALUES (1, 'node', '', '', '', '')"
    )
    database.write_once(lambda c: (add_person(c, "ada"), c.execute(text(machine))))
    add("NOTRUN", 20, "before")
    add("SUCCESS", 20, "now")
    few = steps()
    add("SUCCESS2", 20_000, "before")
    add("RUNNING", 20_000, "before", at["before"])
    assert steps() < few + 50
    database.close()


def test_one_process_of_a_site_does_it_at_a_time(postgresql_url: str) -> None:
    one, other = Database(postgresql_url), Database(postgresql_url)
    now = utc_now()
    with one.engine.begin() as connection:
        end_silent_runs(connection, now, HOUR)
        # Not held up by the first, which has not committed.
        assert other.write_once(lambda c: end_silent_runs(c, now, HOUR)) == 0
    one.close()
    other.close()
