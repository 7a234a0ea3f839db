"""`spackmon db`: the schema of the database."""

import typer

from spackmon.database import Database
from spackmon.ops import migrations
from spackmon.settings import load_settings

app = typer.Typer(help="Bring the database to this program's revision, or see whether it is there.")


@app.command()
def upgrade() -> None:
    """Create or migrate the tables; nothing happens when they are up to date."""
    migrations.upgrade(load_settings().database_url)


@app.command()
def check() -> None:
    """Exit 0 when the database is at this program's revision, 1 when not."""
    database = Database(load_settings().database_url)
    try:
        if refused := migrations.check(database):
            raise refused
    finally:
        database.close()
