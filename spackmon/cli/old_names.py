"""The old server's `manage.py` commands under their old names, asking and printing as they did."""

from getpass import getpass
from pathlib import Path
from typing import Annotated

import typer

from spackmon.auth.people import add_person, anonymous, has_password, person_named
from spackmon.auth.tokens import create_token
from spackmon.cli.database import open_database
from spackmon.errors import Code, Refused
from spackmon.formats.detect import read_document
from spackmon.ingest import store
from spackmon.ingest.receipts import SpecReceipt
from spackmon.submission import SpecReport


def add_user(username: str) -> None:
    """Add somebody with a password, which is asked for."""
    print(f"Username: {username}")
    with open_database() as database:
        password = getpass("Enter Password:")
        database.write(lambda connection: add_person(connection, username, password))
    print(f"User {username} successfully created.")


def get_token(username: str) -> None:
    """Print a token after asking for the password; a new one, since tokens are not kept to be shown."""
    print(f"Username: {username}")
    with open_database() as database:
        database.read_once(lambda connection: person_named(connection, username))
        password = getpass("Enter Password:")
        if not database.read_once(lambda connection: has_password(connection, username, password)):
            raise Refused(Code.CREDENTIALS_WRONG, "This password is incorrect.")
        print(database.write(lambda connection: create_token(connection, username)))


def import_package_configuration(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)], spack_version: str
) -> None:
    """Store the spec document in FILE."""
    try:
        report = next(read_document(file.name, file.read_bytes(), spack_version))
    except OSError as error:
        raise Refused(Code.FILE_UNREADABLE, f"cannot read {file}: {error.strerror}") from None
    if not isinstance(report, SpecReport):
        raise Refused(Code.SPEC_ABSTRACT, f"{file}: this is no concrete spec")
    with open_database() as database:
        receipt = database.write(lambda connection: store.apply(connection, report, anonymous(connection)))
    created = isinstance(receipt, SpecReceipt) and receipt.created
    root = report.graph.nodes[report.graph.root]
    for left, right in (
        ("Filename", file),
        ("Spack Version", spack_version),
        ("Status", "created" if created else "exists"),
        (f"{root.name} v{root.version}", root.hash),
    ):
        print(f"{left:<35} {right}")
