"""`spackmon import`: specs from files into the database, without a client and without a server."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import Connection

from spackmon.auth.people import anonymous
from spackmon.cli.console import complain, counted
from spackmon.cli.database import open_database
from spackmon.cli.documents import Document, documents
from spackmon.database import Database
from spackmon.errors import Refused
from spackmon.formats import ms1, spec_json
from spackmon.formats.submission import ConcretizationFailureReport, SpecReport
from spackmon.ingest import store
from spackmon.ingest.receipts import ConcretizationFailureReceipt, SpecReceipt

SpecSubmission = SpecReport | ConcretizationFailureReport


def import_files(
    files: Annotated[
        list[Path],
        typer.Argument(
            exists=True, dir_okay=False, help="Spec documents or specs/new bodies, one a file or one a line."
        ),
    ],
    spack_version: Annotated[
        str | None, typer.Option(help="The Spack that made the documents which do not say it themselves.")
    ] = None,
) -> None:
    """Store the specs of FILES, gzipped or not; what is damaged is named, and the rest goes in."""
    stored = created = damaged = finished_bytes = 0
    with open_database() as database, _progress() as progress:
        bar = progress.add_task("import", total=sum(path.stat().st_size for path in files), rate="")
        for path in files:
            for document in documents(path):
                try:
                    created += store_spec(database, submission(document, spack_version))
                    stored += 1
                except Refused as refused:
                    complain(f"{document.place}: {refused.sentence}")
                    damaged += 1
                seconds = progress.tasks[bar].elapsed or 1e-9
                progress.update(
                    bar,
                    completed=finished_bytes + document.read_bytes,
                    rate=f"{counted(stored, 'spec')}, {stored / seconds:.0f}/s",
                )
            finished_bytes += path.stat().st_size
    print(f"{counted(stored, 'spec')} stored, {created} of them new", file=sys.stderr)
    if damaged:
        raise Refused("IMPORT_INCOMPLETE", 400, f"{counted(damaged, 'document')} could not be stored")


def submission(document: Document, spack_version: str | None) -> SpecSubmission:
    """What a document reports: a specs/new body says its Spack itself, a spec document does not.

    Raises Refused when it is damaged or is no spec.
    """
    if document.problem is not None:
        raise Refused("DOCUMENT_DAMAGED", 400, document.problem)
    content = document.content
    if isinstance(content, dict) and "spec" in content and "spack_version" in content:
        return ms1.read_spec(content)
    if not spec_json.is_abstract(content):
        return SpecReport(graph=spec_json.read(content), spack_version=spack_version)
    if spack_version is None:
        raise Refused(
            "SPACK_VERSION_MISSING", 400, "this was not concretized: say by which Spack with --spack-version"
        )
    return spec_json.read_failure(content, spack_version)


def store_spec(database: Database, report: SpecSubmission) -> bool:
    """Write one report in a transaction of its own; whether it was new.

    Raises Refused when the database refuses a value.
    """

    def work(connection: Connection) -> bool:
        receipt = store.apply(connection, report, anonymous(connection))
        return isinstance(receipt, SpecReceipt | ConcretizationFailureReceipt) and receipt.created

    return database.write(work)


def _progress() -> Progress:
    return Progress(
        BarColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
