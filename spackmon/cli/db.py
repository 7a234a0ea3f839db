"""`spackmon db`: the schema of the database."""

from collections import Counter
from typing import Annotated

import typer

from spackmon.cli.console import complain, print_table
from spackmon.cli.database import open_database
from spackmon.database import Database
from spackmon.errors import Code, Refused
from spackmon.ingest.checking import check_database
from spackmon.ingest.masking import mask_stored
from spackmon.ops import migrations, revisions
from spackmon.ops.copies.copying import copy, snapshot
from spackmon.settings import database_address, load_settings

app = typer.Typer(help="Bring the database to this program's revision, or see whether it is there.")


@app.command()
def upgrade() -> None:
    """Create or migrate the tables; nothing happens when they are up to date."""
    migrations.upgrade(load_settings().session_url, tell=typer.echo)


@app.command()
def check(
    repair: Annotated[bool, typer.Option(help="Write what differs, instead of only counting it.")] = False,
) -> None:
    """Exit 0 when the database is at this program's revision and holds what was reported, 1 when not.

    What follows from the documents of specs (dependencies, closures, compilers, what builds contain), and the
    runs that follow from what sources reported, are made anew, some at a time, and compared.
    """
    database = Database(load_settings().session_url)
    try:
        if refused := revisions.check(database):
            raise refused
        differences = _differences(database, repair=repair)
    finally:
        database.close()
    print_table(("", "REPAIRED" if repair else "DIFFERENT"), differences.items())
    if not repair and any(differences.values()):
        sentence = "what is stored is not what was reported: run `spackmon db check --repair`"
        raise Refused(Code.DATABASE_DIFFERS, sentence)


@app.command("copy")
def copy_to(
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL", help="An empty database: sqlite:////PATH, postgresql://USER@HOST/NAME."
        ),
    ],
) -> None:
    """Copy the database of the settings into an empty one of either kind, with all numbers as they are.

    Stop the services before. It may be stopped and started again, and reads back what it wrote.
    """
    try:
        target = database_address(url)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="URL") from None
    with snapshot(load_settings().session_url) as source:
        counts = copy(source, target, complain)
    print_table(("", "ROWS"), [(name, count) for name, count in counts.items() if count])


@app.command("mask-secrets")
def mask_secrets(
    dry_run: Annotated[bool, typer.Option(help="Only count what would be masked.")] = False,
) -> None:
    """Mask the secrets in what is stored already, by the rules of docs/secrets.md and SECRET_NAMES.

    It may be stopped and started again at any time, beside a running service.
    """
    with open_database() as database:
        counts = [
            (progress.kind, progress.looked_at, progress.masked)
            for progress in mask_stored(database, is_trial=dry_run)
        ]
    print_table(("", "LOOKED AT", "TO MASK" if dry_run else "MASKED"), counts)


def _differences(database: Database, *, repair: bool) -> dict[str, int]:
    differences: Counter[str] = Counter()
    for progress in check_database(database, repair=repair):
        differences.update(progress.differences)
    return dict(differences)
