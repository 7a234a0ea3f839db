"""What could not be applied is kept, shown and applied later, once."""

import json

import pytest
from sqlalchemy import Connection

from spackmon.errors import Code, Refused
from spackmon.ingest import inbox
from spackmon.ingest.receipts import StatusReceipt
from spackmon.status import BuildStatus
from spackmon.submission import StatusReport, Submission
from tests.ingest.reports import Site, spec

ZLIB = spec("zlib", "1.2.11")
UNKNOWN = Refused(Code.BUILD_UNKNOWN, "there is no build 1")


def read_status(kind: str, body: bytes) -> list[Submission]:
    assert kind == "builds/update"
    value = json.loads(body)
    return [StatusReport(value["build_id"], BuildStatus(value["status"]))]


def keep(site: Site, build_id: int, status: str, person: int | None = Site.ada) -> int:
    body = bytearray(json.dumps({"build_id": build_id, "status": status}).encode())
    return site.database.write_once(lambda c: inbox.add(c, "builds/update", body, UNKNOWN, person))


def waiting(site: Site) -> list[inbox.Entry]:
    return site.database.read_once(inbox.entries)


def test_an_entry_shows_what_came_from_whom_and_what_it_met(site: Site) -> None:
    entry_id = keep(site, 1, "FAILED")

    def show(connection: Connection) -> tuple[inbox.Entry, bytes]:
        return inbox.show(connection, entry_id)

    entry, body = site.database.read_once(show)
    assert json.loads(body) == {"build_id": 1, "status": "FAILED"}
    assert (entry.kind, entry.person, entry.error_code) == ("builds/update", "ada", "BUILD_UNKNOWN")
    assert waiting(site) == [entry]
    for unknown in (entry_id + 1, 0, 2**63):
        with pytest.raises(Refused, match="no entry"):
            site.database.read_once(lambda c, unknown=unknown: inbox.show(c, unknown))  # type: ignore[misc]


def test_a_replay_applies_an_entry_once(site: Site) -> None:
    build_id = site.build(ZLIB)
    entry_id = keep(site, build_id, "SUCCESS")
    receipts = inbox.replay(site.database, entry_id, read_status)
    assert isinstance(receipts, list)
    assert isinstance(receipts[0], StatusReceipt)
    assert site.build_status(build_id) == "SUCCESS"
    assert waiting(site) == []
    before = site.dump()
    assert inbox.replay(site.database, entry_id, read_status) is None
    assert site.dump() == before
    assert len(site.database.read_once(lambda c: inbox.entries(c, with_applied=True))) == 1


def test_a_replay_that_fails_is_counted_and_says_why(site: Site) -> None:
    build_id = site.build(ZLIB)
    entries = [
        keep(site, build_id + 7, "SUCCESS"), keep(site, build_id, "SUCCESS", Site.bob),
        keep(site, build_id, "SUCCESS", None),
    ]  # fmt: skip
    for entry_id in entries:
        assert isinstance(inbox.replay(site.database, entry_id, read_status), Refused)
    assert [(entry.error_code, entry.replay_count) for entry in waiting(site)] == [
        ("BUILD_UNKNOWN", 1),
        ("BUILD_NOT_YOURS", 1),
        ("SENDER_UNKNOWN", 1),
    ]
    assert site.database.read_once(inbox.replay_order) == entries
    assert site.build_status(build_id) == "NOTRUN"
