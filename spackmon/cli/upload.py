"""`spackmon upload`: what `spack install --monitor-save-local` left, to a server or into the database."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from spackmon.auth.people import person_named
from spackmon.cli.console import complain, counted
from spackmon.cli.database import open_database
from spackmon.cli.reports import read_report
from spackmon.client.ms1 import ms1_client
from spackmon.errors import Refused
from spackmon.formats.local_save import SavedKind, SavedReport, read_saved
from spackmon.ingest import store
from spackmon.ingest.receipts import BuildReceipt

# After these the rest would only be refused one by one.
_HOPELESS = frozenset({"SERVER_AWAY", "NO_MONITOR", "DATABASE_UNAVAILABLE"})
_UNAUTHENTICATED = 401

Send = Callable[[SavedKind, dict[str, Any]], int | None]
"""Posts a body; of a BUILD it gives the id."""


def upload(
    directory: Annotated[
        Path,
        typer.Argument(exists=True, file_okay=False, help="A saved run, or the directory of several."),
    ],
    url: Annotated[
        str | None, typer.Option(help="The server to post to; without it, the database of the settings.")
    ] = None,
    user: Annotated[
        str | None, typer.Option(envvar="SPACKMON_USER", help="Without --url: whose builds they are.")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="SPACKMON_TOKEN", show_envvar=True, help="With --url: the token of whose builds they are."
        ),
    ] = None,
) -> None:
    """Post the specs, builds, phases and statuses that Spack 0.16 to 0.18 saved in DIRECTORY."""
    if url is not None:
        stored, failed = _post_all(read_saved(directory), _to_server(url, token))
    elif user is not None:
        with _to_database(user) as send:
            stored, failed = _post_all(read_saved(directory), send)
    else:
        raise typer.BadParameter(
            "say whose builds these are, or where to post them", param_hint="--user or --url"
        )
    print(f"{counted(stored, 'report')} stored", file=sys.stderr)
    if failed:
        raise Refused("UPLOAD_INCOMPLETE", 400, f"{counted(failed, 'report')} could not be stored")


def _post_all(reports: Iterator[SavedReport], send: Send) -> tuple[int, int]:
    """How many reports were taken and how many not; each of the latter was named on stderr."""
    build_ids: dict[str | None, int | None] = {}
    stored = failed = 0
    for report in reports:
        try:
            if report.kind in (SavedKind.PHASE, SavedKind.STATUS):
                build_id = build_ids.get(report.build_name)
                if build_id is None:
                    raise Refused("BUILD_UNKNOWN", 404, "its build was not taken")
                send(report.kind, {**report.body, "build_id": build_id})
            else:
                build_id = send(report.kind, report.body)
                if report.kind is SavedKind.BUILD:
                    build_ids[report.build_name] = build_id
            stored += 1
        except Refused as refused:
            if refused.code in _HOPELESS or refused.status == _UNAUTHENTICATED:
                raise
            complain(f"{report.path}: {refused.sentence}")
            failed += 1
    return stored, failed


def _to_server(url: str, token: str | None) -> Send:
    client = ms1_client(url, token)

    def send(kind: SavedKind, body: dict[str, Any]) -> int | None:
        build = client.post(kind, body).get("build")
        return build.get("build_id") if isinstance(build, dict) else None

    return send


@contextmanager
def _to_database(user: str) -> Iterator[Send]:
    with open_database() as database:
        person_id = database.read_once(lambda connection: person_named(connection, user))

        def send(kind: SavedKind, body: dict[str, Any]) -> int | None:
            report = read_report(kind, body)
            receipt = database.write(lambda connection: store.apply(connection, report, person_id))
            return receipt.build_id if isinstance(receipt, BuildReceipt) else None

        yield send
