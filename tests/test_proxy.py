"""The configuration of nginx that the project ships, in a real nginx before the service."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url

from tests.nginx import nginx
from tests.player import GO_ON, Player, exchanges
from tests.server import Server, served, served_by_process, worker_of
from tests.waiting import GIVE_UP_SECONDS, until

_BEFORE = 8


@pytest.mark.skipif(not shutil.which("nginx") or not shutil.which("curl"), reason="no nginx, or no curl")
def test_clients_pages_and_streams_pass_through_the_shipped_nginx(sqlite_url: str, tmp_path: Path) -> None:
    with (
        served(sqlite_url, tmp_path) as server,
        nginx(server.url, tmp_path, beside_one_away=True) as (plain, encrypted),
        httpx.Client(verify=False) as client,
    ):
        token = {"Authorization": f"Bearer {server.token}"}
        # An old client follows no redirect: what it reports by http arrives, a person is sent to https.
        spec = next(one for one in exchanges("0.17-success") if one["path"].endswith("/specs/new/"))
        body = json.loads(spec["request_body"])
        assert client.post(f"{plain}/ms1/specs/new/", json=body, headers=token).status_code == 201
        assert client.get(f"{plain}/builds").headers["location"].startswith("https://")
        # Larger than nginx lets through by itself; the service answers, by its own code.
        large = client.post(f"{encrypted}/ms1/specs/new/", content=b" " * (3 << 20), headers=token)
        assert "kept as inbox entry" in large.json()["message"]
        unknown = client.post(f"{encrypted}/ms1/builds/new/", json={}, headers={})
        assert f'realm="{encrypted}/auth/token/"' in unknown.headers["www-authenticate"]
        page = _curl(f"{encrypted}/builds", "--http2", "--write-out", "%{http_version}")
        assert page.endswith("2")
        # Each update is passed on when it comes: the first arrives though the answer never ends.
        question = {"query": "subscription { buildUpdated { build { id } } }"}
        events = {"Accept": "text/event-stream"}
        with client.stream("POST", f"{encrypted}/graphql", json=question, headers=events) as stream:
            assert next(stream.iter_raw())


def _curl(*arguments: str) -> str:
    run = subprocess.run(
        ["curl", "--silent", "--show-error", "--insecure", *arguments],
        capture_output=True, text=True, check=True, timeout=GIVE_UP_SECONDS,
    )  # fmt: skip
    return run.stdout


@pytest.mark.skipif(not shutil.which("nginx"), reason="no nginx")
def test_a_report_that_two_killed_processes_were_reading_is_answered_by_the_next(
    sqlite_url: str, tmp_path: Path
) -> None:
    spec = next(one for one in exchanges("0.17-success") if one["path"].endswith("/specs/new/"))
    with (
        served_by_process(sqlite_url, tmp_path) as server,
        nginx(server.url, tmp_path) as (plain, _),
        ThreadPoolExecutor(_BEFORE) as pool,
        closing(sqlite3.connect(make_url(sqlite_url).database or "", timeout=GIVE_UP_SECONDS)) as other,
    ):
        client = Player(plain, server.user, server.token)
        assert client.write("/ms1/specs/new/", b"{}")[0] == 400
        body = spec["request_body"].encode()
        # Whoever is killed has connections that idle, too: it had several reports at once before.
        other.execute("BEGIN EXCLUSIVE")
        several = [pool.submit(client.write, "/ms1/specs/new/", body) for _ in range(_BEFORE)]
        until(lambda: _waiting(server) > 1, "reports that wait for the database")
        other.rollback()
        assert {one.result()[0] for one in several} <= GO_ON
        other.execute("BEGIN EXCLUSIVE")
        report = pool.submit(client.write, "/ms1/specs/new/", body)
        # The one that has the report next is killed, too.
        for _ in range(2):
            until(lambda: _waiting(server) == 1, "a report that waits for the database")
            worker = worker_of(server)
            os.kill(worker, signal.SIGKILL)
            until(lambda: not Path(f"/proc/{worker}").exists(), "its end")  # noqa: B023 -- called here
        other.rollback()
        assert report.result()[0] in GO_ON


def _waiting(server: Server) -> int:
    """How many write, or wait for the lock of the one who does."""
    lines = server.http.get("/metrics").text.splitlines()
    (line,) = (line for line in lines if line.startswith('spackmon_database_turns{use="write"}'))
    return int(float(line.split()[-1]))
