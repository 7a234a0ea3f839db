"""`spackmon …`, for people and for scripts: 0 done, 1 refused with one sentence on stderr, 2 usage."""

import sys

from spackmon.garbage import uncollected


def main() -> None:
    """The entry point of `.venv/bin/spackmon`."""
    # The process that serves is below this package, too, and imports nothing of the command line.
    with uncollected():
        from spackmon.cli.commands import command_line
        from spackmon.cli.console import complain
        from spackmon.errors import Refused
    try:
        command_line()()
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
