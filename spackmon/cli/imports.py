"""`spackmon import`: whatever Spack left on disks, into the database or to a server, any number of times."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from spackmon.cli.console import complain, counted
from spackmon.cli.import_summary import Summary
from spackmon.cli.installed import has_server, without_server
from spackmon.cli.reading_beside import reading
from spackmon.client import Client
from spackmon.client.reading import Named, Read, is_address
from spackmon.errors import Code, Refused

ServerOption = Annotated[
    str | None, typer.Option(help="The server to send to; without it, the database of the settings.")
]
TokenOption = Annotated[
    str | None,
    typer.Option(
        envvar="SPACKMON_TOKEN", show_envvar=True, help="With --url: the token of whose builds they are."
    ),
]


def import_paths(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Files, directories and archives of whatever Spack wrote, or a buildcache's URL."
        ),
    ],
    url: ServerOption = None,
    token: TokenOption = None,
    user: Annotated[
        str | None, typer.Option(help="Without --url: whose builds they are, if not anonymous.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="A tag for every build; may be given several times.")
    ] = None,
    spack_version: Annotated[
        str | None, typer.Option(help="The Spack that made the documents which do not say it themselves.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read everything and store nothing.")] = False,
) -> None:
    """Store the specs and builds of PATHS; what is damaged is named, and the rest goes in."""
    if url is not None and user is not None:
        raise typer.BadParameter("with --url they belong to the token's person", param_hint="--user")
    summary = Summary()
    # To send is to wait for the network: only who writes here needs a processor of its own.
    is_written_here = url is None and not dry_run
    read = reading(paths, spack_version, tuple(tag or ()), beside=is_written_here)
    with _progress(paths, summary) as bar, read as found:
        importing = _Import(found, summary, bar)
        if dry_run:
            for _, report in importing.reports():
                summary.read(report)
        elif url is not None:
            importing.send(Client(url, token=token))
        else:
            importing.store(user)
    summary.print(dry_run=dry_run)
    if importing.problems:
        raise Refused(
            Code.IMPORT_INCOMPLETE, f"{counted(len(importing.problems), 'document')} could not be stored"
        )


@dataclass(slots=True)
class _Import:
    """One import: what is read, and what became of it."""

    found: Iterator[Read]
    summary: Summary
    progress: Callable[[int], None]
    problems: set[str] = field(default_factory=set)

    def reports(self) -> Iterator[Named]:
        """The reports, one after the other; what cannot be read is named in between."""
        for read in self.found:
            if isinstance(read.report, Refused):
                self.refuse(read.place, read.report)
            elif read.report is not None:
                yield read.place, read.report
            self.progress(read.size_bytes)

    def refuse(self, place: str, refused: Refused) -> None:
        """Name what could not be read or stored."""
        sentence = refused.sentence.removeprefix(f"{os.path.basename(place)}: ")
        complain(f"{place}: {sentence}")
        # All that is understood went in.
        if refused.code != Code.DOCUMENT_NEWER:
            self.problems.add(place)

    def send(self, client: Client) -> None:
        """Send everything to a server."""
        sent = client.send(((place, report), report) for place, report in self.reports())
        for one in sent:
            place, report = one.name
            if one.refused is not None:
                self.refuse(place, one.refused)
            else:
                self.summary.sent(report, one.status)

    def store(self, user: str | None) -> None:
        """Write everything into the database of the settings, as this person's or anonymous."""
        if not has_server():
            raise without_server("an import without --url")
        from spackmon.cli.storing import stored

        for (place, report), outcome in stored(self.reports(), user):
            if isinstance(outcome, Refused):
                self.refuse(place, outcome)
            else:
                self.summary.stored(report, outcome)


@contextmanager
def _progress(paths: list[str], summary: Summary) -> Iterator[Callable[[int], None]]:
    """A bar over the bytes of files, or what was done so far of trees, whose size nobody knows before."""
    bar = Progress(
        BarColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task: TaskID = bar.add_task("import", total=_size_of_files(paths), rate="")

        def advance(size_bytes: int) -> None:
            seconds = bar.tasks[0].elapsed or 1e-9
            rate = f"{counted(summary.reports, 'report')}, {summary.reports / seconds:.0f}/s"
            bar.update(task, advance=size_bytes, rate=rate)

        yield advance


def _size_of_files(paths: list[str]) -> int | None:
    total = 0
    for path in paths:
        if is_address(path) or os.path.isdir(path):
            return None
        with suppress(OSError):
            total += os.stat(path).st_size
    return total
