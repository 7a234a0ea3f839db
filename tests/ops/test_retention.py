"""What RETENTION removes, and that what is counted of the rest is as if the removed had never been."""

import gzip
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update

from spackmon.auth.audit import changes_of_rights
from spackmon.auth.people import add_person
from spackmon.database import Database
from spackmon.errors import Refused
from spackmon.ingest.batches import apply_each
from spackmon.ingest.checking import check_database
from spackmon.ingest.specs.removal import remove_orphans
from spackmon.models import AuditEntry, utc_now
from spackmon.ops.old_server.importing import import_old_server
from spackmon.ops.old_server.tables import opened
from spackmon.ops.quotas import keep_to, quotas_of, use, works
from spackmon.ops.retention import find_all, remove_all, rules_of, sizes
from spackmon.quota_rules import QuotaRule
from spackmon.retention_rules import read_rules
from spackmon.status import BuildStatus, EventKind, SourceKind
from spackmon.submission import Environment, Event, InstallPhase, InstallReport, Source
from tests.server import served

OLD = Path(__file__).parents[1] / "data" / "old-server" / "shared.sqlite3.gz"
NOW = utc_now()
LIBZETA, TOPBROKEN = "mt6igqr74fuhl7vaql5om7tsosrbyvyj", "74s7qv7dtoay3t32brcccxg52s2edckt"
MACHINE = Environment("host", "linux", "debian12", "x86_64", "6.1")


def _run(key: str, spec_hash: str, status: BuildStatus, days_ago: int, tag: str = "") -> InstallReport:
    ended_at = NOW - timedelta(days=days_ago)
    log = f"a.c:1:2: error: '{spec_hash[:3]}' undeclared\n{key}\n".encode()
    phase = "ERROR" if status is BuildStatus.FAILED else "SUCCESS"
    return InstallReport(
        Source(SourceKind.EXTENSION, key), spec_hash=spec_hash, environment=MACHINE, status=status,
        started_at=ended_at - timedelta(hours=1), finished_at=ended_at, tags=(tag,) if tag else (),
        phases=(InstallPhase("build", phase, output=log if phase == "ERROR" else b"fine " + log[20:]),),
        environment_variables={"KEY": key}, configure_arguments=f"--{tag}" if tag else None,
        events=(Event(EventKind.WARNING, "odd", pre_context=f"above {tag}"),) if tag else (),
    )  # fmt: skip


REPORTS = (
    _run("s100", LIBZETA, BuildStatus.SUCCESS, 100),
    _run("s50", LIBZETA, BuildStatus.SUCCESS, 50),
    _run("f40", LIBZETA, BuildStatus.FAILED, 40, "nightly"),
    _run("f3", LIBZETA, BuildStatus.FAILED, 3, "nightly"),
    _run("t200", TOPBROKEN, BuildStatus.FAILED, 200, "trial"),
)


@pytest.fixture
def database(database_url: str, tmp_path: Path) -> Iterator[Database]:
    """With the old server's builds of November, and some of now."""
    (tmp_path / "old.sqlite3").write_bytes(gzip.decompress(OLD.read_bytes()))
    database = Database(database_url)
    with opened(str(tmp_path / "old.sqlite3")) as tables:
        import_old_server(database, tables)
    _report(database, "ada")
    yield database
    database.close()


def _report(database: Database, name: str | None = None) -> None:
    def work(connection: Any) -> None:
        if name is not None:
            add_person(connection, name)
        person = connection.execute(text("SELECT id FROM person WHERE name = 'ada'")).scalar()
        apply_each(connection, REPORTS, person, across_owners=False)

    database.write(work)


def _keys(database: Database) -> set[str]:
    statement = text("SELECT key FROM claim WHERE kind = 'EXTENSION'")
    return set(database.read_once(lambda connection: list(connection.execute(statement).scalars())))


def _remove(database: Database, rules: str, now: datetime = NOW) -> list[int]:
    read = rules_of(rules)
    # Each rule finds what it would remove alone.
    found = [one.count for one in find_all(database, read, now)]
    removed = [one.count for one in remove_all(database, read, now)]
    assert removed == found
    assert [one.count for one in find_all(database, read, now)] == [0] * len(read)
    return removed


def _is_right(database: Database) -> None:
    differences: dict[str, int] = {}
    for progress in check_database(database, repair=False):
        differences |= {name: count for name, count in progress.differences.items() if count}
    assert not differences


def test_old_runs_go_by_their_tags_and_status_and_the_last_success_stays(database: Database) -> None:
    assert _remove(database, "runs 30 tag:nightly") == [1]
    assert _keys(database) == {"s100", "s50", "f3", "t200"}
    # The old server's are of nine days ago, and are the last.
    assert _remove(database, "runs 30 status:SUCCESS") == [2]
    assert _keys(database) == {"f3", "t200"}
    builds = database.read_once(lambda c: c.execute(text("SELECT count(*) FROM build")).scalar_one())
    sets = text(
        "SELECT names FROM tag_set UNION SELECT text FROM configure_arguments"
        " UNION SELECT pre_context FROM event_context ORDER BY 1"
    )
    before = database.read_once(lambda c: c.scalars(sets).all())
    assert '["nightly"]' in before
    assert _remove(database, "runs 150") == [1]
    assert _keys(database) == {"f3"}
    after = database.read_once(lambda c: c.scalars(sets).all())
    assert set(before) - set(after) == {'["trial"]', "--trial", "above trial"}
    left = database.read_once(lambda c: c.execute(text("SELECT count(*) FROM build")).scalar_one())
    assert left == builds - 1
    _is_right(database)
    # What was removed may be reported again, and a year later all but the last successes go.
    _report(database)
    assert _keys(database) == {"s100", "s50", "f40", "f3", "t200"}
    later = NOW + timedelta(days=365)
    _remove(database, "runs 30", later)
    assert not _keys(database) & {"s100", "f40", "f3", "t200"}
    one_of_each = (
        "SELECT count(*) - count(DISTINCT b.spec_id) FROM attempt a JOIN build b ON b.id = a.build_id"
    )
    statement = text(one_of_each)
    assert database.read_once(lambda c: c.execute(statement).scalar_one()) == 0
    _remove(database, "runs 30 keep:package", later)
    statement = text(one_of_each.replace("spec_id", "package_id"))
    assert database.read_once(lambda c: c.execute(statement).scalar_one()) == 0
    assert sum(one.runs for one in database.read_once(sizes)) > 0
    count = remove_orphans(database, dry_run=True, now=later)
    assert remove_orphans(database, now=later) == count > 0
    _is_right(database)
    shown = text("SELECT count(*) FROM spec s JOIN spec_hash h ON h.spec_id = s.id WHERE h.value = :hash")
    assert database.read_once(lambda c: c.execute(shown, {"hash": TOPBROKEN}).scalar_one()) == 0


LOGS = """{ builds(first: 50, where: {owner: {name: {eq: "ada"}}}) { nodes {
    phases { nodes { id log { text removedAt sizeBytes lineCount tail } } } } } }"""


def test_texts_of_logs_go_and_what_they_told_stays(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    errors = text("SELECT count(*) FROM build_event")
    before = database.read_once(lambda c: c.execute(errors).scalar_one())
    assert _remove(database, "logs 60; runs 9999") == [0, 2]
    assert _remove(database, "logs 30") == [2]
    assert database.read_once(lambda c: c.execute(errors).scalar_one()) == before
    with served(database_url, tmp_path / "served") as server:
        builds = server.ask(LOGS)["builds"]["nodes"]
        logs = [phase["log"] for build in builds for phase in build["phases"]["nodes"]]
        removed = [log for log in logs if log["removedAt"]]
        assert removed
        assert all((log["text"], log["tail"], log["lineCount"]) == ("", "", 0) for log in removed)
        assert all(log["sizeBytes"] for log in removed)
        phases = [phase for build in builds for phase in build["phases"]["nodes"]]
        number = next(one["id"] for one in phases if one["log"]["removedAt"]).partition(":")[2]
        page = server.http.get(f"/compare/logs/{number}/{number}")
        assert (page.status_code, "was removed" in page.text) == (200, True)
        assert server.http.get(f"/compare/logs/{number}/{number}.json").json()["alignment"] is None
    # The same log again: its text is back.
    again = InstallReport(Source(SourceKind.EXTENSION, "again"), phases=REPORTS[4].phases, package_name="x")
    database.write(lambda c: apply_each(c, [again], 1, across_owners=False))
    back = text("SELECT count(*) FROM log WHERE removed_at IS NOT NULL")
    assert database.read_once(lambda c: c.execute(back).scalar_one()) == 3
    _is_right(database)


@pytest.mark.parametrize(
    "rules",
    [
        "logs",
        "logs x",
        "logs 0",
        "books 3",
        "runs 3 colour:red",
        "runs 3 status:SAD",
        "runs 3 keep:all",
        "audit 3 tag:nightly",
    ],
)
def test_a_rule_that_says_nothing_is_refused(rules: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        read_rules(rules)


def test_the_audit_log_is_kept_for_ever_unless_a_rule_says_otherwise(database_url: str) -> None:
    database = Database(database_url)
    for name in ("ada", "grace"):
        database.write(partial(add_person, name=name))
    subjects = partial(changes_of_rights, most=10)
    old = update(AuditEntry).where(AuditEntry.subject == "ada").values(changed_at=NOW - timedelta(days=31))
    database.write(lambda connection: connection.execute(old))
    assert _remove(database, "runs 1; logs 1") == [0, 0]
    rules = rules_of("audit 30")
    assert [one.count for one in find_all(database, rules, NOW)] == [1]
    assert len(database.read_once(subjects)) == 2
    assert [_remove(database, "audit 30") for _ in range(2)] == [[1], [0]]
    assert [one.subject for one in database.read_once(subjects)] == ["grace"]
    database.close()


def test_the_oldest_beyond_a_quota_goes_and_what_its_logs_say_stays(database: Database) -> None:
    def rows(statement: str) -> list[Any]:
        return list(database.read_once(lambda connection: connection.execute(text(statement)).all()))

    def logs() -> list[Any]:
        """The logs of ada's runs, the newest first: their bytes, and whether their text is there."""
        return rows(
            "SELECT l.size_bytes, l.removed_at IS NULL FROM phase p JOIN log l ON l.id = p.log_id"
            " JOIN attempt a ON a.id = p.attempt_id JOIN build b ON b.id = a.build_id"
            " JOIN person o ON o.id = b.owner_id WHERE o.name = 'ada'"
            " ORDER BY p.attempt_id DESC, p.place DESC"
        )

    events = rows("SELECT count(*) FROM log_event")
    (newest, _), (second, _), *_ = logs()
    quota = QuotaRule("logs", newest + second, per_person=True, text="logs")
    too_many = keep_to(database, quota, dry_run=True)
    assert too_many >= 3
    works_of_now = list(works(database, quota))
    # Of these logs a run goes on again between the look and the removal.
    run = rows("SELECT min(attempt_id) FROM phase WHERE log_id IS NOT NULL")[0][0]
    goes_on = text(f"UPDATE attempt SET status = 'RUNNING' WHERE id = {run}")
    database.write(lambda connection: connection.execute(goes_on))
    (kept,) = rows(f"SELECT count(DISTINCT log_id) FROM phase WHERE attempt_id = {run}")
    assert sum(map(database.write, works_of_now)) == too_many - kept[0]
    assert [bool(is_there) for _, is_there in logs()] == [True, True, False, False, False]
    assert rows("SELECT count(*) FROM log_event") == events
    assert use(database, [quota])[0].used > quota.most
    ends = text(f"UPDATE attempt SET status = 'FAILED' WHERE id = {run}")
    database.write(lambda connection: connection.execute(ends))
    assert keep_to(database, quota) == kept[0]
    assert use(database, [quota])[0].used == quota.most
    assert keep_to(database, QuotaRule("runs", 2, per_person=True, text="runs")) > 0
    assert [bool(is_there) for _, is_there in logs()] == [True, True]


@pytest.mark.parametrize("rule", ["logs", "logs 5", "logs 0GB", "runs 5 per:group", "log 5GB", "runs 5GB"])
def test_a_quota_that_is_none_is_refused_by_what_was_expected(rule: str) -> None:
    with pytest.raises(Refused, match="expected a rule such as `logs 500GB`"):
        quotas_of(f"logs 5GB; {rule}")
