"""`spackmon …`, for people and for scripts: 0 done, 1 refused with one sentence on stderr, 2 usage."""

from spackmon.garbage import uncollected


def main() -> None:
    """The entry point of `.venv/bin/spackmon`."""
    # The process that serves is below this package, too, and imports nothing of the command line.
    with uncollected():
        from spackmon.cli.commands import command_line
        from spackmon.cli.console import refusals_said
    with refusals_said():
        command_line()()
