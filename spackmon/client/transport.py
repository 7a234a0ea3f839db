"""Requests to one server that outlive a cut connection, a restart and an expired token."""

import http.client
import json
import random
import re
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from spackmon.errors import Code, Refused

# A server holds a write for 30 s while its database is away, and a large batch takes a while.
TIMEOUT_SECONDS = 120.0
ATTEMPTS = 5
_FIRST_DELAY_SECONDS = 0.25
_LONGEST_DELAY_SECONDS = 60.0
# Of an answer that does not say whether to try again: one of a proxy, or of an older server.
_PASSING = frozenset({429, 502, 503, 504})
_UNAUTHENTICATED = 401
_FIRST_REFUSED = 400
_END_OF_HEADERS = frozenset({"connection", "content-length", "transfer-encoding"})
# As Spack's own clients search the challenge.
_CHALLENGE = re.compile(r'([a-zA-Z]+)="(.+?)"')


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer that will not get better by asking again; header names are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The object in the body; an empty one where there is none."""
        try:
            parsed = json.loads(self.body)
        except ValueError:
            return {}
        return parsed if isinstance(parsed, dict) else {}

    @property
    def is_retryable(self) -> bool:
        """Whether the same request may succeed in a moment: the answer says so (docs/errors.md)."""
        # A GraphQL answer of status 200 can be large, and an error without data comes first in it.
        if self.status < _FIRST_REFUSED and not self.body.startswith(b'{"errors"'):
            return False
        said = self.json()
        errors = said.get("errors")
        if isinstance(errors, list):
            said = next((e["extensions"] for e in errors if _is_with_extensions(e)), {})
        retryable = said.get("retryable")
        return retryable if isinstance(retryable, bool) else self.status in _PASSING


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Followed by what only reads and shows no token: elsewhere it would end up with somebody else."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if req.data is not None or req.has_header("Authorization"):
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_opener = urllib.request.build_opener(_Redirects)


class Transport:
    """Sends requests to addresses below `base`, as a person with a token or as nobody."""

    def __init__(
        self, base: str, user: str | None, token: str | None, timeout_seconds: float, attempts: int
    ) -> None:
        """Raises Refused URL_INVALID."""
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Refused(Code.URL_INVALID, f"{base!r} is no address: expected http://host:port")
        self.base = base.rstrip("/")
        self._user, self._token = user, token
        # A server takes the token itself; only who names a user shows it in exchange for a short-lived one.
        self._bearer = token if user is None else None
        self._timeout_seconds, self._attempts = timeout_seconds, attempts

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer, of whatever status; a token that has expired is replaced once.

        Raises Refused SERVER_AWAY when nobody answers, after several attempts.
        """
        url = self.base + path
        answer = self._patiently(method, url, body, {**(headers or {}), **self._credentials()})
        if answer.status == _UNAUTHENTICATED and self._new_bearer(answer):
            answer = self._patiently(method, url, body, {**(headers or {}), **self._credentials()})
        return answer

    def _credentials(self) -> dict[str, str]:
        return {} if self._bearer is None else {"Authorization": f"Bearer {self._bearer}"}

    def _new_bearer(self, challenged: Answer) -> bool:
        """Exchange the token for an access token, as the challenge says; whether there is a new one."""
        challenge = dict(_CHALLENGE.findall(challenged.headers.get("www-authenticate", "")))
        realm = challenge.get("realm", "")
        schemes = ("https",) if self.base.startswith("https:") else ("http", "https")
        if self._user is None or self._token is None or urlsplit(realm).scheme not in schemes:
            return False
        basic = b64encode(f"{self._user}:{self._token}".encode()).decode("ascii")
        headers = {"Authorization": f"Basic {basic}", "Service": challenge.get("service", "")}
        answer = self._patiently("GET", realm, None, headers)
        bearer = answer.json().get("token")
        if not isinstance(bearer, str):
            raise refusal(answer)
        self._bearer = bearer
        return True

    def _patiently(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        for attempt in range(self._attempts):
            is_last = attempt == self._attempts - 1
            try:
                answer = self._once(method, url, body, headers)
            except (OSError, http.client.HTTPException) as error:
                if is_last:
                    reason = getattr(error, "reason", error)
                    raise Refused(Code.SERVER_AWAY, f"{self.base} does not answer: {reason}") from None
                wished = None
            else:
                if is_last or not answer.is_retryable:
                    return answer
                wished = _retry_after(answer)
            time.sleep(_delay(attempt) if wished is None else wished)
        raise AssertionError("the last attempt answers or raises")

    def _once(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        request = urllib.request.Request(url, body, dict(headers), method=method)  # noqa: S310 -- checked
        try:
            with _opener.open(request, timeout=self._timeout_seconds) as response:
                answer = Answer(response.status, _small(response.headers.items()), response.read())
        except urllib.error.HTTPError as error:
            with error:
                answer = Answer(error.code, _small(error.headers.items()), error.read())
        # Python takes an answer for whole that was cut off within its headers.
        if _END_OF_HEADERS.isdisjoint(answer.headers):
            raise http.client.IncompleteRead(answer.body)
        return answer


def refusal(answer: Answer) -> Refused:
    """What a server that did not do what it was asked said about it."""
    answered = answer.json()
    said = answered.get("message")
    sentence = f"the server answered {answer.status}{f': {said}' if said else ''}"
    code = Code.__members__.get(str(answered.get("error")), Code.SERVER_REFUSED)
    return Refused(code, sentence, status=answer.status)


def _is_with_extensions(error: object) -> bool:
    return isinstance(error, dict) and isinstance(error.get("extensions"), dict)


def _small(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}


def _delay(attempt: int) -> float:
    # Clients that a restart cut off at the same moment must not come back at the same moment.
    return float(_FIRST_DELAY_SECONDS * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311 -- no secret


def _retry_after(answer: Answer) -> float | None:
    """The seconds that the server wishes to be left alone, within reason."""
    wished = answer.headers.get("retry-after", "").strip()
    if wished.isdecimal():
        seconds = float(wished)
    else:
        try:
            moment = parsedate_to_datetime(wished)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_DELAY_SECONDS)
