"""Counts that all writers change: each leaves its changes in rows of its own, one puts them in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from spackmon.ingest.rows import Statement

_FOLDED_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Folding:
    """Rows of a table of changes, and how some of them are put into counts and deleted.

    `waiting` reads the oldest, `:most` of them. One process of a site has the `turn` at a time: its last
    column says whether this one has it.
    """

    waiting: Statement
    turn: Statement
    put: Callable[[Connection, Sequence[Any]], None]

    def waits(self, connection: Connection) -> bool:
        """Whether there is something to fold."""
        return bool(self.waiting.run(connection, most=1))

    def fold(self, connection: Connection) -> int:
        """Put some of what reports changed into the counts; how many changes.

        0 when there are none left, and while another process does it.
        """
        return self.fold_some(connection) if self.turn.run(connection)[0][-1] else 0

    def fold_some(self, connection: Connection) -> int:
        """The same of whoever is alone anyway."""
        changes = self.waiting.run(connection, most=_FOLDED_AT_ONCE)
        self.put(connection, changes)
        return len(changes)

    def fold_all(self, connection: Connection) -> None:
        """Put all of it into the counts, while nobody writes."""
        while self.fold_some(connection):
            pass
