"""Of events of older versions PostgreSQL finds those of plain texts by these, the others by their words."""

from pathlib import Path

from sqlalchemy import text

from spackmon.database import Database
from spackmon.logs.words import searchable
from tests.ops.landed import upgrade_to
from tests.ops.meanwhile import run, upgrade_meanwhile
from tests.ops.test_migrations import ERRING

# A text, its file and whether it was read in a log.
_EVENTS = (
    ("a.c:1: error: ‘MPI_Init’ was\tnot declared", "src/a.c", False),
    ("ld: cannot find -lfoo", None, True),
    ("ÉTÉ: cannot find -lfoo", None, False),
    ("x" * 300, None, False),
    ("\x1b[31m", None, False),
    (f"{'word ' * 300}", None, False),
)
_INSERT = (
    "INSERT INTO build_event (id, log_event_id, attempt_id, position, kind, text, source_file, search_words)"
    " VALUES (:id, :log, 1, :id, 'ERROR', :text, :file, :words)"
)
_INDEXED = """
    SELECT id FROM build_event WHERE array_to_tsvector(array_remove(CASE WHEN search_words = ''
        THEN regexp_split_to_array(lower(text || COALESCE(' ' || source_file, '')), '[^a-z0-9_]+')
        ELSE string_to_array(search_words, ' ') END, '')) @@ CAST(:sought AS tsquery) ORDER BY id
"""


def test_events_are_found_by_the_words_that_they_had(empty_url: str, tmp_path: Path) -> None:
    upgrade_to(76, empty_url, tmp_path / "before")
    database = Database(empty_url)
    events = [
        {"id": number, "log": number if is_of_log else None, "text": said, "file": file,
         "words": searchable(said, file, "ld" if is_of_log else None)}
        for number, (said, file, is_of_log) in enumerate(_EVENTS, 10)
    ]  # fmt: skip
    run(database, *ERRING[:4])
    run(database, _INSERT, each=events)
    upgrade_meanwhile(
        database,
        empty_url,
        interrupted="",
        copied="an index of build_event, ix_build_event_search_words",
        change=lambda: run(database, "UPDATE build_event SET text = 'told later' WHERE id = 10"),
    )
    stored = database.read_once(
        lambda c: c.scalars(text("SELECT search_words FROM build_event ORDER BY id")).all()
    )
    words = [event["words"] for event in events]
    if database.is_sqlite:
        assert stored == words
        return
    assert stored == ["", *words[1:4], " ", *words[5:]]
    for sought, found in (("later & src", [10]), ("cannot & ld", [11]), ("été", [12]), ("word", [15])):
        rows = database.read_once(lambda c, of=sought: c.scalars(text(_INDEXED), {"sought": of}).all())
        assert rows == found, sought
    database.close()
