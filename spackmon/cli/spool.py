"""`spackmon spool`: reports that came in an outage and could not be applied after it."""

import sys
from typing import Annotated

import typer

from spackmon.cli.console import print_table
from spackmon.ops.spool import Spool
from spackmon.settings import load_settings

app = typer.Typer(help="See, and try again, what was acknowledged in an outage and could not be applied.")


@app.command("list")
def list_() -> None:
    """Show what the service has set aside, oldest first."""
    print_table(
        ("REPORT", "RECEIVED", "FROM", "KIND", "BYTES", "REASON"),
        (
            (one.name, one.arrived_at, one.person, one.kind, one.size_bytes, one.reason)
            for one in Spool(load_settings().spool).set_aside()
        ),
    )


@app.command()
def retry(
    reports: Annotated[
        list[str] | None, typer.Argument(help="Everything that was set aside, if none is given.")
    ] = None,
) -> None:
    """Let the service try again, before all that came later."""
    spool = Spool(load_settings().spool)
    names = reports or [one.name for one in spool.set_aside()]
    for name in names:
        spool.put_back(name)
    print(f"{len(names)} put back: a running service applies them within seconds", file=sys.stderr)
