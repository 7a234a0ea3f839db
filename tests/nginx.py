"""The configuration of nginx that the project ships, in a real nginx before a service."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.waiting import GIVE_UP_SECONDS, until

SHIPPED = Path(__file__).parents[1] / "deploy" / "nginx"
# What it stores meanwhile lies in a directory of the test's own.
_USER = "user root;" if os.getuid() == 0 else ""
_MAIN = """
daemon off; {user} pid {directory}/pid; error_log stderr; worker_processes 1;
events {{ worker_connections 4000; }}
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
def nginx(url: str, directory: Path, *, beside_one_away: bool = False) -> Iterator[tuple[str, str]]:
    """The addresses, plain and with TLS, of an nginx with the shipped files before the service at `url`.

    `beside_one_away`: its name leads to another process, too, which is not there.
    """
    plain, encrypted = _free_ports()
    here = httpx.URL(url).netloc.decode()
    if beside_one_away:
        here = f"127.0.0.1:{_free_ports()[0]} max_fails=0; server {here}"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
         "-keyout", directory / "key.pem", "-out", directory / "certificate.pem"],
        check=True, capture_output=True, timeout=GIVE_UP_SECONDS,
    )  # fmt: skip
    for shipped_file in SHIPPED.iterdir():
        text = shipped_file.read_text()
        for shipped, replaced in (
            ("spackmon:8000", here),
            ("listen 80;", f"listen 127.0.0.1:{plain};"),
            ("listen 443 ssl http2;", f"listen 127.0.0.1:{encrypted} ssl http2;"),
            ("listen [::]:80;", ""),
            ("listen [::]:443 ssl http2;", ""),
            ("/etc/nginx/tls/", f"{directory}/"),
            ("/etc/nginx/", f"{directory}/"),
        ):
            text = text.replace(shipped, replaced)
        (directory / shipped_file.name).write_text(text)
    (directory / "nginx.conf").write_text(_MAIN.format(directory=directory, user=_USER))
    log = directory / "nginx.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            ["nginx", "-e", "stderr", "-p", directory, "-c", directory / "nginx.conf"], stderr=stderr
        )

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", encrypted)) == 0

    try:
        until(answers)
        yield f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{encrypted}"
    finally:
        process.terminate()
        process.wait(timeout=GIVE_UP_SECONDS)
