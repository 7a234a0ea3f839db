"""How often the first of the spool was tried, in a file: one that ends the process is found all the same."""

import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

_FILE = "tries"
# Each pause is twice as long as the one before: half a minute, for which reports that come meanwhile wait.
MOST_TRIES = 6


@dataclass(frozen=True, slots=True)
class Tries:
    """How often the report `name` was tried, what it met last, and when (of the epoch) it may be again."""

    name: str = ""
    count: int = 0
    next_at_seconds: float = 0.0
    reason: str = ""
    alone_up_to: str = ""
    """The last report of the newest batch: those that are left of it are tried one at a time."""

    @property
    def are_used_up(self) -> bool:
        """Whether the report is not tried any more."""
        return self.count >= MOST_TRIES


class TriesFile:
    """The file, which whoever applies reports reads and writes."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / _FILE
        self._tries: Tries | None = None

    def of(self, name: str) -> Tries:
        """Those of a report."""
        if self._tries is None:
            try:
                self._tries = Tries(**json.loads(self._path.read_text()))
            except (OSError, ValueError, TypeError):
                self._tries = Tries()
        return self._tries if self._tries.name == name else Tries(name, alone_up_to=self._tries.alone_up_to)

    def begin(self, before: Tries, first_pause_seconds: float) -> bool:
        """Whether a report may be tried now; a try counts from its beginning, as it may end this process."""
        now, pause_seconds = time.time(), first_pause_seconds * 2**before.count
        # The clock may have been set back: nobody waits for longer than a pause.
        if now < before.next_at_seconds <= now + pause_seconds:
            return False
        reason = "the service ended while it was applied"
        self.note(replace(before, count=before.count + 1, next_at_seconds=now + pause_seconds, reason=reason))
        return True

    def begin_batch(self, last: str) -> None:
        """Note that reports up to `last` are tried at once: those that are left of them never are again."""
        self.note(Tries(alone_up_to=last))

    def forget(self, name: str) -> None:
        """Count the tries of a report from the beginning: it is another try when somebody puts it back."""
        self.note(Tries(alone_up_to=self.of(name).alone_up_to))

    def note(self, tries: Tries) -> None:
        """Write them down."""
        self._tries = tries
        # A full disk is no reason not to empty the spool.
        with suppress(OSError):
            self._path.write_text(json.dumps(asdict(tries)))
