"""All commands, and nothing of what they do."""

from importlib.metadata import version
from typing import Annotated, ClassVar

import typer

from spackmon.cli.lazy import LazyGroup, Place


class _Program(LazyGroup):
    places: ClassVar = {
        "import": Place("imports", "import_paths", needs_server=False),
        "import-old": Place("old_server", "import_old"),
        "upload": Place("upload", "upload", needs_server=False),
        "serve": Place("serve", "serve"),
        "schema": Place("schema", "schema"),
        "sbom": Place("sbom", "sbom"),
        "docs": Place("docs", "docs"),
        "abi": Place("abi", needs_server=False),
        "advisories": Place("advisories", needs_server=False),
        "extension": Place("extension", needs_server=False),
        "log": Place("log", needs_server=False),
        "unit": Place("unit"),
        "db": Place("db"),
        "backup": Place("backups", "backup"),
        "restore": Place("backups", "restore"),
        "export": Place("backups", "export_tables"),
        "retention": Place("retention"),
        "bucket": Place("bucket"),
        "user": Place("people"),
        "group": Place("groups"),
        "build": Place("builds"),
        "token": Place("tokens"),
        "audit": Place("audit", "audit"),
        "key": Place("keys"),
        "inbox": Place("inbox"),
        "spool": Place("spool"),
        "run": Place("runs"),
        "error-group": Place("error_groups"),
        "rule": Place("rules"),
        # The old server's, under the names that its people know.
        "add_user": Place("old_names", "add_user", is_hidden=True),
        "get_token": Place("old_names", "get_token", is_hidden=True),
        "import_package_configuration": Place("old_names", "import_package_configuration", is_hidden=True),
    }


def command_line() -> typer.Typer:
    """The whole command line."""
    app = typer.Typer(
        name="spackmon",
        cls=_Program,
        help="The build memory of a Spack site.",
        no_args_is_help=True,
        add_completion=False,
        # Both write boxes where a script, and the next line of a terminal, want a sentence.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_program)
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
