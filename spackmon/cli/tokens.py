"""`spackmon token`: the secrets that people's clients write with."""

from dataclasses import astuple
from datetime import timedelta
from typing import Annotated

import typer

from spackmon.auth.tokens import create_token, list_tokens, revoke_token
from spackmon.cli.console import print_table
from spackmon.cli.database import open_database
from spackmon.models import utc_now
from spackmon.viewer import READ, WRITE

app = typer.Typer(help="Create, list and revoke the tokens that Spack clients write with.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose token: see `spackmon user list`.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="What it is for: build:write, read, admin; several times.")
    ] = None,
    expires_in_days: Annotated[
        float | None, typer.Option(min=0, max=36_500, help="When it ends; never, if not given.")
    ] = None,
) -> None:
    """Print a new token and nothing else; it is shown this once."""
    scopes = scope or (WRITE, READ)
    ends = None if expires_in_days is None else utc_now() + timedelta(days=expires_in_days)
    with open_database() as database:
        print(database.write(lambda connection: create_token(connection, name, scopes, ends)))


@app.command("list")
def list_(name: Annotated[str | None, typer.Argument(help="Only this person's.")] = None) -> None:
    """Show tokens by number; the secrets themselves are not kept."""
    with open_database() as database:
        tokens = database.read_once(lambda connection: list_tokens(connection, name))
    print_table(
        ("ID", "NAME", "SCOPES", "CREATED", "EXPIRES", "LAST USED", "REVOKED"),
        map(astuple, tokens),
    )


@app.command()
def revoke(
    token_id: Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="See `spackmon token list`.")],
) -> None:
    """End a token; clients that use it are refused from now on."""
    with open_database() as database:
        database.write(lambda connection: revoke_token(connection, token_id))
