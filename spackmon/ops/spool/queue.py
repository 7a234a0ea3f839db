"""What waits is applied: in SQLite some at once as long as that goes well, one at a time where it did not."""

from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

import structlog

from spackmon.database import Database
from spackmon.database.undone import note_undone
from spackmon.ingest.inbox import Reader
from spackmon.ops.spool import applying, files
from spackmon.ops.spool.applying import Postponed
from spackmon.ops.spool.files import Files, SetAside, Spooled
from spackmon.ops.spool.tries import TriesFile

log = structlog.get_logger()

# A commit for each costs SQLite's only writer a third. In PostgreSQL many reports in one transaction own all
# graphs: two services that emptied their spools so waited for each other, and took longer by a half.
_MOST_OF_SQLITE, _MOST_BYTES = 32, 1 << 20


class Spool:
    """One directory; it is made when it is needed."""

    first_pause_seconds = 1.0

    def __init__(self, directory: Path) -> None:
        self._files = Files(directory)
        self._tries = TriesFile(directory)

    def is_empty(self) -> bool:
        """Whether nothing waits to be applied."""
        return self._files.is_empty()

    def count(self) -> tuple[int, int]:
        """How many reports wait to be applied, and how many were set aside."""
        return self._files.count()

    def has_room(self) -> bool:
        """Whether a small report could be stored now."""
        return self._files.has_room()

    def put(self, spooled: Spooled) -> None:
        """Store a report; it is on the disk when this returns. Raises OSError."""
        self._files.put(spooled)

    def set_aside(self) -> list[SetAside]:
        """What is not tried any more, oldest first."""
        return self._files.aside()

    def put_back(self, name: str) -> None:
        """Let a report that was set aside be tried again, before all that came later.

        Raises Refused SPOOL_REPORT_UNKNOWN.
        """
        self._files.put_back(name)

    def drain(self, database: Database, read: Reader) -> None:
        """Apply what waits, oldest first, and stop where the database cannot be used.

        What it refuses goes to the inbox, as it would have gone when it came.
        """
        if self.is_empty():
            return
        with self._files.applying():
            waiting = deque(self._files.waiting())
            count = len(waiting)
            while waiting and self._apply_next(waiting, database, read):
                pass
            log.info("spool_drained", reports=count - len(waiting), left=len(waiting))
            if not waiting:
                # A mark may go when its file cannot come back.
                self._files.sync()
                applying.forget_old(database)

    def _apply_next(self, waiting: deque[Path], database: Database, read: Reader) -> bool:
        """Apply the first of those that wait, and others with it if they go together; False: not now."""
        some = self._batch(waiting) if database.is_sqlite else {}
        if len(some) < 2:
            return self._apply_first(waiting, database, read)
        self._tries.begin_batch(max(some))
        try:
            applying.apply_all(database, some, read)
        except Exception as error:
            note_undone("spooled_not_applied_together", error)
            return True
        for _ in some:
            waiting.popleft().unlink(missing_ok=True)
        return True

    def _batch(self, waiting: deque[Path]) -> Mapping[str, Spooled]:
        """The first of those that wait, by their names, as far as they may be tried at once."""
        first = waiting[0].name
        tries = self._tries.of(first)
        some: dict[str, Spooled] = {}
        if tries.count or first <= tries.alone_up_to:
            return some
        size_bytes = 0
        for path in islice(waiting, _MOST_OF_SQLITE):
            spooled = None
            with suppress(OSError):
                spooled = files.read(path)
            size_bytes += _MOST_BYTES + 1 if spooled is None else len(spooled.body)
            if spooled is None or size_bytes > _MOST_BYTES:
                break
            some[path.name] = spooled
        return some

    def _apply_first(self, waiting: deque[Path], database: Database, read: Reader) -> bool:
        path = waiting[0]
        tries = self._tries.of(path.name)
        if tries.are_used_up:
            self._set_aside(path, f"{tries.reason}, {tries.count} times")
        elif not self._tries.begin(tries, self.first_pause_seconds):
            return False
        else:
            try:
                self._apply(database, path, read)
            except Postponed as postponed:
                # Where nothing can be written now it is no fault of the report.
                counts = postponed.blames_report and applying.can_write(database)
                count = tries.count + 1 if counts else tries.count
                self._tries.note(replace(self._tries.of(path.name), count=count, reason=str(postponed)))
                return False
        waiting.popleft()
        return True

    def _apply(self, database: Database, path: Path, read: Reader) -> None:
        """See to it that a report is applied, before or now, or in the inbox, or set aside.

        Raises Postponed.
        """
        try:
            spooled = files.read(path)
        except OSError as error:
            raise Postponed(f"its file cannot be read: {error.strerror}") from error
        if spooled is None:
            self._set_aside(path, "its file is damaged")
        elif applying.apply_one(database, path.name, spooled, read):
            path.unlink(missing_ok=True)
        else:
            self._set_aside(path, "neither it nor its place in the inbox could be written: the log says why")

    def _set_aside(self, path: Path, reason: str) -> None:
        self._files.set_aside(path, reason)
        self._tries.forget(path.name)
