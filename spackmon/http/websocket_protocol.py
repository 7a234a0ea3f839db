"""A WebSocket (RFC 6455) as uvicorn speaks it: one that counts as a connection, and can be cut."""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.http11 import Request

MAXIMUM_MESSAGE_BYTES = 64_000
"""Of a message of a client, which is read between two others; a larger request may come in a body."""

CUT = "cut"
"""The name, in the state of a WebSocket's scope, of what cuts it: its client takes nothing any longer."""

# Its lines of information quote addresses, which may hold what is nobody's business.
_LOGGER = logging.getLogger("spackmon.websocket")
_LOGGER.setLevel(logging.WARNING)


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """One connection, after its upgrade."""

    def __init__(self, *arguments: Any, on_end: Callable[[], None] = lambda: None, **named: Any) -> None:
        """`on_end` is called when the connection is gone."""
        super().__init__(*arguments, **named)
        self.logger = self.conn.logger = _LOGGER
        self._on_end = on_end

    def handle_connect(self, event: Request) -> None:
        """A client asks for the WebSocket."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["state"][CUT] = self.transport.abort

    def shutdown(self) -> None:
        """End it because the server ends; once is enough, and so is the client's own end."""
        if not self.transport.is_closing():
            with suppress(InvalidState):
                super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        super().connection_lost(exc)
        self._on_end()
