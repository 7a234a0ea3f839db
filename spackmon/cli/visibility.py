"""The arguments of commands that say who may see something."""

from typing import Annotated

import typer

from spackmon.status import Visibility

Level = Annotated[Visibility, typer.Argument(case_sensitive=False, help="Who may see it.")]
GroupName = Annotated[
    str | None, typer.Option("--group", help="Its members may see it, where it is private.")
]
