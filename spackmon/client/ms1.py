"""A client of the ms1 writes, for reports that were kept on a disk."""

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from spackmon.errors import Refused

# A server holds a write for 30 s while its database is away.
_TIMEOUT_SECONDS = 60


class Ms1Client:
    """Posts bodies to the ms1 endpoints of one server."""

    def __init__(self, url: str, token: str | None) -> None:
        """`url` with the API's prefix if it has another than ms1. Raises Refused when it is no address."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Refused("URL_INVALID", 400, f"{url!r} is no address: expected http://host:port")
        self._base = url.rstrip("/") if parts.path.strip("/") else f"{url.rstrip('/')}/ms1"
        self._headers = {"Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def post(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        """The `data` of the answer to `body`, sent to `kind` (`specs/new`).

        Raises Refused when the server is away, refuses the body, or is no monitor.
        """
        request = urllib.request.Request(  # noqa: S310 -- the scheme was checked
            f"{self._base}/{kind}/", data=json.dumps(body).encode(), headers=self._headers, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
                data = _object(response.read()).get("data")
        except urllib.error.HTTPError as error:
            raise Refused("SERVER_REFUSED", error.code, _message(error)) from None
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise Refused("SERVER_AWAY", 503, f"{self._base} does not answer: {reason}") from None
        if not isinstance(data, dict):
            raise Refused("NO_MONITOR", 502, f"{self._base} did not answer as a monitor does")
        return data


def _message(error: urllib.error.HTTPError) -> str:
    said = _object(error.read()).get("message")
    return f"the server answered {error.code}{f': {said}' if said else ''}"


def _object(text: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
