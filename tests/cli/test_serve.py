"""Starting the service, restarting it, and stopping it."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from structlog.testing import capture_logs

from spackmon.cli.welcome import welcome
from spackmon.database import Unprepared
from spackmon.ops.revisions import prepare
from spackmon.settings import Settings
from tests.cli.command import PROGRAM, Shell
from tests.player import Player
from tests.server import USER, Server, new_token, served_by_process
from tests.waiting import until


def test_a_taken_port_is_one_sentence_and_nothing_is_promised(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        finished = shell.run("serve", "--port", port)
    assert finished.returncode == 1
    assert finished.stdout == ""
    assert finished.stderr == (
        f"spackmon: cannot listen at 127.0.0.1 port {port}: Address already in use"
        " (SPACKMON_HOST, SPACKMON_PORT)\n"
    )


def test_the_old_server_s_database_is_not_mistaken_for_one_with_builds(shell_on_both: Shell) -> None:
    with create_engine(shell_on_both.environment["SPACKMON_DATABASE_URL"]).begin() as connection:
        connection.execute(text("CREATE TABLE main_buildenvironment (id INTEGER PRIMARY KEY)"))
    with capture_logs() as logged, contextlib.suppress(Unprepared):
        prepare(shell_on_both.environment["SPACKMON_DATABASE_URL"])
    assert any("the old server's tables" in entry["event"] for entry in logged)


def test_the_commands_work_on_the_servers_own_database_and_no_password_is_on_the_screen() -> None:
    settings = Settings(database_url="postgresql://site:s3cr3t@host/builds")
    printed = welcome(settings, program="spackmon")
    assert "  export SPACKMON_DATABASE_URL='postgresql://site:***@host/builds'\n" in printed
    settings = Settings(database_url="postgresql:///builds?password=s3cr3t")
    assert "s3cr3t" not in welcome(settings, program="spackmon")
    assert "SPACKMON_DATABASE_URL" not in welcome(Settings(), program="spackmon")


def worker_of(process: subprocess.Popen[bytes]) -> str | None:
    """The process that serves, when there is exactly one."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return children[0] if len(children) == 1 else None


def restart(server: Server) -> None:
    """Ask for a new worker, and see the old one gone."""
    assert server.process is not None
    before = worker_of(server.process)
    server.process.send_signal(signal.SIGHUP)
    process = server.process
    until(lambda: worker_of(process) not in (None, before), "the new worker")


def test_recorded_clients_play_through_restarts_without_a_problem(sqlite_url: str, tmp_path: Path) -> None:
    problems: list[str] = []
    is_over = threading.Event()
    with served_by_process(sqlite_url, tmp_path) as server, ThreadPoolExecutor(2) as clients:

        def report() -> None:
            while not is_over.is_set():
                problems.extend(Player(server.url, USER, server.token).play("0.17-fail"))

        reporting = [clients.submit(report) for _ in range(2)]
        try:
            for _ in range(2):
                restart(server)
        finally:
            is_over.set()
        for one in reporting:
            one.result()
    assert problems == []


def test_a_request_that_has_begun_is_finished_by_a_server_that_is_stopped(
    sqlite_url: str, tmp_path: Path
) -> None:
    with served_by_process(sqlite_url, tmp_path) as server:
        assert server.process is not None
        host, port = server.url.removeprefix("http://").split(":")
        body = json.dumps({"spec": {}, "spack_version": "0.17.0"}).encode()
        head = (
            f"POST /ms1/specs/new/ HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {server.token}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode()
        with (
            socket.create_connection((host, int(port))) as silent,
            socket.create_connection((host, int(port))) as begun,
        ):
            begun.sendall(head + body[:5])
            # Both connections are accepted before the answer to a later one.
            assert server.http.get("/healthz").status_code == 200
            server.process.send_signal(signal.SIGTERM)
            until(lambda: not is_accepted(host, int(port)), "the end of accepting")
            silent.sendall(head + body)
            begun.sendall(body[5:])
            for connection in (silent, begun):
                answer = whole(connection)
                assert answer.startswith(b"HTTP/1.1 400"), answer
                assert b"connection: close" in answer.lower()
        assert server.process.wait() == 0


def is_accepted(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port)) as connection:
        connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        return bool(whole(connection))
    return False


def whole(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_killed_worker_is_replaced_and_a_killed_supervisor_leaves_none(
    sqlite_url: str, tmp_path: Path
) -> None:
    with served_by_process(sqlite_url, tmp_path) as server:
        assert server.process is not None
        worker = worker_of(server.process)
        assert worker is not None
        os.kill(int(worker), signal.SIGKILL)
        assert server.http.get("/healthz", headers={"Connection": "close"}).status_code == 200
        process = server.process
        until(lambda: worker_of(process) not in (None, worker), "the new worker")
        replaced = str(worker_of(process))
        process.kill()
        until(lambda: is_gone(replaced), "the end of the worker")


def test_a_worker_ends_with_a_supervisor_that_has_not_heard_that_it_serves() -> None:
    link, of_worker = socket.socketpair()
    of_worker.sendall(b".")
    link.close()
    ending = "import socket; from spackmon.cli.worker import _end_with; _end_with(socket.socket(fileno={}))"
    program = [sys.executable, "-c", ending.format(of_worker.fileno())]
    done = subprocess.run(program, pass_fds=[of_worker.fileno()], capture_output=True, check=False)
    of_worker.close()
    assert (done.returncode, done.stderr) == (1, b"")


def is_gone(process_id: str) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


@pytest.fixture(params=["--fd", "LISTEN_FDS"])
def inherited(request: pytest.FixtureRequest, sqlite_url: str, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The address and a token of a service that somebody else listens for: a shell, or systemd."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number = listening.fileno()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        environment = {
            **os.environ, "SPACKMON_DATABASE_URL": sqlite_url, "SPACKMON_DATA_DIR": str(tmp_path),
            "LISTEN_FDS": "1",
        }  # fmt: skip
        if request.param == "--fd":
            script = f'exec "{PROGRAM}" serve --fd {number}'
        else:
            # As systemd does: the first socket is number 3, and the variable names the process that is meant.
            script = f'exec 3<&{number}; LISTEN_PID=$$ exec "{PROGRAM}" serve'
        process = subprocess.Popen(
            ["bash", "-c", script], env=environment, pass_fds=[number], stdout=subprocess.PIPE
        )
        try:
            yield url, new_token(sqlite_url)
            assert process.stdout is not None
            assert url in process.stdout.readline().decode()
        finally:
            process.terminate()
            process.wait()


def test_a_socket_can_be_inherited_and_who_connects_early_waits(inherited: tuple[str, str]) -> None:
    url, token = inherited
    # Nobody has waited for the service to come up.
    assert Player(url, USER, token).play("0.17-fail") == []


def test_what_is_no_listening_socket_is_refused_with_a_sentence(shell: Shell) -> None:
    assert "file descriptor 77 is not a listening socket" in shell.refused("serve", "--fd", 77)


def test_the_unit_files_start_this_program_and_systemd_understands_them(shell: Shell, tmp_path: Path) -> None:
    for kind in ("service", "socket"):
        (tmp_path / f"spackmon.{kind}").write_text(shell.done("unit", kind))
    assert f'ExecStart="{PROGRAM}" serve\n' in (tmp_path / "spackmon.service").read_text()
    if verify := shutil.which("systemd-analyze"):
        command = [verify, "verify", "--man=no", tmp_path / "spackmon.service", tmp_path / "spackmon.socket"]
        verified = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "spackmon" not in verified.stderr, verified.stderr
