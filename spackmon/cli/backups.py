"""`spackmon backup`, `restore` and `export`: all of a service in one file, and its tables in one each."""

from pathlib import Path
from typing import Annotated

import typer

from spackmon.cli.console import complain, counted, print_table
from spackmon.errors import Code, Refused
from spackmon.log_bucket import contents_of
from spackmon.ops.copies import archive, beside
from spackmon.ops.copies.copying import copy, snapshot
from spackmon.ops.copies.exporting import Format, export
from spackmon.ops.log_objects import bucket_of
from spackmon.settings import load_settings


def backup(
    file: Annotated[
        Path, typer.Argument(dir_okay=False, help="The file to write; one that is there is replaced.")
    ],
) -> None:
    """Write all that the service has into a file: the database as it is now, its keys, its spool.

    Services go on reading and writing meanwhile. It gets its name when all of it was read back. Who has it
    has the keys and the passwords' hashes: its owner alone can read it.
    """
    settings = load_settings()
    files = beside.read_keys(settings) | beside.read_spool(settings)
    try:
        with snapshot(settings.session_url) as source:
            # What came into the spool since then is in neither; what left it is in both, and applied once.
            files |= beside.read_spool(settings)
            rows = archive.write(file, source, files)
    except OSError as error:
        raise Refused(Code.FILE_UNWRITABLE, f"{file}: {error.strerror or error}") from None
    print(f"{file}: {counted(rows, 'row')}, {counted(len(files), 'file')}, read back")


def restore(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="What `spackmon backup` wrote.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read all of it and write nothing.")] = False,
) -> None:
    """Fill an empty database, of either kind, from a backup, and put back its keys and its spool.

    It is the database of the settings. A backup of an earlier revision is brought to this program's. What was
    interrupted is begun again.
    """
    settings = load_settings()
    if dry_run:
        print(f"{file}: {counted(archive.check(file), 'row')}, whole")
        return
    with archive.opened(file) as source:
        counts = copy(source, settings.session_url, complain)
        try:
            kept = beside.put(settings, source.files())
        except OSError as error:
            raise Refused(Code.FILE_UNWRITABLE, f"{error.filename}: {error.strerror}") from None
    for name in kept:
        complain(f"{name} is there already and stays")
    print_table(("", "ROWS"), [(name, count) for name, count in counts.items() if count])


def export_tables(
    directory: Annotated[
        Path, typer.Argument(file_okay=False, help="Where a file for each table is written.")
    ],
    format_: Annotated[Format, typer.Option("--format", help="JSON objects a line, or Parquet.")] = "ndjson",
) -> None:
    """Write all tables as files for other programs, as they are now, while services go on.

    Logs and documents of specs are texts in them. Passwords, tokens and receivers of messages are in none.
    """
    counts: list[tuple[str, int]] = []
    try:
        settings = load_settings()
        contents = contents_of(bucket_of(settings))
        with snapshot(settings.session_url) as source:
            export(source, directory, format_, contents, lambda name, rows: counts.append((name, rows)))
    except OSError as error:
        raise Refused(Code.FILE_UNWRITABLE, f"{directory}: {error.strerror or error}") from None
    print_table(("", "ROWS"), [(name, rows) for name, rows in counts if rows])
