"""`spackmon token`: the secrets that people's clients write with."""

from typing import Annotated

import typer

from spackmon.auth.tokens import create_token, list_tokens, revoke_token
from spackmon.cli.console import print_table
from spackmon.cli.database import open_database

app = typer.Typer(help="Create, list and revoke the tokens that Spack clients write with.")


@app.command()
def create(name: Annotated[str, typer.Argument(help="Whose token: see `spackmon user list`.")]) -> None:
    """Print a new token and nothing else; it is shown this once."""
    with open_database() as database:
        print(database.write(lambda connection: create_token(connection, name)))


@app.command("list")
def list_(name: Annotated[str | None, typer.Argument(help="Only this person's.")] = None) -> None:
    """Show tokens by number; the secrets themselves are not kept."""
    with open_database() as database:
        tokens = database.read_once(lambda connection: list_tokens(connection, name))
    print_table(
        ("ID", "NAME", "CREATED", "REVOKED"),
        ((token.id, token.person, token.created_at, token.revoked_at) for token in tokens),
    )


@app.command()
def revoke(token_id: Annotated[int, typer.Argument(help="See `spackmon token list`.")]) -> None:
    """End a token; clients that use it are refused from now on."""
    with open_database() as database:
        database.write(lambda connection: revoke_token(connection, token_id))
