"""`spackmon error-group`: say by hand what a group of errors is."""

from typing import Annotated

import typer

from spackmon.auth.people import anonymous, person_named
from spackmon.cli.database import open_database
from spackmon.ingest.grouping import rule
from spackmon.models import utc_now
from spackmon.status import GroupAction

app = typer.Typer(help="Merge, split, note and mute groups of errors.", no_args_is_help=True)

_Group = Annotated[
    str, typer.Argument(metavar="FINGERPRINT", help="The group: see `errorGroups` in GraphQL.")
]
_User = Annotated[str | None, typer.Option("--user", help="Who says it; without it, nobody is noted.")]


@app.command()
def merge(
    group: _Group,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The group that has both afterwards.")],
    user: _User = None,
) -> None:
    """Both groups are the same failure."""
    _rule(group, GroupAction.MERGE, other, user)


@app.command()
def split(
    group: _Group,
    words: Annotated[
        str | None, typer.Option("--words", help="Only errors with these words in them, as they are written.")
    ] = None,
    user: _User = None,
) -> None:
    """Take errors with words out of a group, or without words the group out of what it was merged into."""
    _rule(group, GroupAction.SPLIT, words, user)


@app.command()
def note(
    group: _Group,
    text: Annotated[str | None, typer.Argument(help="What to note; without it the note goes.")] = None,
    user: _User = None,
) -> None:
    """Note something of a group."""
    _rule(group, GroupAction.NOTE, text, user)


@app.command()
def known_issue(
    group: _Group,
    link: Annotated[str | None, typer.Argument(help="Where it is known; without it the link goes.")] = None,
    user: _User = None,
) -> None:
    """Link a group to a known issue."""
    _rule(group, GroupAction.KNOWN_ISSUE, link, user)


@app.command()
def mute(group: _Group, user: _User = None) -> None:
    """The group is no news."""
    _rule(group, GroupAction.MUTE, None, user)


@app.command()
def unmute(group: _Group, user: _User = None) -> None:
    """The group is news again."""
    _rule(group, GroupAction.UNMUTE, None, user)


def _rule(group: str, action: GroupAction, value: str | None, user: str | None) -> None:
    with open_database() as database:
        database.write(
            lambda connection: rule(
                connection,
                group,
                action,
                value,
                anonymous(connection) if user is None else person_named(connection, user),
                utc_now(),
            )
        )
