"""Commands whose modules are imported when one of them is run or described: all of them take a second."""

import gc
from collections import UserDict
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup
from typer.main import get_command

from spackmon.cli.installed import has_server, without_server
from spackmon.garbage import uncollected

_ANYTHING = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command is: a function, or an app of several, of a module beside this one."""

    module: str
    attribute: str = "app"
    needs_server: bool = True
    is_hidden: bool = False


class LazyGroup(TyperGroup):
    """A group of the commands at `places`. Those of the server are refused where the client is alone."""

    places: ClassVar[Mapping[str, Place]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands(self.places)

    def list_commands(self, _: object) -> list[str]:
        """The names, in their order."""
        return list(self.places)


class _Commands(UserDict[str, Any]):
    """Commands by name; each is a place until somebody asks for it."""

    def __getitem__(self, name: str) -> Any:
        found = super().__getitem__(name)
        if isinstance(found, Place):
            found = self.data[name] = _loaded(name, found)
        return found

    def keys(self) -> Any:
        """The names."""
        return self.data.keys()


def _loaded(name: str, place: Place) -> Any:
    app = typer.Typer(rich_markup_mode=None)
    # With one command alone typer would take its name away.
    app.callback()(lambda: None)
    if place.needs_server and not has_server():
        app.command(name, hidden=True, context_settings=_ANYTHING)(_refuse)
    else:
        found = _found(place)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name, hidden=place.is_hidden)
        else:
            app.command(name, hidden=place.is_hidden)(found)
    group: Any = get_command(app)
    return group.commands[name]


def _found(place: Place) -> Any:
    # What is imported lives as long as the process: to look for garbage among it, and to free it object by
    # object at the end, took half of a short command's time.
    with uncollected():
        module = import_module(f"{__package__}.{place.module}")
        gc.freeze()
    return getattr(module, place.attribute)


def _refuse(context: typer.Context) -> None:
    raise without_server(f"`{context.command_path}`")
