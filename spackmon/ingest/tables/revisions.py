"""The state of all specs: whoever changes what is stored of them adds to it, in the same transaction."""

from sqlalchemy import Connection, text

_WRITERS = 64
_ADD = """
    INSERT INTO spec_revision (writer, number) VALUES ({writer}, 1)
    ON CONFLICT (writer) DO UPDATE SET number = spec_revision.number + 1
"""
_ADD_POSTGRESQL = text(_ADD.format(writer=f"pg_backend_pid() % {_WRITERS}"))
_ADD_SQLITE = text(_ADD.format(writer=0))


def specs_change(connection: Connection) -> None:
    """To be called in a transaction that changes one of models.SPEC_TABLES, after it locked the graphs.

    Answers about specs are kept until the next such transaction (`query.serve.kept_answers`).
    """
    connection.execute(_ADD_SQLITE if connection.dialect.name == "sqlite" else _ADD_POSTGRESQL)
