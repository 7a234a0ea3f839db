"""The process that serves: `python -m spackmon.cli.worker SOCKETS READY LIFELINE`, for the supervisor alone.

SOCKETS are numbers of file descriptors with commas between. READY is written to when it serves; when LIFELINE
is at its end the supervisor is gone, and nobody must find a server that nobody started.
"""

import gc
import os
import socket
import sys
import threading


def _end_with(lifeline: int) -> None:
    os.read(lifeline, 1)
    os._exit(1)


def main() -> None:
    """What the supervisor starts."""
    numbers, ready, lifeline = sys.argv[1:]
    threading.Thread(target=_end_with, args=[int(lifeline)], daemon=True).start()
    # Until it serves it makes what it keeps: to look for garbage among all of it took a third of the start.
    thresholds = gc.get_threshold()
    gc.set_threshold(20_000, 20, 1_000)
    from spackmon.cli.console import complain
    from spackmon.cli.serving import serve
    from spackmon.errors import Refused

    try:
        serve([socket.socket(fileno=int(number)) for number in numbers.split(",")], int(ready), thresholds)
    except Refused as refused:
        complain(refused.sentence)
        sys.exit(1)


if __name__ == "__main__":
    main()
