"""The two ways to the database: transactions that write, statements that read.

Writes go through SQLAlchemy Core in a worker thread and are held through an outage, because an old
Spack client gives up its build on the first error (a monitor must never break a build). Reads go
through the bare driver: a compiled operation is one statement whose single value is the answer's text,
and any layer in between would cost more than the rest of the request.
"""

from spackmon.database.outcome import Unprepared
from spackmon.database.readers import STATEMENT_TIMEOUT_SECONDS, Reader
from spackmon.database.transactions import HOLD_SECONDS, Database

__all__ = ["HOLD_SECONDS", "STATEMENT_TIMEOUT_SECONDS", "Database", "Reader", "Unprepared"]
