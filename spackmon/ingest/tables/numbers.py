"""Numbers of builds that clients were given and that are no build's any longer: each leads on for ever."""

from sqlalchemy import Connection

from spackmon.ingest.rows import Statement
from spackmon.ingest.tables.build_contents import forget_contents
from spackmon.ingest.tables.facets import uncount_build
from spackmon.ingest.tables.hanging import OF_BUILD, End, referring

_MERGED = Statement("SELECT build_id FROM merged_build WHERE id = :build_id")

_LEAVE = [
    Statement(statement)
    for statement in (
        *(
            f"DELETE FROM {table} WHERE {column} = :build_id"  # noqa: S608 -- of our own constants
            for table, column in referring(OF_BUILD, End.DELETED)
        ),
        *(
            f"UPDATE {table} SET {column} = :target_id WHERE {column} = :build_id"  # noqa: S608 -- as above
            for table, column in referring(OF_BUILD, End.LED_ON)
        ),
        "DELETE FROM build WHERE id = :build_id",
        """
        INSERT INTO merged_build (id, build_id)
        VALUES (CAST(:build_id AS bigint), CAST(:target_id AS bigint))
        """,
    )
]


# The build may have a number of its own by now.
_LEAD = Statement(
    """
    INSERT INTO merged_build (id, build_id)
    SELECT CAST(:promised_id AS bigint), COALESCE(
        (SELECT m.build_id FROM merged_build m WHERE m.id = :build_id), CAST(:build_id AS bigint))
    WHERE true
    ON CONFLICT DO NOTHING
    """
)


def lead(connection: Connection, promised_id: int, build_id: int) -> None:
    """Make a number that is no build's lead to a build for ever."""
    _LEAD.run(connection, promised_id=promised_id, build_id=build_id)


def build_of_number(connection: Connection, number: int) -> int:
    """The number of the build that a number leads to; a build's own leads to itself."""
    for row in _MERGED.run(connection, build_id=number):
        number = row.build_id
    return number


_END = [
    Statement(statement)
    for statement in (
        *(
            f"DELETE FROM {table} WHERE {column} = :build_id"  # noqa: S608 -- of our own constants
            for end in (End.DELETED, End.LED_ON)
            for table, column in referring(OF_BUILD, end)
        ),
        "DELETE FROM build WHERE id = :build_id",
    )
]


def end_build(connection: Connection, build_id: int) -> None:
    """Delete a build without runs, with the numbers that led to it."""
    forget_contents(connection, build_id)
    uncount_build(connection, build_id)
    for statement in _END:
        statement.run(connection, build_id=build_id)


def leave_build(connection: Connection, build_id: int, target_id: int) -> None:
    """Delete a build without runs; its number leads to another from then on."""
    forget_contents(connection, build_id)
    uncount_build(connection, build_id)
    for statement in _LEAVE:
        statement.run(connection, build_id=build_id, target_id=target_id)
