"""The service within its process, from its settings to its last request."""

import asyncio
import gc
import socket
import sys
import time
from collections.abc import Callable
from functools import partial

import uvicorn

from spackmon.app import create_app
from spackmon.cli.opening import Opened
from spackmon.http.protocol import BoundedProtocol
from spackmon.http.server import BoundedServer
from spackmon.http.websocket_protocol import MAXIMUM_MESSAGE_BYTES, WebSocketProtocol

# A write may be held so long for its database; a log of 50 MB over a slow line takes as much.
_LAST_REQUESTS_SECONDS = 30
# Who has just connected has sent nothing yet, and who keeps a connection may be about to use it again.
_LAST_CONNECTIONS_SECONDS = 2.0
_TURN_SECONDS = 0.001


class GracefulServer(BoundedServer):
    """Says when it serves, and closes no connection on which a request may be under way."""

    announce: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept."""
        await super().startup(sockets)
        # The schema and all that was imported live as long as the process: to look through them for garbage
        # again and again holds every request up for a fifth of a second. What importing left in cycles is no
        # megabyte, and to look for it a tenth of the start.
        gc.freeze()
        # What compiling leaves is in cycles: half as much of it at a time holds up half as long.
        gc.set_threshold(*gc.get_threshold()[:2], 5)
        gc.enable()
        if self.started:
            self.announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting; answer what comes on the connections there are, each for the last time."""
        self.end_streams()
        for server in self.servers:
            server.close()
            await server.wait_closed()
        for listening in sockets or ():
            listening.close()
        self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        for connection in self.server_state.connections:
            cycle = getattr(connection, "cycle", None)
            if cycle is not None and not cycle.response_complete:
                connection.shutdown()
        deadline = time.monotonic() + _LAST_CONNECTIONS_SECONDS
        while self.server_state.connections and not self.force_exit and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)


def serve(service: Opened, link: socket.socket) -> None:
    """Serve until a signal comes; the garbage collector, which is off while all this begins, runs meanwhile.

    Raises Refused when a setting forbids it.
    """
    settings = service.settings
    config = uvicorn.Config(
        create_app(settings),
        loop="uvloop",
        http=BoundedProtocol,
        ws=WebSocketProtocol,
        ws_max_size=MAXIMUM_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        # The service writes its own access log, with request ids.
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=_LAST_REQUESTS_SECONDS + round(settings.hold_seconds),
    )
    # So long a thread that computes may keep the loop from its turn; a request has several.
    sys.setswitchinterval(_TURN_SECONDS)
    server = GracefulServer(config)
    server.maximum_connections = settings.maximum_connections
    server.announce = partial(service.announce, link)
    server.run(sockets=list(service.sockets))
