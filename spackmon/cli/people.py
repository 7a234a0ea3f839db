"""`spackmon user`: who may report builds."""

import sys
from typing import Annotated

import typer

from spackmon.auth.groups import set_default_visibility
from spackmon.auth.people import add_person, disable_person, list_people
from spackmon.cli.console import print_table
from spackmon.cli.database import open_database
from spackmon.status import Visibility

app = typer.Typer(help="Add, list and disable the people who report builds.")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Letters, digits and . _ @ + -")],
    password_stdin: Annotated[
        bool,
        typer.Option("--password-stdin", help="Read a password from the first line of stdin."),
    ] = False,
) -> None:
    """Add somebody; asks nothing."""
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    with open_database() as database:
        database.write(lambda connection: add_person(connection, name, password))


@app.command("list")
def list_() -> None:
    """Show everybody."""
    with open_database() as database:
        people = database.read_once(list_people)
    print_table(
        ("NAME", "PASSWORD", "CREATED", "DISABLED"),
        (
            (person.name, "yes" if person.has_password else "no", person.created_at, person.disabled_at)
            for person in people
        ),
    )


@app.command()
def disable(name: str) -> None:
    """Let somebody report no longer; what they reported stays."""
    with open_database() as database:
        database.write(lambda connection: disable_person(connection, name))


@app.command()
def visibility(
    name: str,
    level: Annotated[Visibility, typer.Argument(case_sensitive=False, help="Who may see it.")],
    group: Annotated[
        str | None, typer.Option("--group", help="Its members may see it, where it is private.")
    ] = None,
) -> None:
    """Say who may see what somebody reports from now on; without this, everybody."""
    with open_database() as database:
        database.write(lambda connection: set_default_visibility(connection, name, level, group))
