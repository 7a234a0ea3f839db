"""`spackmon serve`: the service, and the lines a newcomer needs next."""

import os
import shlex
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from spackmon.cli.database import check_settings_database
from spackmon.cli.supervisor import Supervisor
from spackmon.errors import Code, Refused
from spackmon.settings import Settings, load_settings

# Clients open a connection for every request, and a site's nightly builds begin together.
_BACKLOG = 2048
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
    from spackmon.ops.logging import configure_logging

    settings = load_settings()
    configure_logging(settings.log_level)
    options = {"host": host, "port": port}
    settings = settings.model_copy(update={key: value for key, value in options.items() if value is not None})
    check_settings_database(settings)
    inherited = _inherited(fd or _activated())
    sockets = inherited or [_listen(settings.host, settings.port)]
    if inherited:
        settings = _at(settings, inherited[0])

    def on_ready() -> None:
        print(welcome(settings, program=sys.argv[0]), flush=True)

    sys.exit(Supervisor(sockets, _workers_environment(settings), on_ready).run())


def _activated() -> list[int]:
    """The sockets that systemd listens at for this process (sd_listen_fds(3))."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = os.environ.get("LISTEN_FDS", "")
    return list(range(_FIRST_ACTIVATED, _FIRST_ACTIVATED + int(count))) if count.isdecimal() else []


def _inherited(descriptors: list[int]) -> list[socket.socket]:
    sockets = []
    for descriptor in descriptors:
        try:
            inherited = socket.socket(fileno=descriptor)
            listens = inherited.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        except OSError:
            listens = 0
        if not listens:
            sentence = f"file descriptor {descriptor} is not a listening socket (--fd, LISTEN_FDS)"
            raise Refused(Code.SOCKET_UNUSABLE, sentence)
        sockets.append(inherited)
    return sockets


def _at(settings: Settings, listening: socket.socket) -> Settings:
    """The settings with the address of a socket that somebody else made; one in a file has none."""
    if listening.family not in (socket.AF_INET, socket.AF_INET6):
        return settings
    host, port = listening.getsockname()[:2]
    return settings.model_copy(update={"host": host, "port": port})


def _workers_environment(settings: Settings) -> dict[str, str]:
    """This process's, with the address that its options or sockets say, and without what is for it alone."""
    inherited = {name: value for name, value in os.environ.items() if name not in _FOR_THE_SUPERVISOR}
    return {**inherited, "SPACKMON_HOST": settings.host, "SPACKMON_PORT": str(settings.port)}


def welcome(settings: Settings, program: str) -> str:
    """The first lines on the screen: where the service is, and how a Spack client comes to report to it."""
    url = settings.public_url
    lines = [f"Builds    {url}/", *([f"GraphiQL  {url}/graphql"] if settings.graphiql else []), ""]
    program = shlex.quote(_short(Path(program)))
    where = []
    if settings.data_dir != Path(".spackmon").absolute():
        where.append(f"  export SPACKMON_DATA_DIR={shlex.quote(str(settings.data_dir))}")
    # Without it, an account would be made in the embedded database, which this server does not read.
    if settings.shown_database_url is not None:
        where.append(f"  export SPACKMON_DATABASE_URL={shlex.quote(settings.shown_database_url)}")
    if settings.disable_authentication:
        lines += ["Anybody may report builds. With Spack 0.16 to 0.18:", f"  {_spack_install(settings)}", ""]
        return "\n".join(lines)
    lines += [
        "Create an account and export its token, in another shell (put your name for NAME):",
        *where,
        f"  {program} user add NAME",
        "  export SPACKMON_USER=NAME",
        f"  export SPACKMON_TOKEN=$({program} token create NAME)",
        "Then report what Spack (0.16 to 0.18) builds:",
        f"  {_spack_install(settings)}",
        "",
    ]
    return "\n".join(lines)


def _short(program: Path) -> str:
    """The program as somebody in this directory types it."""
    here = Path.cwd()
    return str(program.absolute().relative_to(here) if program.absolute().is_relative_to(here) else program)


def _spack_install(settings: Settings) -> str:
    options = ["--monitor", f"--monitor-host {shlex.quote(settings.public_url)}"]
    if settings.url_api_prefix != "ms1":
        options.append(f"--monitor-prefix {settings.url_api_prefix}")
    if settings.disable_authentication:
        options.append("--monitor-no-auth")
    return f"spack install {' '.join(options)} zlib"


def _listen(host: str, port: int) -> socket.socket:
    """The listening socket, before anything is promised on the screen. Raises Refused when it is taken."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        # The library's own text repeats the address; a name that is not found has no number above zero.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise Refused(
            Code.ADDRESS_UNUSABLE,
            f"cannot listen at {host} port {port}: {reason} (SPACKMON_HOST, SPACKMON_PORT)",
        ) from None
