"""`spackmon log regroup` and `reclassify`: stored errors are judged again, without their logs."""

import sys
from collections.abc import Callable
from functools import partial

from rich.console import Console
from rich.progress import Progress
from sqlalchemy import Connection

from spackmon.cli.console import counted
from spackmon.cli.database import open_database
from spackmon.database import Database
from spackmon.ingest.regrouping import judge_errors_of_logs, judge_reported_errors
from spackmon.ingest.tables.judged_events import count_stored, delete_old_groups

_ERRORS_AT_ONCE = 200


def regroup() -> None:
    """Put stored errors into the groups that the rules of this version make.

    What people said of a group stays with its errors. It may be stopped and started again at any time,
    beside a running service.
    """
    _judge(keep_classes=True)


def reclassify() -> None:
    """Classify stored errors by the rules of this version and of the site (LOG_RULES), and group them anew.

    It may be stopped and started again at any time, beside a running service.
    """
    _judge(keep_classes=False)


def _judge(*, keep_classes: bool) -> None:
    done = 0
    with open_database() as database, Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("errors", total=database.read_once(count_stored))
        for judge in (judge_errors_of_logs, judge_reported_errors):
            walk = partial(judge, most=_ERRORS_AT_ONCE, keep_classes=keep_classes)
            last = 0
            while ids := _some(database, walk, last):
                progress.advance(task, len(ids))
                done += len(ids)
                last = ids[-1]
        database.write(delete_old_groups)
    print(f"{counted(done, 'error')} judged", file=sys.stderr)


def _some(database: Database, walk: Callable[..., list[int]], after: int) -> list[int]:
    def work(connection: Connection) -> list[int]:
        return walk(connection, after)

    return database.write(work)
