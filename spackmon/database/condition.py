"""Whether the database can be used now: what /readyz says, and a line in the log when it changes."""

import threading
import time

import structlog

from spackmon.database.outcome import Outcome, Trouble

log = structlog.get_logger()


class Condition:
    """The standing trouble of one database, if any. Threads may share it."""

    def __init__(self, *, is_logged: bool = True) -> None:
        self._is_logged = is_logged
        self._trouble: Trouble | None = None
        self._since_seconds = 0.0
        # An outage may show itself in two ways in turns; each is worth a line.
        self._logged: set[Trouble] = set()
        self._changing = threading.Lock()

    @property
    def trouble(self) -> Trouble | None:
        """What stands in the way now."""
        return self._trouble

    def standing_seconds(self) -> float:
        """For how long there has been trouble, whatever kinds it was of; 0 while there is none."""
        return 0.0 if self._trouble is None else time.monotonic() - self._since_seconds

    def failed(self, trouble: Trouble, error: BaseException) -> None:
        """Somebody met `trouble`: an outage stands until something proves the contrary."""
        if trouble.outcome is not Outcome.PASSING or trouble == self._trouble:
            return
        with self._changing:
            if trouble == self._trouble:
                return
            if self._trouble is None:
                self._since_seconds = time.monotonic()
            self._trouble = trouble
            if trouble in self._logged:
                return
            self._logged.add(trouble)
        if self._is_logged:
            log.warning("database_trouble", reason=trouble.reason, error=_first_line(error))

    def worked(self, *, wrote: bool, has_room: bool = False) -> None:
        """A transaction succeeded. A read-only database can be read: only a write ends that.

        `has_room`: it needed more space than a report does; nothing less ends a full disk.
        """
        trouble = self._trouble
        if trouble is None or not (wrote or trouble.is_away) or (trouble.lacks_room and not has_room):
            return
        with self._changing:
            ended, self._trouble = self._trouble, None
            self._logged.clear()
        if ended is not None and self._is_logged:
            log.info("database_recovered", reason=ended.reason)


def _first_line(error: BaseException) -> str:
    """What the driver said, for whoever runs the service; without the statement and its values."""
    return str(getattr(error, "orig", None) or error).strip().split("\n")[0]
