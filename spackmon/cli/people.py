"""`spackmon user`: who may read and report builds."""

import sys
from getpass import getpass
from typing import Annotated

import typer

from spackmon.auth.groups import set_default_visibility
from spackmon.auth.identities import link as link_identity
from spackmon.auth.people import (
    add_person,
    disable_person,
    enable_person,
    list_people,
    set_password,
    set_role,
)
from spackmon.auth.providers.configured import providers_of
from spackmon.cli.console import print_table
from spackmon.cli.database import open_database
from spackmon.cli.visibility import GroupName, Level
from spackmon.errors import Code, Refused
from spackmon.settings import load_settings
from spackmon.viewer import WRITER

app = typer.Typer(help="Add, list and disable people, and give them roles and passwords.")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Letters, digits and . _ @ + -")],
    role: Annotated[str, typer.Option(help="reader, writer or admin.")] = WRITER,
    password_stdin: Annotated[
        bool,
        typer.Option("--password-stdin", help="Read a password from the first line of stdin."),
    ] = False,
) -> None:
    """Add somebody; asks nothing."""
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    with open_database() as database:
        database.write(lambda connection: add_person(connection, name, password, role))


@app.command("list")
def list_() -> None:
    """Show everybody."""
    with open_database() as database:
        people = database.read_once(list_people)
    print_table(
        ("NAME", "PASSWORD", "CREATED", "DISABLED", "ROLE"),
        (
            (one.name, "yes" if one.has_password else "no", one.created_at, one.disabled_at, one.role)
            for one in people
        ),
    )


@app.command()
def disable(name: str) -> None:
    """Let somebody read and report no longer, from now on; what they reported stays."""
    with open_database() as database:
        database.write(lambda connection: disable_person(connection, name))


@app.command()
def visibility(
    name: str,
    level: Level,
    group: GroupName = None,
) -> None:
    """Say who may see what somebody reports from now on; without this, everybody."""
    with open_database() as database:
        database.write(lambda connection: set_default_visibility(connection, name, level, group))


@app.command()
def enable(name: str) -> None:
    """Let somebody in again who was disabled."""
    with open_database() as database:
        database.write(lambda connection: enable_person(connection, name))


@app.command()
def role(name: str, role: Annotated[str, typer.Argument(help="reader, writer or admin.")]) -> None:
    """Say what somebody may do; no token and no session of theirs allows more from now on."""
    with open_database() as database:
        database.write(lambda connection: set_role(connection, name, role))


@app.command()
def link(
    name: str,
    service: Annotated[str, typer.Argument(help="github or oidc, as the settings name them.")],
    subject: Annotated[
        str, typer.Argument(help="The number of a GitHub account; the `sub` of OpenID Connect.")
    ],
) -> None:
    """Let somebody sign in by another service as who has this number or `sub` there."""
    provider = providers_of(load_settings()).get(service)
    if provider is None:
        raise Refused(Code.FIELD_INVALID, f"{service!r} is no service that the settings name: github or oidc")
    with open_database() as database:
        database.write(lambda connection: link_identity(connection, name, provider.issuer, subject))


@app.command()
def password(
    name: str,
    password_stdin: Annotated[
        bool,
        typer.Option("--password-stdin", help="Read it from the first line of stdin."),
    ] = False,
) -> None:
    """Give somebody a password, which is asked for; it ends their sessions."""
    chosen = sys.stdin.readline().rstrip("\r\n") if password_stdin else getpass("New password: ")
    with open_database() as database:
        database.write(lambda connection: set_password(connection, name, chosen))
