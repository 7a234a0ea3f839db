"""A wire to PostgreSQL that is cut where it hurts: in a transaction, or between a COMMIT and its answer."""

import asyncio
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum

_CHUNK = 1 << 16
_COMMIT = b"Q" + struct.pack("!I", 4 + len(b"COMMIT\0")) + b"COMMIT\0"
# The next one passes: what is cut is tried again.
_STATEMENTS_APART, _COMMITS_APART = 50, 3


class Cut(Enum):
    """Where the wire is cut, again and again."""

    NOWHERE = "nowhere"
    BEFORE_STATEMENT = "before a statement arrives"
    AFTER_COMMIT = "before the answer to a COMMIT"


class Wire:
    """Passes on what comes to `port`; `socket_path` is where PostgreSQL listens."""

    def __init__(self, socket_path: str) -> None:
        self.socket_path, self.port = socket_path, 0
        self.cut = Cut.NOWHERE
        self.cuts = 0
        self._seen = 0
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()

    def cut_all(self) -> None:
        """Reset every connection that there is."""
        self._loop.call_soon_threadsafe(self._cut_all)

    def _cut_all(self) -> None:
        for writer in list(self._writers):
            self.cuts += 1
            _reset(writer)

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_server, to_server = await asyncio.open_unix_connection(self.socket_path)
        except OSError:
            writer.close()
            return
        ends = (writer, to_server)
        self._writers.update(ends)
        is_deaf = asyncio.Event()
        both = (
            asyncio.ensure_future(self._sent(reader, to_server, is_deaf)),
            asyncio.ensure_future(_copied(from_server, writer, is_deaf)),
        )
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for one in both:
            one.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        for end in ends:
            self._writers.discard(end)
            _reset(end)

    async def _sent(
        self, reader: asyncio.StreamReader, to_server: asyncio.StreamWriter, is_deaf: asyncio.Event
    ) -> None:
        """Pass on what a client sends, until the wire is cut."""
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                is_commit = data.endswith(_COMMIT)
                if not is_commit and self._is_cut(Cut.BEFORE_STATEMENT, _STATEMENTS_APART):
                    return
                if is_commit and self._is_cut(Cut.AFTER_COMMIT, _COMMITS_APART):
                    is_deaf.set()
                to_server.write(data)
                await to_server.drain()

    def _is_cut(self, where: Cut, apart: int) -> bool:
        if self.cut is not where:
            return False
        self._seen += 1
        is_cut = self._seen % apart == 0
        self.cuts += is_cut
        return is_cut


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_deaf: asyncio.Event) -> None:
    """Pass on what PostgreSQL answers; it is the last that it did, when the wire is cut there."""
    with suppress(OSError):
        while data := await reader.read(_CHUNK):
            if is_deaf.is_set():
                return
            writer.write(data)
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close without a word, as a host does that went away."""
    end = writer.get_extra_info("socket")
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextmanager
def wired(socket_path: str) -> Iterator[Wire]:
    """A wire to the PostgreSQL that listens at this path, for as long as the block."""
    wire = Wire(socket_path)
    # Each message of a service waits for this thread: not for as long as another may compute (5 ms).
    sys.setswitchinterval(0.0002)
    wire._loop.run_until_complete(wire._serve())
    thread = threading.Thread(target=wire._loop.run_forever, daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        wire._loop.call_soon_threadsafe(wire._loop.stop)
        thread.join()
