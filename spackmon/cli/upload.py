"""`spackmon upload`: what `spack install --monitor-save-local` left, to a server or into the database."""

from pathlib import Path
from typing import Annotated

import typer

from spackmon.cli.imports import ServerOption, TokenOption, import_paths
from spackmon.formats.installs.local_save import saved_runs


def upload(
    directory: Annotated[
        Path,
        typer.Argument(exists=True, file_okay=False, help="A saved run, or the directory of several."),
    ],
    url: ServerOption = None,
    user: Annotated[
        str | None, typer.Option(envvar="SPACKMON_USER", help="Without --url: whose builds they are.")
    ] = None,
    token: TokenOption = None,
) -> None:
    """Store the runs that Spack 0.16 to 0.18 saved in DIRECTORY, once however often they come.

    It is `spackmon import` of these alone: a run has a name of its own, and is not replayed as requests that
    look like those of another run.
    """
    if url is None and user is None:
        raise typer.BadParameter(
            "say whose builds these are, or where to send them", param_hint="--user or --url"
        )
    runs = [str(run) for run in saved_runs(directory)]
    # What is sent are no requests of ms1: an address with that prefix means its server.
    server = None if url is None else url.rstrip("/").removesuffix("/ms1")
    import_paths(runs, url=server, token=token, user=None if url is not None else user)
