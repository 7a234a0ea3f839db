"""`spackmon key`: what signs the access tokens of clients."""

from typing import Annotated

import typer

from spackmon.auth.signing_keys import rotate_key, stored_keys
from spackmon.cli.console import print_table
from spackmon.cli.database import open_database

app = typer.Typer(help="List and rotate the keys that sign access tokens.")


@app.command("list")
def list_() -> None:
    """Show the keys beside the first, which is the secret of the services; the newest one signs."""
    with open_database() as database:
        keys = database.read_once(stored_keys)
    print_table(
        ("ID", "CREATED", "ENDED OTHERS"),
        ((key.id, key.created_at, "yes" if key.ends_others else "no") for key in keys),
    )


@app.command()
def rotate(
    end_others: Annotated[
        bool, typer.Option("--end-others", help="End what older keys signed: clients ask for new ones.")
    ] = False,
) -> None:
    """Sign with a new key from now on; services need no restart."""
    with open_database() as database:
        database.write(lambda connection: rotate_key(connection, ends_others=end_others))
