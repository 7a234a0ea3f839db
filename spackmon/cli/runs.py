"""`spackmon run`: say by hand which claims are of one run."""

from typing import Annotated

import typer

from spackmon.auth.people import anonymous, person_named
from spackmon.cli.database import open_database
from spackmon.ingest.runs.rulings import rule
from spackmon.models import utc_now

app = typer.Typer(help="Say which claims are of one run, where what was reported leaves it open.")

_Claim = Annotated[int, typer.Argument(help="The id of a claim: see `sources` of an attempt in GraphQL.")]
_User = Annotated[str | None, typer.Option("--user", help="Who says it; without it, nobody is noted.")]


@app.command()
def join(claim: _Claim, other: _Claim, user: _User = None) -> None:
    """Both claims are of one run, whatever contradicts it."""
    _rule(claim, other, user, is_one_run=True)


@app.command()
def split(claim: _Claim, other: _Claim, user: _User = None) -> None:
    """The claims are of two runs."""
    _rule(claim, other, user, is_one_run=False)


@app.command()
def forget(claim: _Claim, other: _Claim) -> None:
    """Take back what was said of two claims: what was reported decides again."""
    _rule(claim, other, None, is_one_run=None)


def _rule(claim: int, other: int, user: str | None, *, is_one_run: bool | None) -> None:
    with open_database() as database:
        database.write(
            lambda connection: rule(
                connection,
                (claim, other),
                anonymous(connection) if user is None else person_named(connection, user),
                utc_now(),
                is_one_run=is_one_run,
            )
        )
