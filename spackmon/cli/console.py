"""How commands write: tables for people that a script can cut, and nothing that steers a terminal."""

import sys
from collections.abc import Iterable
from datetime import datetime

from spackmon.errors import printable

# A pipe has no width: a line that were folded there could not be taken apart again.
_PIPE_COLUMNS = 10_000


def print_table(headings: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    """Print `rows` in columns on stdout; None is shown as a dash."""
    # Most commands print no table.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*headings, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    Console(width=None if sys.stdout.isatty() else _PIPE_COLUMNS).print(table)


def complain(sentence: str) -> None:
    """Say on stderr what is wrong with one of several inputs."""
    print(f"spackmon: {printable(sentence)}", file=sys.stderr)


def counted(count: int, noun: str) -> str:
    """`1 spec`, `2 specs`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return printable(str(value))
