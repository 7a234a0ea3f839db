"""`spackmon …`, for people and for scripts: 0 done, 1 refused with one sentence on stderr, 2 usage."""

import sys

from sqlalchemy.exc import DBAPIError

from spackmon.cli.commands import command_line
from spackmon.cli.console import complain
from spackmon.errors import Refused


def main() -> None:
    """The entry point of `.venv/bin/spackmon`."""
    try:
        command_line()()
    except Refused as refused:
        complain(refused.sentence)
        sys.exit(1)
    except DBAPIError as error:
        complain(f"the database answered: {str(error.orig).strip().splitlines()[0]}")
        sys.exit(1)
