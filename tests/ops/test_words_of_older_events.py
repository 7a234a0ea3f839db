"""Events that were stored before they could be searched."""

from pathlib import Path

from sqlalchemy import Connection, text

from spackmon.database import Database
from spackmon.ops.migrations import upgrade
from tests.ops.landed import upgrade_to


def test_events_of_an_older_revision_are_found_after_the_upgrade(empty_url: str, tmp_path: Path) -> None:
    upgrade_to(22, empty_url, tmp_path / "older")
    database = Database(empty_url)

    def write(connection: Connection) -> None:
        connection.execute(
            text("INSERT INTO log (id, digest, size_bytes) VALUES (1, :b, 1)"), {"b": b"digest"}
        )
        insert = (
            "INSERT INTO log_event (id, log_id, position, kind, role, is_first, occurrences, message, line,"
            " first_line, last_line, tool)"
            " VALUES (:n, 1, :n, 'ERROR', 'PRIMARY', false, 1, :m, 1, 1, 1, 'ld')"
        )
        messages = [{"n": number, "m": f"cannot find -l{number % 7}x{number}"} for number in range(1, 2503)]
        connection.execute(text(insert), messages)

    database.write_once(write)
    other = "UPDATE log_event SET message = 'cannot find -l2x1003' WHERE id = 3"

    def change(progress: str) -> None:
        if progress in ("", "events that changed meanwhile"):
            database.write_once(lambda connection: connection.execute(text(other)))

    if database.is_sqlite:
        change("")
    upgrade(empty_url, tell=change)
    if database.is_sqlite:
        found = "log_event_search WHERE log_event_search MATCH 'l2x1003'"
    else:
        found = "log_event WHERE array_to_tsvector(string_to_array(search_words, ' ')) @@ 'l2x1003'"
    rows = database.read_once(lambda c: c.execute(text(f"SELECT search_words FROM {found}")).all())
    assert [row[0] for row in rows] == ["cannot find - l2x1003 ld"] * 2
    database.close()
