"""All commands, and nothing of what they do."""

from importlib.metadata import version
from typing import Annotated

import typer

from spackmon.cli import (
    db,
    extension,
    imports,
    inbox,
    old_names,
    people,
    runs,
    schema,
    serve,
    tokens,
    unit,
    upload,
)


def command_line() -> typer.Typer:
    """The whole command line."""
    app = typer.Typer(
        name="spackmon",
        help="The build memory of a Spack site.",
        no_args_is_help=True,
        add_completion=False,
        # Both write boxes where a script, and the next line of a terminal, want a sentence.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_program)
    app.command()(serve.serve)
    app.add_typer(unit.app, name="unit")
    app.add_typer(db.app, name="db")
    app.add_typer(people.app, name="user")
    app.add_typer(tokens.app, name="token")
    app.command("import")(imports.import_paths)
    app.command()(upload.upload)
    app.add_typer(inbox.app, name="inbox")
    app.add_typer(runs.app, name="run")
    app.add_typer(extension.app, name="extension")
    app.command()(schema.schema)
    for name, command in old_names.COMMANDS.items():
        app.command(name, hidden=True)(command)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"spackmon {version('spackmon')}")
        raise typer.Exit


def _program(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """The build memory of a Spack site."""
