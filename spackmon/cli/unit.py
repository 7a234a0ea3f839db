"""`spackmon unit`: the files with which systemd runs the service (docs/operation.md)."""

import sys
from importlib.resources import files
from pathlib import Path

import typer

app = typer.Typer(help="Print the unit files with which systemd runs the service.")


@app.command()
def service() -> None:
    """Print spackmon.service, with the path of this program in it."""
    program = str(Path(sys.argv[0]).absolute())
    # systemd divides the line at blanks, and takes % for its own.
    escaped = program.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    print(_unit("spackmon.service").replace("@PROGRAM@", f'"{escaped}"'), end="")


@app.command()
def socket() -> None:
    """Print spackmon.socket: the address, which stays open while the service restarts."""
    print(_unit("spackmon.socket"), end="")


def _unit(name: str) -> str:
    return (files("spackmon") / "systemd" / name).read_text(encoding="utf-8")
