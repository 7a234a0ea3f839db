"""`spackmon import-old`: the database of the old server, into that of the settings."""

from typing import Annotated

import typer

from spackmon.cli.console import complain, print_table
from spackmon.cli.database import open_database
from spackmon.errors import Code, Refused
from spackmon.ops.old_server.importing import import_old_server
from spackmon.ops.old_server.tables import opened


def import_old(
    place: Annotated[
        str, typer.Argument(metavar="FILE|URL", help="Its SQLite file, or postgresql://USER@HOST/NAME.")
    ],
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing of how far it is.")] = False,
) -> None:
    """Store what the old server knew: people with passwords and tokens, specs, builds, logs and results.

    Its database is only read, and it may go on meanwhile. A second time adds what came since then, and
    nothing twice. The exit status is 1 where something is not here for no reason.
    """
    with opened(place) as tables, open_database() as database:
        comparison = import_old_server(database, tables, (lambda _: None) if quiet else complain)
    print_table(("", "THERE", "HERE", "WHY DIFFERENT"), comparison.rows())
    if lost := comparison.lost_nouns:
        raise Refused(Code.IMPORT_INCOMPLETE, f"some {', '.join(lost)} of the old server are not here")
