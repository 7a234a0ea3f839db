"""A uvicorn server that accepts no more connections than it may have; the others wait in the system's queue.

The loops accept all who wait before they read from any: they would have to be turned away unheard.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from functools import partial

import uvicorn

from spackmon.http.protocol import BoundedProtocol
from spackmon.http.websocket_protocol import WebSocketProtocol

END_STREAMS = "end_streams"
"""The name, in the state of the application, of what ends answers that would go on for ever."""

_ROOM_EVERY_SECONDS = 0.05
_RETRY_SECONDS = 1.0
_AT_ONCE = 100

logger = logging.getLogger(__name__)


class _Acceptor:
    """Accepts on the sockets while there is room."""

    def __init__(
        self, sockets: list[socket.socket], maximum: int, connect: Callable[[], BoundedProtocol]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._sockets = sockets
        self._maximum, self._connect = maximum, connect
        self._open: set[BoundedProtocol] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_waited_for = False
        self._is_closed = False
        self._room_timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Accept from now on."""
        self._is_waited_for = False
        for listening in self._sockets:
            self._loop.add_reader(listening, self._accept, listening)

    def close(self) -> None:
        """Accept no more."""
        if not self._is_closed:
            self._is_closed = True
            self._pause()

    async def wait_closed(self) -> None:
        """Wait until all that were accepted are among the server's connections."""
        await asyncio.gather(*self._tasks)

    def _pause(self) -> None:
        for listening in self._sockets:
            self._loop.remove_reader(listening)

    def _accept(self, listening: socket.socket) -> None:
        room = self._maximum - len(self._open)
        if room <= 0:
            self._pause()
            self._is_waited_for = True
            if self._room_timer is None:
                self._room_timer = self._loop.call_later(_ROOM_EVERY_SECONDS, self._make_room)
            return
        for _ in range(min(room, _AT_ONCE)):
            try:
                connected, _address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                logger.warning("no connection can be accepted for a moment: %s", error)
                self._pause()
                self._loop.call_later(_RETRY_SECONDS, self._go_on)
                return
            connected.setblocking(False)
            protocol = self._connect()
            self._open.add(protocol)
            task = self._loop.create_task(self._take(connected, protocol))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _take(self, connected: socket.socket, protocol: BoundedProtocol) -> None:
        protocol.on_end = partial(self._end, protocol)
        protocol.is_crowded = lambda: self._is_waited_for
        try:
            await self._loop.connect_accepted_socket(lambda: protocol, connected)
        except OSError:
            # The client was gone before.
            connected.close()
            self._end(protocol)

    def _end(self, protocol: BoundedProtocol) -> None:
        self._open.discard(protocol)
        if self._is_waited_for:
            self._go_on()

    def _go_on(self) -> None:
        if not self._is_closed:
            self.begin()

    def _make_room(self) -> None:
        self._room_timer = None
        if self._is_closed or not self._is_waited_for:
            return
        self._room_timer = self._loop.call_later(_ROOM_EVERY_SECONDS, self._make_room)
        since = {one: one.unused_since() for one in self._open if one.transport is not None}
        unused = {one: seconds for one, seconds in since.items() if seconds is not None}
        for one in sorted(unused, key=lambda one: unused[one])[: max(1, self._maximum // 10)]:
            one.end_unused()


class BoundedServer(uvicorn.Server):
    """Accepts on the sockets it is given."""

    maximum_connections = 800
    """Each takes a file descriptor."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept."""
        await super().startup([])
        listening = sockets or []
        for one in listening:
            one.setblocking(False)
            one.listen(self.config.backlog)
        acceptor = _Acceptor(listening, self.maximum_connections, self._new_connection)
        acceptor.begin()
        # uvicorn closes them when it ends.
        self.servers.append(acceptor)  # type: ignore[arg-type]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the answers that would go on for ever, and then all that is left."""
        self.end_streams()
        await super().shutdown(sockets)

    def end_streams(self) -> None:
        """Begin to end what a client would listen to for as long as the server runs."""
        end: Callable[[], None] | None = self.lifespan.state.get(END_STREAMS)
        if end is not None:
            end()
        for connection in list(self.server_state.connections):
            if isinstance(connection, WebSocketProtocol):
                connection.shutdown()

    def _new_connection(self) -> BoundedProtocol:
        return BoundedProtocol(self.config, self.server_state, self.lifespan.state)
