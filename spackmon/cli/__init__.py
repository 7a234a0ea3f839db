"""`spackmon …`, for people and for scripts: 0 done, 1 refused with one sentence on stderr, 2 usage."""

import sys

import typer
from sqlalchemy.exc import DBAPIError

from spackmon.cli import db, imports, inbox, old_names, people, schema, serve, tokens, upload
from spackmon.errors import Refused


def command_line() -> typer.Typer:
    """All commands."""
    app = typer.Typer(
        name="spackmon",
        help="The build memory of a Spack site.",
        no_args_is_help=True,
        add_completion=False,
        # Both write boxes where a script, and the next line of a terminal, want a sentence.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.command()(serve.serve)
    app.add_typer(db.app, name="db")
    app.add_typer(people.app, name="user")
    app.add_typer(tokens.app, name="token")
    app.command("import")(imports.import_files)
    app.command()(upload.upload)
    app.add_typer(inbox.app, name="inbox")
    app.command()(schema.schema)
    for name, command in old_names.COMMANDS.items():
        app.command(name, hidden=True)(command)
    return app


def main() -> None:
    """The entry point of `.venv/bin/spackmon`."""
    try:
        command_line()()
    except Refused as refused:
        _refuse(refused.sentence)
    except DBAPIError as error:
        _refuse(f"the database answered: {str(error.orig).strip().splitlines()[0]}")


def _refuse(sentence: str) -> None:
    print(f"spackmon: {sentence}", file=sys.stderr)
    sys.exit(1)
