"""The service under test: a real uvicorn over a fresh database, with a person who may report."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from sqlalchemy import Connection

from spackmon.app import create_app
from spackmon.auth.people import add_person
from spackmon.auth.tokens import create_token
from spackmon.database import Database
from spackmon.errors import Code, Refused
from spackmon.http.protocol import BoundedProtocol
from spackmon.http.server import BoundedServer
from spackmon.http.websocket_protocol import MAXIMUM_MESSAGE_BYTES, WebSocketProtocol
from spackmon.settings import Settings
from tests.waiting import GIVE_UP_SECONDS, until, until_in_loop

USER = "builder"
PROGRAM = Path(sys.executable).with_name("spackmon")


@dataclass(frozen=True)
class Server:
    """A running service. `token` is the long-lived one of `user`; both are in `database_url`."""

    url: str
    user: str
    token: str
    database_url: str
    http: httpx.Client = field(repr=False)
    process: subprocess.Popen[bytes] | None = None
    log: Path | None = None

    @property
    def is_on_sqlite(self) -> bool:
        """Whether that is its database."""
        return self.database_url.startswith("sqlite")

    def ask(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The data of a GraphQL answer without errors."""
        answer = self.http.post("/graphql", json={"query": query, "variables": variables or {}}).json()
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    def post(self, path: str, body: Any, token: str | None = None, **headers: str) -> httpx.Response:
        """An ms1 write with the token as Bearer; `body` is JSON to be, or the bytes themselves."""
        credentials = {"Authorization": f"Bearer {token or self.token}"}
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        return self.http.post(path, headers={**credentials, **headers}, **content)


class _Server(BoundedServer):
    """One that stops when it is asked to; uvicorn's own looks ten times a second."""

    _stopped: asyncio.Event | None = None

    async def main_loop(self) -> None:
        """Run until `stop`."""
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        ends = asyncio.create_task(super().main_loop()), asyncio.create_task(self._stopped.wait())
        _, others = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            other.cancel()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what was begun, as uvicorn's own does, which also waits a tenth of a second for nobody."""
        self.end_streams()
        for accepting in (*self.servers, *(sockets or ())):
            accepting.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await until_in_loop(
            lambda: not (self.server_state.connections or self.server_state.tasks), "the last answer"
        )
        for server in self.servers:
            await server.wait_closed()
        await self.lifespan.shutdown()

    def stop(self) -> None:
        """End the loop, from any thread."""
        self.should_exit = True
        if self._stopped is not None:
            self._loop.call_soon_threadsafe(self._stopped.set)


@contextlib.contextmanager
def served(database_url: str, data_dir: Path, **settings: Any) -> Iterator[Server]:
    """A server in a thread of this process, for as long as the block."""
    configured = Settings(database_url=database_url, data_dir=data_dir, **settings)
    listening = socket.create_server(("127.0.0.1", 0), backlog=256)
    config = uvicorn.Config(
        create_app(configured),
        loop="uvloop",
        http=BoundedProtocol,
        ws=WebSocketProtocol,
        ws_max_size=MAXIMUM_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        access_log=False,
        log_config=None,
    )
    running = _Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        until(lambda: running.started or not thread.is_alive(), "the server's start")
        assert running.started, "the server did not start"
        with _client(url) as http:
            token = new_token(configured.session_url)
            yield Server(url, USER, token, database_url, http)
    finally:
        running.stop()
        thread.join(timeout=GIVE_UP_SECONDS)


@contextlib.contextmanager
def served_from(template: Path, directory: Path) -> Iterator[Server]:
    """A server over a copy of an empty, migrated SQLite, for tests that share one."""
    database = shutil.copy(template, directory / "spackmon.db")
    with served(f"sqlite:///{database}", directory) as server:
        yield server


@contextlib.contextmanager
def served_by_process(
    database_url: str,
    data_dir: Path,
    environment: Mapping[str, str] | None = None,
    token: str | None = None,
    program: Path = PROGRAM,
) -> Iterator[Server]:
    """`spackmon serve` as it is started by a site; a test may kill it. Its log is `serve.log` in `data_dir`.

    `token` is that of the user, where the database cannot be asked for a new one.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    variables = {
        **os.environ,
        "SPACKMON_DATABASE_URL": database_url, "SPACKMON_DATA_DIR": str(data_dir),
        "SPACKMON_PORT": str(port), "SPACKMON_HOLD_SECONDS": str(GIVE_UP_SECONDS), **(environment or {}),
    }  # fmt: skip
    log = data_dir / "serve.log"
    with log.open("ab") as stderr:
        process = subprocess.Popen(
            [program, "serve"], env=variables, stdout=subprocess.DEVNULL, stderr=stderr
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_healthy(url, process)
        with _client(url) as http:
            yield Server(url, USER, token or new_token(database_url), database_url, http, process, log)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def worker_of(server: Server) -> int:
    """The process that answers; the one that was started keeps the sockets (proc(5), children)."""
    assert server.process is not None
    supervisor = server.process.pid
    (worker,) = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return int(worker)


def _client(url: str) -> httpx.Client:
    # Reading the certificates of the world takes longer than the start of a server that has none.
    return httpx.Client(base_url=url, timeout=GIVE_UP_SECONDS, verify=False)


def new_token(database_url: str, person: str = USER) -> str:
    """A token of this person, who is added if need be."""
    database = Database(database_url)
    try:
        try:
            database.write(lambda connection: add_person(connection, person))
        except Refused as refused:
            if refused.code is not Code.PERSON_EXISTS:
                raise
        return database.write(lambda connection: create_token(connection, person))
    finally:
        database.close()


def in_database(server: Server, work: Callable[[Connection], Any]) -> Any:
    """What `work` gives back, from a transaction beside the server."""
    database = Database(server.database_url)
    try:
        return database.write(work)
    finally:
        database.close()


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[Server]:
    """The service over a fresh database; the test runs once on each kind."""
    with served(database_url, tmp_path) as running:
        yield running


@contextlib.contextmanager
def _of_a_module(request: pytest.FixtureRequest, factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = factory.mktemp("served")
    if request.param == "postgresql":
        with request.getfixturevalue("postgresql_databases").fresh() as url, served(url, directory) as server:
            yield server
        return
    with served_from(request.getfixturevalue("sqlite_template"), directory) as server:
        yield server


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def long_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One service for a module's tests that leave nothing another would notice, on each kind of database."""
    with _of_a_module(request, tmp_path_factory) as server:
        yield server


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One more, which a fixture of the module fills once for tests that read it."""
    with _of_a_module(request, tmp_path_factory) as server:
        yield server


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    def answers() -> bool:
        assert process.poll() is None, "the server did not start"
        with contextlib.suppress(httpx.TransportError):
            return http.get("/healthz").status_code == 200
        return False

    with _client(url) as http:
        until(answers, "the server's answer")
