"""The disk of the database is full, read-only or loses its power: no build dies, no acknowledged report."""

import contextlib
import http.client
import json
import os
import random
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from spackmon.ops.migrations import upgrade
from tests import player
from tests.databases import PostgresqlServer
from tests.faulty_disk import FaultyDisk, State
from tests.player import Player
from tests.rest_compat.test_outages import assert_whole, variant
from tests.server import USER, Server, new_token, served, served_by_process
from tests.waiting import until

REASONS: dict[State, str] = {
    "full": "the disk of the database is full",
    "read-only": "the database is read-only",
}


def play_through(server: Server, begin: Callable[[], None], end: Callable[[], None], reason: str) -> None:
    """A client reports without a pause while an outage begins, is seen at /readyz, and ends."""
    problems: list[str] = []
    is_over = threading.Event()

    def report() -> None:
        while not is_over.is_set():
            problems.extend(Player(server.url, server.user, server.token).play("0.17-fail"))

    with ThreadPoolExecutor() as pool:
        reporting = pool.submit(report)
        try:
            assert server.http.get("/readyz").status_code == 200
            begin()
            until(lambda: readiness(server) == (503, reason))
            assert server.http.get("/healthz").status_code == 200
            end()
            until(lambda: readiness(server)[0] == 200)
        finally:
            end()
            is_over.set()
        reporting.result()
    assert problems == []


def readiness(server: Server) -> tuple[int, str | None]:
    answer = server.http.get("/readyz")
    return answer.status_code, answer.json().get("reason")


def logged(server: Server, event: str) -> list[str]:
    """The reasons in the log's lines of this event; a traceback is no line."""
    assert server.log is not None
    text = server.log.read_text()
    assert "Traceback" not in text, text
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line["reason"] for line in lines if line["event"] == event]


@pytest.mark.parametrize("state", ["full", "read-only"])
def test_sqlite_on_a_disk_that_cannot_be_written_is_held_told_and_logged_once(
    faulty_disk: FaultyDisk, tmp_path: Path, state: State
) -> None:
    url = f"sqlite:///{faulty_disk.directory}/builds.db"
    upgrade(url)
    with served_by_process(url, tmp_path, faulty_disk.environment) as server:
        play_through(
            server, lambda: faulty_disk.become(state), lambda: faulty_disk.become("well"), REASONS[state]
        )
        # Of a disk that becomes read-only, SQLite first says that it fails.
        troubles = logged(server, "database_trouble")
        assert troubles[-1] == REASONS[state]
        assert len(troubles) == len(set(troubles)) <= 2
        assert logged(server, "database_recovered") == [REASONS[state]]
    assert_whole(url)


@pytest.fixture
def postgresql_on_a_faulty_disk(
    private_postgresql: PostgresqlServer, faulty_disk_library: Path
) -> Iterator[tuple[PostgresqlServer, FaultyDisk]]:
    disk = FaultyDisk(faulty_disk_library, private_postgresql.tables, faulty_disk_library.parent / "notes")
    private_postgresql.stop()
    with pytest.MonkeyPatch.context() as patched:
        for name, value in disk.environment.items():
            patched.setenv(name, value)
        patched.delenv("FAULTY_DISK_DURABLE")
        private_postgresql.start()
    yield private_postgresql, disk
    disk.become("well")


def test_postgresql_on_a_full_disk_is_held_told_and_logged_once(
    postgresql_on_a_faulty_disk: tuple[PostgresqlServer, FaultyDisk], tmp_path: Path
) -> None:
    postgresql, disk = postgresql_on_a_faulty_disk
    with served_by_process(postgresql.url, tmp_path) as server:
        play_through(server, lambda: disk.become("full"), lambda: disk.become("well"), REASONS["full"])
        assert logged(server, "database_trouble") == [REASONS["full"]]
    assert_whole(postgresql.url)


def test_postgresql_that_is_read_only_is_held_told_and_logged_once(
    private_postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    administration = create_engine(private_postgresql.url, isolation_level="AUTOCOMMIT")

    def become(value: str) -> None:
        with administration.connect() as connection:
            connection.execute(text(f"ALTER SYSTEM SET default_transaction_read_only = {value}"))
            connection.execute(text("SELECT pg_reload_conf()"))

    with served_by_process(private_postgresql.url, tmp_path) as server:
        play_through(server, lambda: become("on"), lambda: become("off"), REASONS["read-only"])
        assert logged(server, "database_trouble") == [REASONS["read-only"]]
    administration.dispose()


@pytest.mark.parametrize("state", ["full", "read-only"])
def test_a_server_that_starts_on_such_a_disk_says_so_and_comes_up_when_it_can(
    faulty_disk: FaultyDisk, tmp_path: Path, state: State
) -> None:
    url = f"sqlite:///{faulty_disk.directory}/builds.db"
    faulty_disk.become(state)
    with served_by_process(
        url,
        tmp_path,
        {**faulty_disk.environment, "SPACKMON_DATA_DIR": str(faulty_disk.directory)},
        token="none yet",
    ) as server:
        status, reason = readiness(server)
        assert status == 503
        assert reason is not None
        waiting = ThreadPoolExecutor().submit(Player(server.url, "nobody", "x").send, "GET", "/ms1/")
        faulty_disk.become("well")
        assert waiting.result()[0] == 200
        until(lambda: readiness(server)[0] == 200)
        assert Player(server.url, server.user, new_token(url)).play("0.17-success") == []
        logged(server, "database_recovered")


def test_after_a_crash_on_a_disk_that_cannot_be_written_the_next_start_recovers_by_itself(
    faulty_disk: FaultyDisk, tmp_path: Path
) -> None:
    url = f"sqlite:///{faulty_disk.directory}/builds.db"
    upgrade(url)
    with served_by_process(url, tmp_path, faulty_disk.environment) as server:
        token = server.token
        assert Player(server.url, server.user, token).play("0.17-success") == []
        faulty_disk.become("read-only")
    with served_by_process(url, tmp_path, faulty_disk.environment, token) as server:
        assert readiness(server)[0] == 503
        playing = ThreadPoolExecutor().submit(Player(server.url, server.user, token).play, "0.17-fail")
        faulty_disk.become("well")
        assert playing.result() == []
        until(lambda: readiness(server)[0] == 200)
    assert_whole(url)


def test_nobody_but_the_owner_can_read_what_the_service_writes(tmp_path: Path) -> None:
    directory = tmp_path / "open"
    directory.mkdir(mode=0o777)
    before = os.umask(0)
    try:
        loose = directory / "spackmon.sqlite3"
        loose.touch(0o666)
        with served(f"sqlite:///{loose}", directory) as server:
            assert Player(server.url, server.user, server.token).play("0.17-success") == []
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    finally:
        os.umask(before)
    assert modes.keys() >= {
        "spackmon.sqlite3",
        "spackmon.sqlite3-wal",
        "spackmon.sqlite3-shm",
        "jwt_server_secret",
    }
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("synchronous", ["FULL", "NORMAL"])
def test_what_was_acknowledged_before_a_power_failure_is_there_after_it(
    faulty_disk: FaultyDisk, tmp_path: Path, synchronous: str
) -> None:
    acknowledged = acknowledged_before_power_loss(faulty_disk, synchronous)
    lost = []
    # What was written and not synced is gone at first; then some of its sectors have reached the disk.
    lucks = [None, *(random.Random(seed) for seed in range(8 if synchronous == "FULL" else 0))]
    for number, luck in enumerate(lucks):
        disk = tmp_path / f"disk-{number}"
        faulty_disk.after_power_loss(disk, luck)
        url = f"sqlite:///{disk}/builds.db"
        with contextlib.closing(sqlite3.connect(disk / "builds.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        with served(url, disk) as server:
            lost.append(sum(server.post("/ms1/specs/new/", body).status_code == 201 for body in acknowledged))
        assert_whole(url)
    # SQLite's own default loses what came since the last checkpoint: the failure can be seen here.
    assert (max(lost) == 0) == (synchronous == "FULL"), lost


def acknowledged_before_power_loss(disk: FaultyDisk, synchronous: str) -> list[bytes]:
    """The graphs that a server acknowledged before the power went, while four clients wrote."""
    url = f"sqlite:///{disk.directory}/builds.db"
    upgrade(url)
    command = [sys.executable, "-m", "tests.faulty_disk.serve", synchronous, url, disk.directory]
    recorded = next(e for e in player.exchanges("0.17-success") if e["path"].endswith("specs/new/"))
    acknowledged: list[bytes] = []
    process = subprocess.Popen(
        command, env={**os.environ, **disk.environment}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    address, token = process.stdout.readline().split()

    def post(body: bytes) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if Player(address, USER, token).write("/ms1/specs/new/", body)[0] == 201:
                acknowledged.append(body)

    with ThreadPoolExecutor(4) as pool:
        posts = [pool.submit(post, variant(recorded["request_body"], number)) for number in range(60)]
        until(lambda: len(acknowledged) >= 15)
        process.kill()
        process.wait()
        for one in posts:
            one.result()
    assert len(acknowledged) < len(posts)
    return acknowledged
