"""`spackmon extension`: the part of spackmon that runs within Spack."""

from importlib.resources import files

import typer

app = typer.Typer(help="Find the `spack monitor` extension for Spack's config:extensions.")


# With one command alone typer would take its name away.
@app.callback()
def _extension() -> None: ...


@app.command()
def path() -> None:
    """Print the folder for `spack config add config:extensions:[FOLDER]`."""
    print(files("spackmon.client") / "spack-monitor")
