"""docs/cli.md: every command with its arguments and options, as `--help` has them."""

from collections.abc import Iterator
from typing import Any

import click
from typer.main import get_command

from spackmon.cli.commands import command_line

_HEAD = """\
# The command line

Every command of `spackmon`, as `--help` tells of it. Those that only read files or talk to a server need
`spackmon` alone, all others `spackmon[server]`; they take [the settings](settings.md) from the
environment, and work on the database that these name, beside a running service. What is refused is one
sentence on standard error, and the exit code is 1; a command line that cannot be read exits with 2.

This page is written by `make reference`.
"""


def page() -> str:
    """The whole page."""
    # The library has click's classes as its own, of which it says nothing to a type checker.
    program: Any = get_command(command_line())
    context = click.Context(program, info_name="spackmon")
    return "\n".join([_HEAD, *_commands(program, context)])


def _commands(group: Any, context: Any) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command.hidden:
            continue
        inner = click.Context(command, info_name=name, parent=context)
        level = "##" if context.parent is None else "###"
        yield f"{level} {inner.command_path}\n"
        if hasattr(command, "list_commands"):
            yield f"{_said(command)}\n"
            yield from _commands(command, inner)
        else:
            yield from _command(command, inner)


def _command(command: Any, context: Any) -> Iterator[str]:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"```text\n{usage}\n```\n"
    yield f"{_said(command)}\n"
    rows = [row for one in command.get_params(context) if (row := _row(one, context)) is not None]
    if rows:
        yield "| | |\n|---|---|"
        yield "".join(f"| `{names}` | {_cell(text)} |\n" for names, text in rows)


def _said(command: Any) -> str:
    return str(command.help or "").replace("\b", "").strip()


def _row(parameter: Any, context: Any) -> tuple[str, str] | None:
    if parameter.name == "help" or parameter.hidden:
        return None
    record = parameter.get_help_record(context)
    names, text = record or (parameter.make_metavar(context), "")
    return " ".join(names.split()).replace("|", "\\|"), text


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "\\<").replace("*", "\\*")
