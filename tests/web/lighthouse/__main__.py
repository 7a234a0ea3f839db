"""Lighthouse's scores of every main page of the demo; 1 if one is below what pages must reach.

python -m tests.web.lighthouse DATABASE_FILE [--only PAGE]
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.web.conftest import CHROMIUM_ARGUMENTS, chromium
from tests.web.demo import demo_site, main_pages, own_pages

_RUN = Path(__file__).with_name("run.mjs")
_CATEGORIES = ("performance", "accessibility", "best-practices")
_AT_LEAST = 95
_ATTEMPTS = 3
# An editor of three megabytes, in whose boxes nothing can be pasted but by its own keys.
_FREE = frozenset({("GraphiQL", "performance"), ("GraphiQL", "best-practices")})


def _scored(pages: Sequence[dict[str, str]]) -> Iterator[Any]:
    """Each page's scores as soon as they are known."""
    command = [Path(sys.executable).with_name("node"), _RUN]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked = {
            "chromium": chromium(),
            "arguments": CHROMIUM_ARGUMENTS,
            "categories": _CATEGORIES,
            "enough": _AT_LEAST,
            "attempts": _ATTEMPTS,
            "pages": pages,
        }
        json.dump(asked, process.stdin)
        process.stdin.close()
        yield from map(json.loads, process.stdout)
    if process.returncode:
        sys.exit(f"Lighthouse ended with {process.returncode}")


def _asked(database: Path, only: Sequence[str]) -> Iterator[Any]:
    with demo_site(database) as (server, cookie):
        seen_by_all, own = main_pages(server), own_pages()
        pages = [
            {"name": name, "address": server.url + path, "cookie": cookie if name in own else ""}
            for name, path in {**seen_by_all, **own}.items()
            if not only or name in only
        ]
        for page in pages:
            # The first visit of all compiles what a page asks.
            server.http.get(page["address"], headers={"Cookie": page["cookie"]})
        yield from _scored(pages)


def main() -> int:
    """Print a line for each page, and below it what each score below the bar wants for."""
    parser = argparse.ArgumentParser(prog="python -m tests.web.lighthouse", description=__doc__)
    parser.add_argument("database", type=Path)
    parser.add_argument("--only", action="append", default=[], help="a page by its name; may be repeated")
    arguments = parser.parse_args()
    table = Table("page", *_CATEGORIES, title=f"Lighthouse; the machine's load is {os.getloadavg()[0]:.1f}")
    missed = 0
    for page in _asked(arguments.database, arguments.only):
        scores = {category: page["scores"].get(category, 0) for category in _CATEGORIES}
        table.add_row(page["name"], *map(str, scores.values()))
        if any(
            score < _AT_LEAST and (page["name"], category) not in _FREE for category, score in scores.items()
        ):
            missed += 1
            print(f"{page['name']}: {page['scores']}", flush=True)
            for audit, score, words in page["wanting"]:
                print(f"  {audit} {score}: {words}", flush=True)
    Console(width=100).print(table)
    print(f"{missed} pages below {_AT_LEAST}")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
