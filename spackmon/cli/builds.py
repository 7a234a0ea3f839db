"""`spackmon build`: say who may see a build."""

from typing import Annotated

import typer

from spackmon.auth.groups import set_build_visibility
from spackmon.cli.database import open_database
from spackmon.cli.visibility import GroupName, Level

app = typer.Typer(help="Say who may see a build.")


@app.callback()
def _builds() -> None:
    """Say who may see a build."""


@app.command()
def visibility(
    build: Annotated[int, typer.Argument(help="The build's number, as in its page's address.")],
    level: Level,
    group: GroupName = None,
) -> None:
    """Show a build, with all that was reported of it, to everybody or only to some."""
    with open_database() as database:
        database.write(lambda connection: set_build_visibility(connection, build, level, group))
