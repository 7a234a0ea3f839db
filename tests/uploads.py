"""CDash documents: those that a real 0.23 uploaded, and the frame of any other."""

import hashlib
from urllib.parse import parse_qsl, urlencode

import httpx

from tests import player
from tests.server import Server

SITE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<Site BuildName="{build}"\n      BuildStamp="20260101-0100-Nightly"\n'
    '      Name="node1"\n      Generator="{generator}"\n      Hostname=""\n      OSName="Linux"\n'
    '      OSRelease="6.1"\n      VendorString="zen2"\n>  {part}\n</Site>\n'
)
SPACK = "spack-1.2.0.dev0 (eedc41405b594c60c0db0bbc0d255000c001486c)"


def recorded(name: str) -> list[tuple[dict[str, str], bytes]]:
    """The uploads of a session: the parameters of each, and its body."""
    return [
        (dict(parse_qsl(exchange["query"])), exchange["request_body"].encode())
        for exchange in player.exchanges(f"0.23-cdash-{name}")
    ]


def document(part: str, build: str = "nightly", generator: str = SPACK) -> bytes:
    """A document with this part in Spack's frame."""
    return SITE.format(part=part, build=build, generator=generator).encode()


def upload(server: Server, body: bytes, path: str | None = None, **parameters: str) -> httpx.Response:
    """PUT a document with the token and its MD5; `parameters` override."""
    given = {"project": "demo", "MD5": hashlib.md5(body).hexdigest(), **parameters}
    headers = {"Authorization": f"Bearer {server.token}", "Content-Type": "text/xml"}
    return server.http.put(path or f"/submit.php?{urlencode(given)}", content=body, headers=headers)
