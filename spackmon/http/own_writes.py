"""Where replicas answer: whoever wrote reads what they wrote.

Who it is, is seen by what a request shows (a token, a session) and by its address: a client writes with a
token, and a person looks at the page from the same desk without one.
"""

import hashlib
import time
from collections import OrderedDict

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spackmon.database.replicas import AS_OF_SECONDS
from spackmon.http.caching import READS

# What was written longer ago every replica that may answer shows.
_MOST_WRITERS = 10_000
_SHOWN = (b"authorization", b"cookie")
_GRAPHQL = "/graphql"


class OwnWrites:
    """ASGI middleware: notes when a sender wrote last, and says of reads what they must be as of."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._wrote_at_seconds: OrderedDict[bytes, float] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        senders = _senders(scope)
        AS_OF_SECONDS.set(max(self._wrote_at_seconds.get(sender, 0.0) for sender in senders))
        if not _writes(scope):
            await self._app(scope, receive, send)
            return

        async def send_noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                # Before the client has the answer: what it asks next is later.
                self._note(senders)
            await send(message)

        await self._app(scope, receive, send_noted)

    def _note(self, senders: list[bytes]) -> None:
        now = time.monotonic()
        for sender in senders:
            self._wrote_at_seconds[sender] = now
            self._wrote_at_seconds.move_to_end(sender)
        while len(self._wrote_at_seconds) > _MOST_WRITERS:
            self._wrote_at_seconds.popitem(last=False)


def _senders(scope: Scope) -> list[bytes]:
    """Who sends a request, in each way that it can be seen; as digests, since some are secrets."""
    shown = [value for name, value in scope["headers"] if name in _SHOWN]
    address = (scope.get("client") or ("",))[0].encode()
    return [hashlib.blake2b(one, digest_size=16).digest() for one in (address, *shown)]


def _writes(scope: Scope) -> bool:
    return scope["type"] == "http" and scope["method"] not in READS and scope["path"].rstrip("/") != _GRAPHQL
