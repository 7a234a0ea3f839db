"""`spackmon log …`: what a build's log says, without a server and without a database."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated, ClassVar

import typer

from spackmon.cli.console import complain, counted, print_table
from spackmon.cli.lazy import LazyGroup, Place
from spackmon.formats.bytes.compression import Damaged, UnpackedFile, compression_of
from spackmon.logs.event import CONSEQUENCE, Event, Report
from spackmon.logs.scanner import read
from spackmon.logs.taxonomy import NotATaxonomy, Taxonomy, shipped, with_rules_of


class _Log(LazyGroup):
    places: ClassVar = {
        "events": Place("log", "events", needs_server=False),
        "reread": Place("log_reread", "reread"),
        "regroup": Place("log_regroup", "regroup"),
        "reclassify": Place("log_regroup", "reclassify"),
    }


app = typer.Typer(cls=_Log, help="Read build logs, without a server.", no_args_is_help=True)

_STDIN = "-"
_READ_BYTES = 1 << 18
_HEADINGS = ("FILE", "LINE", "", "TOOL", "CLASS", "TIMES", "MESSAGE")
_MESSAGE_COLUMNS = 160


@app.callback()
def _log() -> None:
    """Read build logs, without a server."""


def events(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE…", help="Logs, also compressed ones; - is standard input.")
    ],
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print one JSON object a line.")] = False,
    show_all: Annotated[
        bool,
        typer.Option("--all", help="Also list what only follows from an error, such as make's last lines."),
    ] = False,
    rules: Annotated[
        Path | None,
        typer.Option(
            envvar="SPACKMON_LOG_RULES", dir_okay=False, help="Classes and rules of your own, in TOML."
        ),
    ] = None,
) -> None:
    """List the errors and warnings of build logs; > marks the one to read first.

    Exit status: 0 without an error, 1 with errors, 2 when a file cannot be read.
    """
    taxonomy = _taxonomy(rules)
    rows: list[tuple[object, ...]] = []
    has_errors = is_unreadable = False
    for name in files:
        try:
            report = read(_pieces(name), taxonomy=taxonomy)
        except (OSError, Damaged) as error:
            complain(f"{name}: {error.strerror if isinstance(error, OSError) else error}")
            is_unreadable = True
            continue
        has_errors |= report.errors > 0
        listed = [event for event in report.events if show_all or event.role != CONSEQUENCE]
        if jsonl:
            for event in listed:
                print(json.dumps(_object(name, event)))
        rows += (_row(name, event) for event in listed)
        _say_what_is_missing(name, report)
    if rows and not jsonl:
        print_table(_HEADINGS, rows)
    if is_unreadable or has_errors:
        raise typer.Exit(2 if is_unreadable else 1)


def _taxonomy(path: Path | None) -> Taxonomy:
    if path is None:
        return shipped()
    try:
        return with_rules_of(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, NotATaxonomy) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise typer.BadParameter(f"{path}: {reason}", param_hint="--rules") from None


def _pieces(name: str) -> Iterator[bytes]:
    if name == _STDIN:
        yield from _pieces_of(sys.stdin.buffer)
        return
    with open(name, "rb") as file:
        yield from _pieces_of(file)


def _pieces_of(file: IO[bytes]) -> Iterator[bytes]:
    piece = file.read(_READ_BYTES)
    compression = compression_of(piece)
    if compression is not None:
        yield from _unpacked(UnpackedFile(_Continued(piece, file), compression))  # type: ignore[arg-type]
        return
    while piece:
        yield piece
        piece = file.read(_READ_BYTES)


def _unpacked(file: UnpackedFile) -> Iterator[bytes]:
    while piece := file.read(_READ_BYTES):
        yield piece


class _Continued:
    """A file whose beginning was already read: standard input cannot be read again."""

    def __init__(self, beginning: bytes, rest: IO[bytes]) -> None:
        self._beginning = beginning
        self._rest = rest

    def read(self, size: int) -> bytes:
        beginning, self._beginning = self._beginning, b""
        return beginning or self._rest.read(size)


def _object(name: str, event: Event) -> dict[str, object]:
    return {
        "file": name,
        "line": event.line,
        "first_line": event.first_line,
        "last_line": event.last_line,
        "kind": event.kind,
        "role": event.role,
        "tool": event.tool,
        "class": event.class_name or None,
        "blame": event.blame or None,
        "group": event.group or None,
        "is_first": event.is_first,
        "count": event.count,
        "phase": event.phase or None,
        "message": event.message,
        "source_file": event.source_file or None,
        "source_line": event.source_line,
        "source_column": event.column,
    }


def _row(name: str, event: Event) -> tuple[object, ...]:
    place = f"{event.source_file}:{event.source_line}: " if event.source_file and event.source_line else ""
    sign = (
        ">"
        if event.is_first
        else "W"
        if event.kind == "warning"
        else "…"
        if event.role == CONSEQUENCE
        else "E"
    )
    message = f"{place}{event.message}"
    return (
        name, event.line, sign, event.tool or None, event.class_name or None, event.count,
        message if len(message) <= _MESSAGE_COLUMNS else f"{message[:_MESSAGE_COLUMNS - 1]}…",
    )  # fmt: skip


def _say_what_is_missing(name: str, report: Report) -> None:
    if report.unlisted:
        of_all = f"{counted(report.errors, 'error')} and {counted(report.warnings, 'warning')}"
        complain(f"{name}: {counted(report.unlisted, 'more event')} not listed, of {of_all}")
