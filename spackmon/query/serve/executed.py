"""What one operation took: said once it was answered, to whoever measures the service."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spackmon.query.serve.preparation import Request
from spackmon.query.sql.unpack import Gap


@dataclass(slots=True)
class Executed:
    """An operation that was answered or refused.

    `name` and `cost` are None where it was refused before they were known, or answered without looking.
    `code` is that of the refusal; `seconds` are until the answer was whole, `database_seconds` those of them
    that were waited for the database, since `database_began` of `time.perf_counter`; `gaps` are logs that
    could not be read.
    """

    request: Request
    name: str | None = None
    cost: int | None = None
    statements: int = 0
    database_began: float = 0.0
    database_seconds: float = 0.0
    seconds: float = 0.0
    code: str | None = None
    is_kept: bool = False
    gaps: Sequence[Gap] = ()


Observer = Callable[[Executed], None]
"""Must not raise."""
