"""`spackmon serve`: the process that keeps the sockets, and imports nothing of what serves."""

import os
import sys
from typing import Annotated

import typer

from spackmon.cli.listening import inherited
from spackmon.cli.supervisor import Supervisor

_FIRST_ACTIVATED = 3
_FOR_THE_SUPERVISOR = frozenset({"LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "NOTIFY_SOCKET"})


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen at, instead of HOST.")] = None,
    port: Annotated[
        int | None, typer.Option(help="The port to listen at, instead of PORT.", min=1, max=65535)
    ] = None,
    fd: Annotated[
        list[int] | None,
        typer.Option(help="Listen at this inherited socket instead, a file descriptor; may be repeated."),
    ] = None,
) -> None:
    """Serve the API and the pages.

    SIGHUP replaces the serving process by one with the program and the settings of now, and no connection
    is refused or cut; SIGTERM lets it finish its requests first.
    """
    options = {"HOST": host, "PORT": port}
    environment = {name: value for name, value in os.environ.items() if name not in _FOR_THE_SUPERVISOR}
    environment |= {f"SPACKMON_{name}": str(value) for name, value in options.items() if value is not None}
    sys.exit(Supervisor(inherited(fd or _activated()), environment, program=sys.argv[0]).run())


def _activated() -> list[int]:
    """The sockets that systemd listens at for this process (sd_listen_fds(3))."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = os.environ.get("LISTEN_FDS", "")
    return list(range(_FIRST_ACTIVATED, _FIRST_ACTIVATED + int(count))) if count.isdecimal() else []
