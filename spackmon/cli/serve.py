"""`spackmon serve`: the service, and the lines a newcomer needs next."""

import os
import shlex
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import OperationalError

from spackmon.cli.console import complain
from spackmon.cli.database import ensure_migrated
from spackmon.database import Database
from spackmon.errors import Refused
from spackmon.ops.migrations import has_old_tables
from spackmon.settings import Settings, load_settings

# Clients open a connection for every request, and a site's nightly builds begin together.
_BACKLOG = 2048
# A log of 50 MB over a slow line may take that long; whoever stops the service should not cut it.
_LAST_REQUESTS_SECONDS = 30


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen at, instead of HOST.")] = None,
    port: Annotated[
        int | None, typer.Option(help="The port to listen at, instead of PORT.", min=1, max=65535)
    ] = None,
) -> None:
    """Serve the API and the pages."""
    # Only this command pays for loading the service.
    import uvicorn

    from spackmon.app import create_app
    from spackmon.ops.logging import configure_logging

    settings = load_settings()
    configure_logging(settings.log_level)
    given = {"host": host, "port": port}
    settings = settings.model_copy(update={key: value for key, value in given.items() if value is not None})
    _prepare_database(settings)
    application = create_app(settings)
    with _listen(settings.host, settings.port) as listening:
        print(welcome(settings, program=sys.argv[0]), flush=True)
        uvicorn.Server(
            uvicorn.Config(
                application,
                loop="uvloop",
                http="httptools",
                # The service writes its own access log, with request ids.
                access_log=False,
                log_config=None,
                timeout_graceful_shutdown=_LAST_REQUESTS_SECONDS,
            )
        ).run(sockets=[listening])


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


def _prepare_database(settings: Settings) -> None:
    database = Database(settings.database_url)
    try:
        ensure_migrated(database)
        if has_old_tables(database):
            complain(
                "the old server's tables in this database stay as they are, and none of their rows is shown"
            )
    except OperationalError as error:
        # Writes are held through an outage; a service that does not start would lose them. The driver tells
        # an outage from a wrong password only in its text, which whoever sees it can read.
        reason = str(error.orig).strip().splitlines()[0]
        complain(f"the database (DATABASE_URL) does not answer yet, writes will wait for it: {reason}")
    finally:
        database.close()


def _listen(host: str, port: int) -> socket.socket:
    """The listening socket, before anything is promised on the screen. Raises Refused when it is taken."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        # The library's own text repeats the address; a name that is not found has no number above zero.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise Refused(
            "ADDRESS_UNUSABLE",
            500,
            f"cannot listen at {host} port {port}: {reason} (SPACKMON_HOST, SPACKMON_PORT)",
        ) from None
