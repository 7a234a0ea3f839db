"""Work that one process of a site does at a time; the others leave it."""

from sqlalchemy import Connection

from spackmon.ingest.rows import Statement

# Any numbers that no other program takes in this database.
RETENTION, LOG_OBJECTS = 7311450829166305, 7311450829166306
_TURN = Statement("SELECT 1 {lock}", lock=", pg_try_advisory_xact_lock(:work)")


def has_turn(connection: Connection, work: int) -> bool:
    """Whether nobody else does this work, until the transaction ends."""
    return bool(_TURN.run(connection, work=work)[0][-1])
