"""`spackmon abi …`: what the loader reads of programs and libraries, and predictions, without a server."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from spackmon.abi.disk import DiskFiles, this_system
from spackmon.abi.reader.apart import ReaderApart
from spackmon.abi.reader.elf import ELF_STATIC, ELF_UNKNOWN, Unreadable, as_json
from spackmon.abi.splice import Prediction, Verdict, predict
from spackmon.abi.trials import Packages
from spackmon.cli.console import print_table
from spackmon.errors import Code, Refused, printable

app = typer.Typer(help="Read what the loader reads, without a server.", no_args_is_help=True)

_EXIT_STATUS = {Verdict.WORKS: 0, Verdict.BREAKS: 1, Verdict.UNKNOWN: 3}
_IN_WORDS = {
    Verdict.WORKS: "works: every program still starts",
    Verdict.BREAKS: "breaks: the loader refuses what it accepts today",
    Verdict.UNKNOWN: "unknown: it cannot be told from the files",
}
_PREFIX_FOLDERS = ("lib", "lib64", "bin", ".spack")
_SEVERAL = ("--consumer", "--also")


class _SeveralValues(TyperCommand):
    """A command of which some options take several values: `--also A B` is `--also A --also B`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See the library's."""
        option = ""
        repeated: list[str] = []
        for position, argument in enumerate(args):
            if argument.startswith("-"):
                option = argument
            elif option in _SEVERAL and args[position - 1] != option:
                repeated.append(option)
            repeated.append(argument)
        return super().parse_args(ctx, repeated)


def _directory(help_text: str) -> Any:
    return typer.Option(metavar="DIR", exists=True, file_okay=False, help=help_text)


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


@app.command(cls=_SeveralValues)
def splice(
    consumer: Annotated[list[Path], _directory("Prefixes whose programs and libraries shall still start.")],
    replace: Annotated[Path, _directory("The prefix that they use today.")],
    replacement: Annotated[
        Path,
        typer.Option("--with", metavar="DIR", exists=True, file_okay=False, help="The prefix in its place."),
    ],
    also: Annotated[
        list[Path] | None, _directory("Other prefixes that they use, or folders of such.")
    ] = None,
    as_one_object: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Predict whether programs start when another build of a package takes its place.

    Exit status: 0 it works, 1 it breaks, 3 it cannot be known; 2 when a directory is missing.
    """
    packages = Packages(
        consumers=tuple(_prefixes(consumer)),
        # Files name it by the path that it was installed under.
        replaced=tuple(dict.fromkeys((os.path.realpath(replace), os.path.abspath(replace)))),
        replacement=os.path.realpath(replacement),
        others=tuple(_prefixes(also or [])),
    )
    with ReaderApart() as reader:
        prediction = predict(DiskFiles(reader), this_system(), packages)
    if as_one_object:
        print(json.dumps(_as_json(prediction)))
    else:
        _show(prediction)
    raise typer.Exit(_EXIT_STATUS[prediction.verdict])


def _as_json(prediction: Prediction) -> dict[str, object]:
    return {
        "verdict": str(prediction.verdict),
        "missing": _listed(prediction.missing),
        "missing_libraries": _listed(prediction.missing_libraries),
        "missing_versions": _listed(prediction.missing_versions),
        "soname_ok": prediction.soname_ok,
        "warnings": sorted({*prediction.warnings, *prediction.undecided, *prediction.broken_before}),
    }


def _listed(findings: Iterable[Any]) -> list[dict[str, str | None]]:
    # A version may be None, which has no order.
    return sorted(map(asdict, findings), key=lambda finding: [value or "" for value in finding.values()])


def _show(prediction: Prediction) -> None:
    print(_IN_WORDS[prediction.verdict])
    rows = [
        *(("BREAKS", sentence) for sentence in prediction.missing_libraries.values()),
        *(("BREAKS", sentence) for sentence in prediction.missing_versions.values()),
        *(("BREAKS", sentence) for sentence in prediction.missing.values()),
        *(("UNKNOWN", sentence) for sentence in sorted(prediction.undecided)),
        *(("WARNING", sentence) for sentence in sorted(prediction.warnings)),
        *(("TODAY", sentence) for sentence in sorted(prediction.broken_before)),
    ]
    if rows:
        print_table(("", "WHAT THE LOADER SAYS"), rows)


def _prefixes(paths: Sequence[Path]) -> Iterator[str]:
    """Prefixes, and those within a folder that is none itself."""
    for path in map(os.path.realpath, paths):
        if any(os.path.isdir(os.path.join(path, folder)) for folder in _PREFIX_FOLDERS):
            yield path
            continue
        below = [os.path.join(path, name) for name in sorted(os.listdir(path))]
        inner = [
            prefix
            for prefix in below
            if any(os.path.isdir(os.path.join(prefix, folder)) for folder in _PREFIX_FOLDERS)
        ]
        yield from inner or [path]


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
