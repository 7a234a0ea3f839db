"""Lines that older versions stored with each event become rows that events share, while services write."""

from functools import partial
from pathlib import Path

from sqlalchemy import text

from spackmon.database import Database
from spackmon.ingest.tables.event_contexts import Context, contexts_of
from tests.ops.landed import upgrade_to
from tests.ops.meanwhile import run, upgrade_meanwhile
from tests.ops.test_migrations import ERRING

_CONTEXTS: dict[int, Context] = {
    10: ("make: é\n", "stop\n"), 11: ("make: é\n", "stop\n"), 12: (None, "make: é\nstop\n"), 13: ("", None),
    14: (None, None), 15: ("make: é\nstop\n", ""), 7000: ("make: é\n", "stop\n"), 7001: (None, ""),
}  # fmt: skip
_OTHER = ("1 2", None)
_INSERT = (
    "INSERT INTO build_event (id, attempt_id, position, kind, text, pre_context, post_context)"
    " VALUES (:id, 1, :id, 'ERROR', :text, :pre, :post)"
)
_CHANGES = [
    "UPDATE build_event SET pre_context = '1 2', post_context = NULL WHERE id = 11",
    "DELETE FROM build_event WHERE id = 12",
]


def test_events_keep_the_lines_around_them(empty_url: str, tmp_path: Path) -> None:
    upgrade_to(76, empty_url, tmp_path / "before")
    database = Database(empty_url)
    events = [
        {"id": number, "text": f"error {number}", "pre": pre, "post": post}
        for number, (pre, post) in _CONTEXTS.items()
    ]
    run(database, *ERRING[:4])
    run(database, _INSERT, each=events)
    upgrade_meanwhile(
        database,
        empty_url,
        interrupted="build_event",
        copied="an index of build_event, ix_build_event_search_words",
        change=lambda: run(database, *_CHANGES),
    )
    question = text(
        "SELECT e.id, e.text, e.context_id, c.pre_context, c.post_context FROM build_event e"
        " LEFT JOIN event_context c ON c.id = e.context_id"
    )
    rows = {row.id: row for row in database.read_once(lambda c: c.execute(question).all())}
    expected = {**_CONTEXTS, 11: _OTHER}
    del expected[12]
    assert {number: (row.pre_context, row.post_context) for number, row in rows.items()} == expected
    assert all(row.text == f"error {number}" for number, row in rows.items())
    assert rows[10].context_id == rows[7000].context_id
    assert rows[14].context_id is None
    # They are found by their digests from now on.
    found = database.write_once(partial(contexts_of, wanted=expected.values()))
    assert {number: found[context] for number, context in expected.items()} == {
        number: row.context_id for number, row in rows.items()
    }
    database.close()
