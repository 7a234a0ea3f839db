"""The commands that need the server's packages: those that serve, and those that open its database."""

import typer

from spackmon.cli import (
    db,
    error_groups,
    inbox,
    log,
    log_regroup,
    log_reread,
    old_names,
    people,
    runs,
    schema,
    serve,
    spool,
    tokens,
    unit,
)


def add_commands(app: typer.Typer) -> None:
    """Add them to the command line."""
    app.command()(serve.serve)
    app.add_typer(unit.app, name="unit")
    app.add_typer(db.app, name="db")
    app.add_typer(people.app, name="user")
    app.add_typer(tokens.app, name="token")
    app.add_typer(inbox.app, name="inbox")
    log.app.command("reread")(log_reread.reread)
    log.app.command("regroup")(log_regroup.regroup)
    log.app.command("reclassify")(log_regroup.reclassify)
    app.add_typer(spool.app, name="spool")
    app.add_typer(runs.app, name="run")
    app.add_typer(error_groups.app, name="error-group")
    app.command()(schema.schema)
    for name, command in old_names.COMMANDS.items():
        app.command(name, hidden=True)(command)
