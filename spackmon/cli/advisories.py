"""`spackmon advisories …`: what known defects mean for a site."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from spackmon.cli.console import complain, print_table
from spackmon.cli.installed import has_server, without_server
from spackmon.client import Client
from spackmon.client.advisories import Match, match
from spackmon.errors import Refused
from spackmon.formats.advisories import Advisory, Affected, read_advisories

app = typer.Typer(help="Known defects, and what has them.", no_args_is_help=True)

_SUFFIXES = frozenset((".json", ".jsonl", ".yaml", ".yml"))
_Files = Annotated[
    list[Path], typer.Argument(exists=True, help="OSV documents, your own advisories, or folders of them.")
]
_Names = Annotated[
    list[str] | None,
    typer.Option("--name", metavar="THEIRS=SPACK", help="What Spack calls what advisories call otherwise."),
]


@app.command()
def load(files: _Files, name: _Names = None) -> None:
    """Store advisories in the database, each in place of what it was before; a withdrawn one affects nothing.

    The exit status is 2 where a file cannot be read, else 0.
    """
    if not has_server():
        raise without_server("advisories load")
    # The server's packages, which a client need not have.
    from spackmon.cli.stored_advisories import store

    names = _names(name or [])
    raise typer.Exit(store(list(_listed(files)), names))


@app.command()
def check(
    files: _Files,
    url: Annotated[str, typer.Option(help="The server that is asked.")] = "http://127.0.0.1:8000",
    token: Annotated[
        str | None, typer.Option(envvar="SPACKMON_TOKEN", show_envvar=True, help="Where reading needs one.")
    ] = None,
    name: _Names = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="A JSON object a line, for programs.")] = False,
) -> None:
    """Ask a server what has a known defect: specs, builds, roots, and what to change below each root.

    The exit status is 1 where something is affected, 2 where a file cannot be read, else 0.
    """
    client = Client(url, token=token)
    names = _names(name or [])
    rows: list[tuple[object, ...]] = []
    is_affected = is_damaged = False
    for path in _listed(files):
        try:
            for advisory in read_advisories(path.read_bytes(), names):
                for sentence in advisory.passed_over:
                    complain(f"{path}: {advisory.id}: passed over: {sentence}")
                for affected in advisory.affected:
                    found = match(client, affected)
                    is_affected = is_affected or bool(found.specs)
                    if jsonl:
                        print(json.dumps(_line(advisory, affected, found)))
                    elif found.specs:
                        rows += _rows(advisory, affected, found)
        except (Refused, OSError) as problem:
            is_damaged = True
            complain(f"{path}: {problem.sentence if isinstance(problem, Refused) else problem.strerror}")
    if rows:
        print_table(("ADVISORY", "AFFECTS", "SPECS", "BUILDS", "ROOT", "CHANGE"), rows)
    elif not jsonl and not is_damaged:
        print("nothing is affected")
    raise typer.Exit(2 if is_damaged else int(is_affected))


def _listed(files: list[Path]) -> Iterator[Path]:
    for path in files:
        if path.is_dir():
            yield from sorted(one for one in path.rglob("*") if one.suffix in _SUFFIXES and one.is_file())
        else:
            yield path


def _names(given: list[str]) -> Mapping[str, str]:
    pairs = [one.partition("=") for one in given]
    if not all(theirs and sign and ours for theirs, sign, ours in pairs):
        raise typer.BadParameter("say what they call it and what Spack does: libz=zlib", param_hint="--name")
    return {theirs: ours for theirs, _, ours in pairs}


def _rows(advisory: Advisory, affected: Affected, found: Match) -> Iterator[tuple[object, ...]]:
    builds = sum(found.builds.values())
    head: tuple[object, ...] = (advisory.id, affected.words, len(found.specs), builds)
    for root in found.roots:
        change = ", ".join(f"{one.name}@{one.version}" for one in root.change) or "itself"
        yield (*head, f"{root.spec.name}@{root.spec.version}/{root.spec.hash[:7]}", change)
        head = ("", "", "", "")


def _line(advisory: Advisory, affected: Affected, found: Match) -> dict[str, Any]:
    return {
        "id": advisory.id,
        "aliases": advisory.aliases,
        "summary": advisory.summary,
        "affects": affected.words,
        **asdict(found),
    }
