"""The process that serves: `python -m spackmon.cli.worker SOCKETS LINK [PROGRAM]`, for the supervisor alone.

SOCKETS are numbers of file descriptors with commas between; where there are none it listens by its settings,
and hands its socket over. LINK is a socket to the supervisor, which is told when this process serves; at its
end the supervisor is gone, and nobody must find a server that nobody started. PROGRAM is what was started by
somebody who waits to be greeted.
"""

import gc
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

# structlog draws tracebacks for a terminal with the one, jwt signs by public keys with the other. A service
# does neither, and both together are 12 MB. Who signs people in by another service imports the second.
_UNUSED = ("rich", "cryptography")


@contextmanager
def _without(names: tuple[str, ...]) -> Iterator[None]:
    """As if these libraries were not installed: whoever is imported meanwhile does without them."""
    modules: dict[str, Any] = sys.modules
    hidden = [name for name in names if name not in modules]
    modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            del modules[name]


def _end_with(link: socket.socket) -> None:
    # Its end is an error where it had not read yet that this process serves.
    with suppress(OSError):
        link.recv(1)
    os._exit(1)


def main() -> None:
    """What the supervisor starts."""
    numbers, number, *program = sys.argv[1:]
    link = socket.socket(fileno=int(number))
    threading.Thread(target=_end_with, args=[link], daemon=True).start()
    # Until it serves it makes what it keeps: to look for garbage among all of it took a third of the start.
    gc.disable()
    with _without(_UNUSED):
        import jwt  # noqa: F401 -- whoever imports them later finds them there
        import structlog  # noqa: F401
    from spackmon.cli.console import refusals_said

    with refusals_said():
        from spackmon.cli.opening import opened

        sockets = [socket.socket(fileno=int(number)) for number in numbers.split(",") if number]
        service = opened(sockets, program[0] if program else None)
        # Whoever connects while the rest is imported is not refused: the socket is there.
        from spackmon.cli.serving import serve

        serve(service, link)


if __name__ == "__main__":
    main()
