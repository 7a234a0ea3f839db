"""`spackmon group`: people who see each other's private builds."""

from typing import Annotated

import typer

from spackmon.auth.groups import add_group, add_member, list_groups, remove_member
from spackmon.cli.console import print_table
from spackmon.cli.database import open_database

app = typer.Typer(help="Make groups of people, who see what is private to the group.")

_Group = Annotated[str, typer.Argument(help="The group's name.")]


@app.command()
def add(name: Annotated[str, typer.Argument(help="Letters, digits and . _ @ + -")]) -> None:
    """Add a group without members."""
    with open_database() as database:
        database.write(lambda connection: add_group(connection, name))


@app.command()
def member(
    group: _Group,
    person: Annotated[str, typer.Argument(help="The person's name.")],
    remove: Annotated[bool, typer.Option("--remove", help="Take the person out of the group.")] = False,
) -> None:
    """Let a person see what is private to a group, from the next request on."""
    change = remove_member if remove else add_member
    with open_database() as database:
        database.write(lambda connection: change(connection, group, person))


@app.command("list")
def list_() -> None:
    """Show all groups."""
    with open_database() as database:
        groups = database.read_once(list_groups)
    print_table(("NAME", "MEMBERS"), ((one.name, ", ".join(one.members)) for one in groups))
