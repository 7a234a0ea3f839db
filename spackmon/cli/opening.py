"""What comes before the service is imported: its settings, its database, the address that it listens at."""

import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from spackmon.cli.database import check_settings_database
from spackmon.cli.listening import listen
from spackmon.cli.welcome import welcome
from spackmon.ops.logging import configure_logging
from spackmon.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class Opened:
    """A service that can begin. `made` of its sockets are its own, and the supervisor's to keep."""

    settings: Settings
    sockets: Sequence[socket.socket]
    made: Sequence[socket.socket]
    program: str | None

    def announce(self, link: socket.socket) -> None:
        """It serves: greet whoever started `program`, and hand the supervisor what the next worker needs."""
        if self.program is not None:
            print(welcome(self.settings, self.program), flush=True)
        address = {"SPACKMON_HOST": self.settings.host, "SPACKMON_PORT": str(self.settings.port)}
        socket.send_fds(link, [json.dumps(address).encode()], [one.fileno() for one in self.made])


def opened(sockets: Sequence[socket.socket], program: str | None) -> Opened:
    """The service on these sockets; where there are none it listens itself. `program`: who starts is told.

    Raises Refused when the settings, the database or the address forbid it.
    """
    settings = load_settings()
    configure_logging(settings.log_level)
    # The rest is on the screen of whoever started the service, and in the log.
    check_settings_database(settings, is_quiet=program is None)
    if not sockets:
        made = [listen(settings.host, settings.port)]
        return Opened(settings, made, made, program)
    # A later worker has the address that was written for the first.
    return Opened(_at(settings, sockets[0]) if program else settings, sockets, (), program)


def _at(settings: Settings, listening: socket.socket) -> Settings:
    """The settings with the address of a socket that somebody else made; one in a file has none."""
    if listening.family not in (socket.AF_INET, socket.AF_INET6):
        return settings
    host, port = listening.getsockname()[:2]
    return settings.model_copy(update={"host": host, "port": port})
