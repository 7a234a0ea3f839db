"""`spackmon log reread`: the logs that older rules read, or none, are read again."""

import sys
from functools import partial

from rich.console import Console
from rich.progress import Progress

from spackmon.cli.console import counted
from spackmon.cli.database import open_database
from spackmon.database import Database
from spackmon.ingest.tables.log_events import count_unread, read_again, stored_chunks, unread
from spackmon.log_bucket import Contents, contents_of
from spackmon.logs.references import reference_in
from spackmon.ops.log_objects import bucket_of
from spackmon.settings import load_settings

_LOGS_AT_ONCE = 20


def reread() -> None:
    """Read the errors and warnings of stored logs that the rules of this version have not read.

    It may be stopped and started again at any time, beside a running service.
    """
    done = 0
    settings = load_settings()
    contents = contents_of(bucket_of(settings))
    shown = Progress(console=Console(stderr=True), transient=True)
    with open_database(settings) as database, shown as progress:
        task = progress.add_task("logs", total=database.read_once(count_unread))
        last = 0
        while log_ids := database.read_once(partial(unread, after=last, most=_LOGS_AT_ONCE)):
            for log_id in log_ids:
                fetched = _fetched(database, log_id, contents)
                database.write(partial(read_again, log_id=log_id, contents=fetched))
                progress.advance(task)
            done += len(log_ids)
            last = log_ids[-1]
    print(f"{counted(done, 'log')} read", file=sys.stderr)


def _fetched(database: Database, log_id: int, contents: Contents) -> Contents:
    """The contents of a log, so that the transaction that others wait for asks no store."""
    stored = database.read_once(partial(stored_chunks, log_id=log_id))
    moved = {one: contents(one) for one in stored if reference_in(one) is not None}
    return lambda one: moved.get(one) or contents(one)
