"""The log's lines on work beside requests that could not be done this time, and is done the next."""

import structlog

from spackmon.database.outcome import Outcome, classify
from spackmon.errors import Refused

log = structlog.get_logger()


def note_undone(event: str, error: Exception) -> None:
    """Write why the work was not done: with a traceback where the program is at fault, not the database.

    An outage has its own lines in the log, and whoever reads them looks for faults of the program in others.
    """
    trouble = classify(error)
    if isinstance(error, Refused):
        log.info(event, reason=error.sentence)
    elif trouble.outcome is not Outcome.BROKEN:
        log.info(event, reason=trouble.reason)
    else:
        log.exception(event, exc_info=error)
