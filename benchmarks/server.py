"""The service under measurement: `spackmon serve` in a process of its own, as a site runs it."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

_START_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Server:
    """A running service that lets anybody in."""

    url: str
    process_id: int
    http: httpx.Client
    supervisor_id: int = 0

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return httpx.URL(self.url).port or 80


@contextlib.contextmanager
def served(database_url: str) -> Iterator[Server]:
    """A server over this database for as long as the block."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="spackmon-bench-") as data_directory:
        environment = {
            **os.environ, "SPACKMON_DATABASE_URL": database_url, "SPACKMON_DATA_DIR": data_directory,
            "SPACKMON_PORT": str(port), "SPACKMON_DISABLE_AUTHENTICATION": "true",
        }  # fmt: skip
        process = subprocess.Popen(
            [Path(sys.executable).with_name("spackmon"), "serve"],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_healthy(url, process)
            with httpx.Client(base_url=url, timeout=300) as http:
                yield Server(url, worker_of(process.pid), http, process.pid)
        finally:
            process.terminate()
            process.wait()


def worker_of(supervisor_id: int) -> int:
    """The process that answers: the one that was started only keeps the sockets; proc(5), children."""
    (child,) = Path(f"/proc/{supervisor_id}/task/{supervisor_id}/children").read_text().split()
    return int(child)


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    # Reading the certificates of the world for each look would take from the server what it starts with.
    with httpx.Client(verify=False) as http:
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if http.get(f"{url}/readyz").status_code == 200:
                    return
            time.sleep(0.05)
    raise RuntimeError("the server did not start")
