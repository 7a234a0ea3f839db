"""`spackmon bucket`: texts of logs in a bucket of an S3-compatible store, and back."""

from typing import Annotated

import typer

from spackmon.cli.console import counted, print_table
from spackmon.cli.database import open_database
from spackmon.errors import Code, Refused
from spackmon.log_bucket import LogBucket
from spackmon.ops import log_objects
from spackmon.settings import Settings, load_settings

app = typer.Typer(help="Move texts of logs to the bucket of LOG_BUCKET, and back.")


@app.command()
def push() -> None:
    """Move the logs of runs that have ended to the bucket now; services do it every ten minutes.

    It may be stopped and started again at any time, beside running services. Small logs stay.
    """
    settings, bucket = _writable()
    with open_database(settings) as database:
        moved = sum(log_objects.move_all(database, bucket))
        removed = sum(log_objects.remove_unused(database, bucket, settings.log_bucket_kept_days))
    print(f"{counted(moved, 'log')} moved, {counted(removed, 'unused object')} removed")


@app.command()
def pull() -> None:
    """Move all logs back into the database; first set LOG_BUCKET_READ_ONLY and restart the services.

    It may be stopped and started again at any time. Objects stay for LOG_BUCKET_KEPT_DAYS.
    """
    settings = load_settings()
    bucket = _bucket(settings)
    with open_database(settings) as database:
        moved = sum(log_objects.bring_all_back(database, bucket))
    print(f"{counted(moved, 'log')} moved back")


@app.command()
def status() -> None:
    """Show how many logs are in the bucket, their compressed bytes, and how many are to be moved."""
    with open_database() as database:
        state = database.read_once(log_objects.state)
    rows = [("in the bucket", state.objects, state.size_bytes), ("unused", state.unused, None)]
    print_table(("LOGS", "", "BYTES"), [*rows, ("to be moved", state.waiting, None)])


@app.command()
def check(
    remove_unknown: Annotated[
        bool, typer.Option("--remove-unknown", help="Remove the objects that the database does not know.")
    ] = False,
) -> None:
    """Compare the bucket with the database: exit 0 when it has every log that is referred to, 1 when not.

    Objects that the database does not know are those of a database that was restored from an older backup:
    only who is alone below LOG_BUCKET_PREFIX may remove them. Those of the last day are left.
    """
    settings = load_settings()
    bucket = _writable()[1] if remove_unknown else _bucket(settings)
    with open_database(settings) as database:
        checked = log_objects.check(database, bucket)
    if remove_unknown and checked.unknown:
        bucket.delete(checked.unknown)
    unknown = "unknown, removed" if remove_unknown else "unknown"
    numbers = (
        ("objects", checked.objects),
        (unknown, len(checked.unknown)),
        ("missing", len(checked.missing)),
    )
    print_table(("", ""), numbers)
    if checked.missing:
        raise Refused(Code.LOG_UNAVAILABLE, f"the bucket lacks {checked.missing[0]}, which a log is in")


def _bucket(settings: Settings) -> LogBucket:
    bucket = log_objects.bucket_of(settings)
    if bucket is None:
        raise Refused(Code.SETTING_INVALID, "LOG_BUCKET is not set")
    return bucket


def _writable() -> tuple[Settings, LogBucket]:
    settings = load_settings()
    if settings.log_bucket_read_only:
        raise Refused(Code.SETTING_INVALID, "LOG_BUCKET_READ_ONLY is set")
    return settings, _bucket(settings)
