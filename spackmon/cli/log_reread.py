"""`spackmon log reread`: the logs that older rules read, or none, are read again."""

import sys
from functools import partial

from rich.console import Console
from rich.progress import Progress

from spackmon.cli.console import counted
from spackmon.cli.database import open_database
from spackmon.ingest.tables.log_events import count_unread, read_again, unread

_LOGS_AT_ONCE = 20


def reread() -> None:
    """Read the errors and warnings of stored logs that the rules of this version have not read.

    It may be stopped and started again at any time, beside a running service.
    """
    done = 0
    with open_database() as database, Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("logs", total=database.read_once(count_unread))
        last = 0
        while log_ids := database.read_once(partial(unread, after=last, most=_LOGS_AT_ONCE)):
            for log_id in log_ids:
                database.write(partial(read_again, log_id=log_id))
                progress.advance(task)
            done += len(log_ids)
            last = log_ids[-1]
    print(f"{counted(done, 'log')} read", file=sys.stderr)
