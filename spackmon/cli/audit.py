"""`spackmon audit`: what was changed of people's rights."""

from dataclasses import astuple
from functools import partial
from typing import Annotated

import typer

from spackmon.auth.audit import changes_of_rights
from spackmon.cli.console import print_table
from spackmon.cli.database import open_database


def audit(
    name: Annotated[str | None, typer.Argument(help="Only changes of this person's rights.")] = None,
    most: Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many.")] = 100,
) -> None:
    """Show each change of a right, the newest first: when, who, from where, what, of whom."""
    with open_database() as database:
        records = database.read_once(partial(changes_of_rights, most=most, subject=name))
    print_table(("ID", "WHEN", "WHO", "FROM", "WHAT", "WHOM", "DETAIL"), map(astuple, records))
