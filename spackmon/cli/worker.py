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


def _end_with(link: socket.socket) -> None:
    link.recv(1)
    os._exit(1)


def main() -> None:
    """What the supervisor starts."""
    numbers, number, *program = sys.argv[1:]
    link = socket.socket(fileno=int(number))
    threading.Thread(target=_end_with, args=[link], daemon=True).start()
    # Until it serves it makes what it keeps: to look for garbage among all of it took a third of the start.
    gc.disable()
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
