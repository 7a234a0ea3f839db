"""Plays what real Spack clients sent (tests/data/captures) again, as they sent it.

One connection per request, JSON under a form's content type, no credentials until the server challenges,
then Basic to the realm and one retry with Bearer. Build ids are mapped from the recorded ones to those
that the server under test hands out.
"""

import base64
import gzip
import hashlib
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.waiting import GIVE_UP_SECONDS

CAPTURES = Path(__file__).parent / "data" / "captures"
GO_ON = {200, 201}  # with anything else a real client gives up
MACHINE = {
    "hostname": "node1", "platform": "linux", "host_os": "ubuntu22.04", "host_target": "zen3",
    "kernel_version": "5.15",
}  # fmt: skip
"""What builds/new says about a machine."""
_BUILD_ID = re.compile("<buildId>([0-9]+)</buildId>")  # the clients' own expression


def names() -> list[str]:
    """Every recorded session: a client's version and what it did."""
    return sorted(path.name.removesuffix(".jsonl.gz") for path in CAPTURES.glob("*.jsonl.gz"))


def exchanges(name: str) -> Iterator[dict[str, Any]]:
    """The writes and reads of a session; challenges and token requests depend on who answers."""
    with gzip.open(CAPTURES / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            exchange = json.loads(line)
            if exchange["status"] in GO_ON and not exchange["path"].startswith("/auth/"):
                yield exchange


class Player:
    """A Spack client with a memory of one session."""

    def __init__(self, url: str, user: str, token: str, *, is_strict: bool = True) -> None:
        """`is_strict`: an answer in other words than those that were recorded is wrong, too.

        So is another number of the same build: in an outage it has one that leads to it, and a client that
        asks anew goes on with that.
        """
        self.is_strict = is_strict
        self.url, self.user, self.token = url, user, token
        self.bearer: str | None = None
        self.build_ids: dict[int, int] = {}
        self.token_requests = 0

    def play(self, name: str) -> list[str]:
        """Play one session; the answers with which the client would not have gone on, or wrong ones."""
        self.build_ids.clear()
        return [
            f"{name}: {exchange['path']}: {problem}"
            for exchange in exchanges(name)
            if (problem := self.play_one(exchange)) is not None
        ]

    def play_one(self, exchange: dict[str, Any]) -> str | None:
        """Send one recorded request; what is wrong with its answer, if anything is."""
        if exchange["method"] == "PUT":
            return self._upload(exchange)
        path, recorded = exchange["path"], json.loads(exchange["response_body"])
        if exchange["method"] == "GET":
            status, _, answer = self.send("GET", path)
            wanted = set(recorded)
            return None if status == 200 and wanted <= json.loads(answer).keys() else f"{status} {answer!r}"
        sent = json.loads(exchange["request_body"])
        if "build_id" in sent:
            sent["build_id"] = self.build_ids[sent["build_id"]]
        status, answer = self.write(path, json.dumps(sent, indent=2).encode())
        if status not in GO_ON:
            return f"{status} {answer!r}"
        told = json.loads(answer)
        if path.endswith("builds/new/"):
            pair = (body["data"]["build"]["build_id"] for body in (recorded, told))
            if (problem := self._told_build(*pair)) is not None:
                return problem
        if self.is_strict and _shape(told) != _shape(recorded):
            return f"{told} where {recorded} was recorded"
        return None

    def _upload(self, exchange: dict[str, Any]) -> str | None:
        """A CDash document: one PUT with the token itself; the client reads the number of the build."""
        body = exchange["request_body"].encode()
        # Paths and names in the recorded bodies were rewritten.
        query = re.sub("MD5=[0-9a-f]+", f"MD5={hashlib.md5(body).hexdigest()}", exchange["query"])
        headers = {"Content-Type": "text/xml", "Authorization": f"Bearer {self.token}"}
        status, _, answer = self.send("PUT", f"{exchange['path']}?{query}", body, headers)
        recorded, told = (_BUILD_ID.search(text) for text in (exchange["response_body"], answer.decode()))
        if status not in GO_ON or told is None or recorded is None or b"<status>OK</status>" not in answer:
            return f"{status} {answer!r}"
        return self._told_build(int(recorded[1]), int(told[1]))

    def _told_build(self, recorded_id: int, build_id: int) -> str | None:
        if not self.is_strict:
            self.build_ids[recorded_id] = build_id
        known_id = self.build_ids.setdefault(recorded_id, build_id)
        return None if known_id == build_id else f"build {known_id} came back as {build_id}"

    def write(self, path: str, body: bytes) -> tuple[int, bytes]:
        """One POST; after a 401 a token is asked for and the POST sent once more."""
        status, headers, answer = self.send("POST", path, body, self._credentials())
        if status == 401:
            self.bearer = self._exchanged_token(headers["www-authenticate"])
            status, headers, answer = self.send("POST", path, body, self._credentials())
        return status, answer

    def _credentials(self) -> dict[str, str]:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return form if self.bearer is None else {**form, "Authorization": f"Bearer {self.bearer}"}

    def _exchanged_token(self, challenge: str) -> str:
        found = dict(re.findall(r'([a-zA-z]+)="(.+?)"', challenge))  # the clients' own expression
        basic = base64.b64encode(f"{self.user}:{self.token}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}", "Service": found["service"]}
        status, _, answer = self.send("GET", found["realm"], None, headers)
        assert status == 200, f"the token endpoint answered {status}"
        self.token_requests += 1
        token: str = json.loads(answer)["token"]
        return token

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (names in small letters) and body of an answer."""
        url = path if path.startswith("http") else self.url + path
        request = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=GIVE_UP_SECONDS) as answer:
                return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read()


# What depends on what a server knew before; the recording one did not know every spec's name.
_VARYING = {"build_id", "id", "code", "created", "build_created", "build_environment_created", "spec_name"}


def _shape(value: Any) -> Any:
    """An answer without the values that may differ from the recorded ones."""
    if not isinstance(value, dict):
        return value
    return {key: None if key in _VARYING else _shape(item) for key, item in value.items()}
