"""`spackmon abi …`: what the loader reads of programs and libraries, without a server."""

import json
import os
import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from spackmon.abi.apart import ReaderApart
from spackmon.abi.elf import ELF_STATIC, ELF_UNKNOWN, Unreadable, as_json
from spackmon.errors import Code, Refused, printable

app = typer.Typer(help="Read what the loader reads, without a server.", no_args_is_help=True)


@app.callback()
def _abi() -> None:
    """Read what the loader reads, without a server."""


@app.command()
def extract(
    paths: Annotated[list[str], typer.Argument(metavar="FILE|DIR…", help="Programs, libraries, prefixes.")],
) -> None:
    """Print the dynamic symbols of programs and libraries, one JSON object a line.

    Of a directory, what the loader never reads is left out. Exit status: 1 if a file cannot be read.
    """
    has_failed = False
    with ReaderApart() as reader:
        for path, is_named in _files(paths):
            line = _extracted(reader, path, is_named)
            if line is not None:
                has_failed |= "code" in line
                sys.stdout.write(json.dumps({"path": printable(path), **line}) + "\n")
    if has_failed:
        raise typer.Exit(1)


def _extracted(reader: ReaderApart, path: str, is_named: bool) -> dict[str, object] | None:
    try:
        return as_json(reader.read_file(path))
    except Unreadable as unreadable:
        if not is_named and unreadable.code in (ELF_UNKNOWN, ELF_STATIC):
            return None
        refused = _refused(path, unreadable)
    except OSError as error:
        refused = Refused(Code.FILE_UNREADABLE, f"{path}: {error.strerror}")
    return {"code": str(refused.code), "message": refused.sentence}


def _refused(path: str, unreadable: Unreadable) -> Refused:
    codes = (Code.ELF_UNKNOWN, Code.ELF_STATIC, Code.ELF_DAMAGED, Code.ELF_TOO_COSTLY)
    return Refused(codes[codes.index(unreadable.code)], f"{path}: {unreadable.sentence}")


def _files(paths: list[str]) -> Iterator[tuple[str, bool]]:
    """Every file, and whether it was named itself; links within a directory lead to files listed anyway."""
    for path in paths:
        if not os.path.isdir(path):
            yield path, True
            continue
        for folder, folders, names in os.walk(path):
            folders.sort()
            for name in sorted(names):
                file = os.path.join(folder, name)
                if os.path.isfile(file) and not os.path.islink(file):
                    yield file, False
