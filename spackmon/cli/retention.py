"""`spackmon retention`: what is removed when it is old, and how much there is."""

from typing import Annotated

import typer

from spackmon.cli.console import print_table
from spackmon.cli.database import open_database
from spackmon.ingest.specs.removal import remove_orphans
from spackmon.ops import retention
from spackmon.ops.quotas import keep_to, quotas_of
from spackmon.settings import load_settings

app = typer.Typer(help="Remove what is old, by the rules of RETENTION.")


@app.command()
def run(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what each rule would remove.")] = False,
    rules: Annotated[str | None, typer.Option(metavar="RULES", help="Rules in place of RETENTION.")] = None,
    quotas: Annotated[str | None, typer.Option(metavar="RULES", help="Rules in place of QUOTAS.")] = None,
    orphan_specs: Annotated[
        bool, typer.Option("--orphan-specs", help="Then remove specs that no run and no other spec has.")
    ] = False,
) -> None:
    """Remove what is old now, and the oldest of what is too much; services do it every few hours.

    It may be stopped and started again at any time, beside running services.
    """
    settings = load_settings()
    read = retention.rules_of(settings.retention if rules is None else rules)
    limits = quotas_of(settings.quotas if quotas is None else quotas)
    with open_database(settings) as database:
        work = retention.find_all if dry_run else retention.remove_all
        rows = [(str(one.rule), one.count) for one in work(database, read)]
        rows += [(str(rule), keep_to(database, rule, dry_run=dry_run)) for rule in limits]
        if orphan_specs:
            rows.append(("orphan specs", remove_orphans(database, dry_run=dry_run)))
    print_table(("RULE", "TO REMOVE" if dry_run else "REMOVED"), rows)


@app.command()
def sizes() -> None:
    """Show how many runs each person has, and how many bytes of logs and results."""
    with open_database() as database:
        rows = database.read_once(retention.sizes)
    print_table(
        ("PERSON", "RUNS", "LOG BYTES", "RESULT BYTES"),
        [(one.person, one.runs, one.log_bytes, one.result_bytes) for one in rows],
    )
