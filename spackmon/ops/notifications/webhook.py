"""A message by HTTP, sent to a checked address and signed as https://www.standardwebhooks.com says."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

import anyio
import httpcore

from spackmon.errors import Refused, printable
from spackmon.ops.notifications.addresses import Allowed, CheckedNetwork, certificates

SECRET_PREFIX = "whsec_"  # noqa: S105 -- what a receiver's library knows it by
_SEND_SECONDS, _CONNECT_SECONDS = 15.0, 5.0
_ANSWER_BYTES, _SHOWN_CHARACTERS = 2_000, 500
_GONE = 410
_TOO_MANY, _UNAVAILABLE = 429, 503
_LONGEST_WAIT_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a try. `answer_status` is the receiver's, or None where none came.

    `is_final`: no other try would be taken. `wait_seconds`: the receiver asked for a pause.
    """

    is_delivered: bool
    answer: str
    answer_status: int | None = None
    is_final: bool = False
    wait_seconds: float = 0.0


def signing_key(secret: str, salt: str) -> bytes:
    """The key of one channel, of which no other follows."""
    return hmac.digest(secret.encode(), f"webhook:{salt}".encode(), hashlib.sha256)


def shown_key(key: bytes) -> str:
    """The key as a receiver's library takes it."""
    return SECRET_PREFIX + base64.b64encode(key).decode()


def signed_headers(key: bytes, delivery: str, now_seconds: int, body: bytes) -> dict[str, str]:
    """The headers that say which delivery this is, when it was signed, and that the body is ours."""
    signed = b"%s.%d.%s" % (delivery.encode(), now_seconds, body)
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {
        "Webhook-Id": delivery,
        "Webhook-Timestamp": str(now_seconds),
        "Webhook-Signature": f"v1,{signature}",
    }


class WebhookSender:
    """Sends bodies, one connection each; redirects are not followed, proxies of the environment not used."""

    def __init__(self, allowed: Allowed, agent: str) -> None:
        self._network, self._agent = CheckedNetwork(allowed), agent
        self._certificates = certificates()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Send a JSON body; every failure is an outcome."""
        try:
            with anyio.fail_after(_SEND_SECONDS):
                return await self._post(url, body, headers)
        except TimeoutError:
            return Outcome(False, f"no answer within {_SEND_SECONDS:.0f} seconds")
        except Refused as refused:
            return Outcome(False, refused.sentence)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            return Outcome(False, printable(f"{type(error).__name__}: {error}", _SHOWN_CHARACTERS))

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        every = [
            ("Content-Type", "application/json"),
            ("User-Agent", self._agent),
            ("Accept-Encoding", "identity"),
            *headers.items(),
        ]
        timeouts = {"connect": _CONNECT_SECONDS, "read": _SEND_SECONDS, "write": _SEND_SECONDS}
        pool = httpcore.AsyncConnectionPool(
            ssl_context=self._certificates, max_connections=1, network_backend=self._network
        )
        async with (
            pool,
            pool.stream("POST", url, headers=every, content=body, extensions={"timeout": timeouts}) as answer,
        ):
            # The rest is not waited for.
            text = b""
            async for part in answer.aiter_stream():
                text += part
                if len(text) >= _ANSWER_BYTES:
                    break
            return _outcome(answer, text[:_ANSWER_BYTES])


def _outcome(answer: httpcore.Response, body: bytes) -> Outcome:
    shown = printable(body.decode("utf-8", "replace"), _SHOWN_CHARACTERS)
    status = answer.status
    if 200 <= status < 300:
        return Outcome(True, shown, status)
    wait_seconds = _retry_after(answer) if status in (_TOO_MANY, _UNAVAILABLE) else 0.0
    return Outcome(False, shown, status, is_final=status == _GONE, wait_seconds=wait_seconds)


def _retry_after(answer: httpcore.Response) -> float:
    for name, value in answer.headers:
        if name.lower() == b"retry-after" and value.isdigit():
            return min(float(value), _LONGEST_WAIT_SECONDS)
    return 0.0
