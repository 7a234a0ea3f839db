"""How commands write: tables for people that a script can cut, and nothing that steers a terminal."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from spackmon.errors import Refused, printable

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


@contextmanager
def refusals_said() -> Iterator[None]:
    """End the process with one sentence on stderr where it is refused, or the database answers an error."""
    try:
        yield
    except Refused as refused:
        complain(refused.sentence)
        sys.exit(1)
    except Exception as error:
        # Whoever has the client alone has not the library, and whatever raised this is nothing of it.
        library = sys.modules.get("sqlalchemy.exc")
        if library is None or not isinstance(error, library.DBAPIError):
            raise
        complain(f"the database answered: {str(error.orig).strip().splitlines()[0]}")
        sys.exit(1)


def counted(count: int, noun: str) -> str:
    """`1 spec`, `2 specs`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return printable(str(value))
