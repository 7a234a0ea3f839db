"""The pages of docs/ that follow from the program and cannot say anything else: `make reference`."""

from pathlib import Path

from tests import examples
from tests.reference_pages import command_line, tables

DOCS = Path(__file__).parents[2] / "docs"


def pages() -> dict[Path, str]:
    """What is to be in each of the files."""
    of_tables = {DOCS / name: text for name, text in tables.pages().items()}
    return {examples.PAGE: examples.page(), DOCS / "cli.md": command_line.page(), **of_tables}
