"""Other services that say who somebody is: a real OpenID Connect provider, and small ones of our own."""

import base64
import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx

PROVIDER = Path(__file__).parent / "provider"
CLIENT_ID, CLIENT_SECRET = "spackmon", "what the client knows"

Answer = Callable[[Mapping[str, str], str], Any]
"""What is said to the fields of a query or a form, and to `Authorization`: JSON, or where to go."""


@contextmanager
def openid_provider() -> Iterator[str]:
    """The issuer, which ends with this block."""
    process = subprocess.Popen(
        [Path(sys.executable).with_name("node"), PROVIDER / "provider.mjs"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


@contextmanager
def service(answers: Mapping[str, Answer]) -> Iterator[str]:
    """The address of one that answers at these paths."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(urlsplit(self.path).query)

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

        def _answer(self, fields: str) -> None:
            answer = answers.get(urlsplit(self.path).path)
            said = (
                None
                if answer is None
                else answer(dict(parse_qsl(fields)), self.headers["Authorization"] or "")
            )
            body = json.dumps(said).encode()
            self.send_response(500 if said is None else 302 if isinstance(said, str) else 200)
            if isinstance(said, str):
                self.send_header("Location", said)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class GitHub:
    """Who signs in at a GitHub of ours, and what they are a member of."""

    id: int = 1
    login: str = "ada"
    organizations: list[str] = field(default_factory=list)
    teams: list[str] = field(default_factory=list)
    _asked: dict[str, Mapping[str, str]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    def answers(self) -> Mapping[str, Answer]:
        """What it answers where."""
        return {
            "/login/oauth/authorize": lambda asked, _: self._authorized(asked),
            "/login/oauth/access_token": lambda shown, _: self._token(shown),
            "/api/v3/user": self._for_token(lambda: {"id": self.id, "login": self.login}),
            "/api/v3/user/orgs": self._for_token(lambda: [{"login": one} for one in self.organizations]),
            "/api/v3/user/teams": self._for_token(lambda: list(map(_team, self.teams))),
        }

    def _authorized(self, asked: Mapping[str, str]) -> str:
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{next(self._numbers)}"
        self._asked[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def _token(self, shown: Mapping[str, str]) -> Mapping[str, str]:
        asked = self._asked.pop(shown["code"], None)
        # GitHub says with status 200 that a code is not good.
        if asked is None or shown["client_secret"] != CLIENT_SECRET or not _is_proof(asked, shown):
            return {"error": "bad_verification_code"}
        return {"access_token": "of-github", "token_type": "bearer", "scope": asked["scope"]}

    def _for_token(self, said: Callable[[], Any]) -> Answer:
        return lambda asked, shown: (
            said() if shown == "Bearer of-github" and asked.get("page", "1") == "1" else []
        )


def _team(name: str) -> Mapping[str, Any]:
    organization, _, slug = name.partition("/")
    return {"slug": slug, "organization": {"login": organization}}


def _is_proof(asked: Mapping[str, str], shown: Mapping[str, str]) -> bool:
    digest = hashlib.sha256(shown["code_verifier"].encode()).digest()
    return asked["code_challenge"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")


def by_github(client: httpx.Client, where: str = "/", **query: str) -> str:
    """The address at which a browser comes back."""
    began = client.get("/login/github/", params={"next": where, **query})
    assert began.status_code == 303, began.text
    return _location(client.get(began.headers["location"]))


def by_openid(client: httpx.Client, subject: str, where: str = "/", **claims: Any) -> str:
    """The same, of who has this subject and these claims there."""
    with httpx.Client(verify=False) as browser:
        address = _location(client.get("/login/oidc/", params={"next": where}))
        for _ in range(9):
            if "/complete/" in address.split("?")[0]:
                return address
            if "/interaction/" in address:
                address += f"?{urlencode({'subject': subject, 'claims': json.dumps(claims)})}"
            answer = browser.get(address)
            address = str(httpx.URL(address).join(_location(answer)))
    raise AssertionError(address)


def _location(answer: httpx.Response) -> str:
    assert "location" in answer.headers, answer.text
    return answer.headers["location"]
