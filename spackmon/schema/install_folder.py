"""Installed files as a tree, a directory at a time."""

from typing import Any

import strawberry

from spackmon.query.groups.install_folders import COST, MOST_ENTRIES, facts_of_folder, folder
from spackmon.query.meanings.fields import argument, counted
from spackmon.query.sql.scope import Attribute
from spackmon.schema.scalars import Long


@strawberry.type(
    description="What stands directly in a directory: a file, a link, or a directory with what is in it."
)
class InstallEntry:
    """What stands directly in a directory."""

    name: str = strawberry.field(description="Its name there.")
    path: str = strawberry.field(description="Its absolute path.")
    is_folder: bool = strawberry.field(description="Whether it is a directory.")
    type: str | None = strawberry.field(description="`file`, `dir` or `link`, as it is listed; else null.")
    destination: str | None = strawberry.field(description="Where a link leads.")
    file_count: int = strawberry.field(description="How many files and links it is or has, at any depth.")
    size_bytes: Long = strawberry.field(description="Their size together.")


@strawberry.type(description="A directory of what a run installed.")
class InstallFolder:
    """A directory of what a run installed."""

    path: str = strawberry.field(description="Its absolute path.")
    entry_count: int = strawberry.field(description="How much stands directly in it.")
    file_count: int = strawberry.field(description="How many files and links it has, at any depth.")
    size_bytes: Long = strawberry.field(description="Their size together.")
    entries: list[InstallEntry] = strawberry.field(description="What stands directly in it, by name.")
    end_name: str | None = strawberry.field(
        description="The last name, to go on with as `after`; null if none follows."
    )


def install_folder(manifest_id: Attribute, prefix: Attribute) -> Any:
    """The field of a row that has a manifest and a prefix."""
    return counted(
        facts_of_folder(manifest_id, prefix),
        folder,
        cost=COST,
        arguments=[
            argument(
                "under", str, "Its absolute path; if empty, the prefix, or `/` where that is unknown.", ""
            ),
            argument("after", str | None, "Only what has a name after this one, an `endName`."),
            argument("first", int, f"How much at most, up to {MOST_ENTRIES}.", 100),
        ],
        description="A directory of what it installed, with what stands in it.",
    )
