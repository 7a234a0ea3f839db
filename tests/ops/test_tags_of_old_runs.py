"""Tags of runs that older versions stored become sets that runs share, while services of before write."""

import json
from pathlib import Path

from sqlalchemy import text

from spackmon.database import Database
from tests.ops.landed import upgrade_to
from tests.ops.meanwhile import run, upgrade_meanwhile
from tests.ops.test_migrations import ERRING

_CLAIM = (
    "INSERT INTO claim (id, attempt_id, key, owner_id, owner_is_certain, kind, environment_id, status,"
    " is_live, time_uncertainty_seconds, times_enclose_run, tags, first_reported_at, last_reported_at)"
)
_TAGGED = [
    *ERRING[:4],
    "INSERT INTO tag (id, name) VALUES (1, 'nightly'), (2, 'é\"'), (3, 'unused')",
    "INSERT INTO attempt_tag (attempt_id, tag_id) VALUES (1, 1), (2, 1), (2, 2)",
    f"{_CLAIM} VALUES (1, 1, 'a', 1, true, 'MS1', 1, 'SUCCESS', true, 0, false, '[\"nightly\"]', :t, :t),"
    " (2, 2, 'b', 1, true, 'MS1', 1, 'SUCCESS', true, 0, false, '[\"nightly\", \"\\u00e9\\\"\"]', :t, :t),"
    " (3, 9000, 'c', 1, true, 'MS1', 1, 'SUCCESS', true, 0, false, '[]', :t, :t)",
]
# As a service writes it: a build is written whenever the tags of its newest run are.
_CHANGES = [
    "DELETE FROM attempt_tag WHERE attempt_id = 1",
    "INSERT INTO attempt_tag (attempt_id, tag_id) VALUES (9000, 2)",
    "UPDATE build SET newest_attempt_id = 9000 WHERE id = 9000",
    'UPDATE claim SET tags = \'["\\u00e9\\""]\' WHERE id = 3',
]
_NAMES = "(SELECT s.names FROM tag_set s WHERE s.id = r.tag_set_id)"
_MEMBERS = """
    SELECT s.names, t.name FROM tag_set s JOIN tag_set_member m ON m.tag_set_id = s.id
    JOIN tag t ON t.id = m.tag_id ORDER BY 1, 2
"""


def test_runs_and_claims_keep_their_tags(empty_url: str, tmp_path: Path) -> None:
    upgrade_to(62, empty_url, tmp_path / "before")
    database = Database(empty_url)

    run(database, *_TAGGED)
    upgrade_meanwhile(
        database,
        empty_url,
        interrupted="an index of attempt",
        copied="an index of claim, ix_claim_manifest_id",
        change=lambda: run(database, *_CHANGES),
    )

    def rows(question: str) -> list[tuple[object, ...]]:
        found = database.read_once(lambda connection: connection.execute(text(question)).all())
        return [tuple(row) for row in found]

    other = 'é"'
    both, one = json.dumps(["nightly", other]), json.dumps([other])
    nightly = json.dumps(["nightly"])
    assert rows(f"SELECT id, {_NAMES} FROM attempt r ORDER BY id") == [(1, None), (2, both), (9000, one)]
    assert rows(f"SELECT id, {_NAMES} FROM build r ORDER BY id") == [(1, both), (9000, one)]
    assert rows(f"SELECT id, {_NAMES} FROM claim r ORDER BY id") == [(1, nightly), (2, both), (3, one)]
    assert sorted(rows(_MEMBERS)) == sorted(
        [(nightly, "nightly"), (both, "nightly"), (both, other), (one, other)]
    )
    database.close()
