"""All commands, and nothing of what they do."""

from importlib.metadata import version
from typing import Annotated

import typer

from spackmon.cli import abi, extension, imports, log, upload
from spackmon.cli.installed import has_server, without_server

# Named here, because the client alone cannot import them to see.
_OF_SERVER = (
    "serve", "unit", "db", "user", "token", "inbox", "spool", "run", "error-group", "schema",
    "add_user", "get_token", "import_package_configuration",
)  # fmt: skip
_ANYTHING = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


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
    app.command("import")(imports.import_paths)
    app.command()(upload.upload)
    app.add_typer(abi.app, name="abi")
    app.add_typer(extension.app, name="extension")
    app.add_typer(log.app, name="log")
    if has_server():
        from spackmon.cli.of_server import add_commands

        add_commands(app)
    else:
        for name in _OF_SERVER:
            app.command(name, hidden=True, context_settings=_ANYTHING)(_refuse)
        for name in ("reread", "regroup", "reclassify"):
            log.app.command(name, hidden=True, context_settings=_ANYTHING)(_refuse)
    return app


def _refuse(context: typer.Context) -> None:
    raise without_server(f"`{context.command_path}`")


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
