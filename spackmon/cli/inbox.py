"""`spackmon inbox`: what clients sent and could not be applied."""

import sys
from collections.abc import Iterable
from typing import Annotated

import typer

from spackmon.cli.console import complain, print_table
from spackmon.cli.database import open_database
from spackmon.errors import Code, Refused, printable
from spackmon.ingest import inbox
from spackmon.large_bytes import AnyBytes
from spackmon.settings import load_settings
from spackmon.submission import Submission

app = typer.Typer(help="See, and try again, what clients sent and could not be applied.")


@app.command("list")
def list_(
    with_applied: Annotated[
        bool, typer.Option("--all", help="Also what a replay has applied since.")
    ] = False,
) -> None:
    """Show what waits, oldest first."""
    with open_database() as database:
        entries = database.read_once(lambda connection: inbox.entries(connection, with_applied=with_applied))
    print_table(
        ("ID", "RECEIVED", "FROM", "KIND", "REPLAYS", "APPLIED", "ERROR"),
        (
            (e.id, e.received_at, e.person, e.kind, e.replay_count, e.applied_at, e.error_message)
            for e in entries
        ),
    )


@app.command()
def show(entry_id: Annotated[int, typer.Argument(help="See `spackmon inbox list`.")]) -> None:
    """Print the body as it came; what is known about it goes to stderr."""
    with open_database() as database:
        entry, body = database.read_once(lambda connection: inbox.show(connection, entry_id))
    complain(f"{entry.kind} from {entry.person}: {entry.error_code}: {entry.error_message}")
    if sys.stdout.isatty():
        print("\n".join(printable(line) for line in body.decode("utf-8", "replace").split("\n")))
    else:
        sys.stdout.buffer.write(body)


@app.command()
def replay(
    entry_ids: Annotated[
        list[int] | None, typer.Argument(help="Everything that waits, if none is given.")
    ] = None,
) -> None:
    """Try again, in the order in which it came."""
    applied = refused = 0
    with open_database() as database:
        for entry_id in entry_ids or database.read_once(inbox.replay_order):
            outcome = inbox.replay(database, entry_id, _read)
            if isinstance(outcome, Refused):
                complain(f"{entry_id}: {outcome.sentence}")
                refused += 1
            elif outcome is not None:
                applied += 1
    print(f"{applied} applied", file=sys.stderr)
    if refused:
        raise Refused(Code.REPLAY_INCOMPLETE, f"{refused} could not be applied and stay in the inbox")


def _read(kind: str, body: AnyBytes) -> Iterable[Submission]:
    # Only the command that reads reports pays for loading the service's writes.
    from spackmon.rest_compat.replays import reader

    return reader(load_settings().cdash_projects)(kind, body)
