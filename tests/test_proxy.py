"""The configuration of nginx that the project ships, in a real nginx before the service."""

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.player import exchanges
from tests.server import Server, served
from tests.waiting import GIVE_UP_SECONDS, until

SHIPPED = Path(__file__).parents[1] / "deploy" / "nginx"
_MAIN = """
daemon off; pid {directory}/pid; error_log stderr; worker_processes 1;
events {{ worker_connections 100; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  include {directory}/spackmon.conf;
}}
"""


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


@contextmanager
def _nginx(server: Server, directory: Path) -> Iterator[tuple[str, str]]:
    """The addresses, plain and with TLS, of an nginx with the shipped files before `server`."""
    plain, encrypted = _free_ports()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
         "-keyout", directory / "key.pem", "-out", directory / "certificate.pem"],
        check=True, capture_output=True, timeout=GIVE_UP_SECONDS,
    )  # fmt: skip
    for name in ("spackmon.conf", "spackmon-proxy.inc"):
        text = (SHIPPED / name).read_text()
        for shipped, here in (
            ("spackmon:8000", httpx.URL(server.url).netloc.decode()),
            ("listen 80;", f"listen 127.0.0.1:{plain};"),
            ("listen 443 ssl http2;", f"listen 127.0.0.1:{encrypted} ssl http2;"),
            ("listen [::]:80;", ""),
            ("listen [::]:443 ssl http2;", ""),
            ("/etc/nginx/tls/", f"{directory}/"),
            ("/etc/nginx/", f"{directory}/"),
        ):
            text = text.replace(shipped, here)
        (directory / name).write_text(text)
    (directory / "nginx.conf").write_text(_MAIN.format(directory=directory))
    process = subprocess.Popen(
        ["nginx", "-e", "stderr", "-p", directory, "-c", directory / "nginx.conf"], stderr=subprocess.PIPE
    )

    def answers() -> bool:
        assert process.poll() is None, process.communicate()[1]
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", encrypted)) == 0

    try:
        until(answers)
        yield f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{encrypted}"
    finally:
        process.terminate()
        process.communicate(timeout=GIVE_UP_SECONDS)


@pytest.mark.skipif(not shutil.which("nginx") or not shutil.which("curl"), reason="no nginx, or no curl")
def test_clients_pages_and_streams_pass_through_the_shipped_nginx(sqlite_url: str, tmp_path: Path) -> None:
    with (
        served(sqlite_url, tmp_path) as server,
        _nginx(server, tmp_path) as (plain, encrypted),
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
