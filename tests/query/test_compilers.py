"""The compilers of specs are read by the spec, though they are a view of two tables."""

from sqlalchemy import Connection

from tests.query.conftest import AskedSite


def test_the_compilers_of_each_spec_of_a_page_are_looked_up(furnished: AskedSite) -> None:
    document = "{ specs(first: 3) { nodes { compilers { language compiler { name version } } } } }"
    assert all(spec["compilers"] for spec in furnished.ask(document)["specs"]["nodes"])
    reader = furnished.reader
    is_sqlite = furnished.database.dialect_name == "sqlite"

    def plan(connection: Connection) -> str:
        if not is_sqlite:
            # On a small site it costs less to read all.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        statement = f"{'EXPLAIN QUERY PLAN' if is_sqlite else 'EXPLAIN'} {reader.statements[-1]}"
        return str(connection.exec_driver_sql(statement, dict(reader.parameters)).all())

    found = furnished.database.read_once(plan)
    # SQLite makes all rows of a view that it names.
    assert ("spec_compiler" if is_sqlite else "Seq Scan on spec s") not in found, found
