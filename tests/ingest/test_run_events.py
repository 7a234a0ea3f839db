"""What is read in the logs of a run counts for the run as what a source reports, and never twice."""

from collections.abc import Sequence

import pytest

from spackmon.ingest.grouping import rule
from spackmon.ingest.regrouping import judge_errors_of_logs, judge_reported_errors
from spackmon.ingest.tables.log_events import read_again, unread
from spackmon.logs.taxonomy import shipped, use_for_site, with_rules_of
from spackmon.models import utc_now
from spackmon.status import BuildStatus, EventKind, GroupAction
from spackmon.submission import Event, InstallPhase, Submission
from tests.ingest.installs import START, cdash, live
from tests.ingest.reports import Site, spec

ZLIB = spec("zlib", "1.2.11")
BROKEN = b"""src/a.c:3:1: error: 'x' undeclared
w.c:4:1: warning: unused variable 'y' [-Wunused-variable]
make: *** [Makefile:6: a.o] Error 1
"""
REPORTED = (
    Event(EventKind.ERROR, "make: *** [Makefile:6: a.o] Error 1"),
    Event(EventKind.ERROR, "/tmp/stage/src/a.c:77:9: error: 'x' undeclared"),
)
OF_RUN = """SELECT kind, role, error_class, blame, tool, COALESCE(substr(text, message_at), message),
    is_first, position FROM build_event
    WHERE attempt_id IS NOT NULL ORDER BY kind, position"""
GROUPS = """SELECT g.fingerprint, count(*) FROM build_event v JOIN error_group g ON g.id = v.error_group_id
    WHERE v.attempt_id IS NOT NULL GROUP BY g.fingerprint ORDER BY count(*), g.fingerprint"""
OF_LOG = [
    ("ERROR", "PRIMARY", "compile", "PACKAGE", "gcc", "'x' undeclared", True, 1),
    ("WARNING", "PRIMARY", None, None, "gcc", "unused variable 'y' [-Wunused-variable]", False, 2),
]


def judge(site: Site, *, keep_classes: bool) -> None:
    for one in (judge_errors_of_logs, judge_reported_errors):
        site.database.write(lambda connection, one=one: one(connection, 0, 100, keep_classes=keep_classes))


def say(site: Site, fingerprint: str, action: GroupAction, value: str | None = None) -> None:
    site.database.write(lambda c: rule(c, fingerprint, action, value, Site.ada, utc_now()))


def fingerprints(site: Site) -> list[tuple[str, int]]:
    return [(row[0], row[1]) for row in site.rows(GROUPS)]


def test_a_client_of_ms1_that_sends_a_log_has_errors(site: Site) -> None:
    build_id = site.build(ZLIB)
    site.phase(build_id, "configure", "SUCCESS", b"checking\n")
    site.phase(build_id, "build", "ERROR", BROKEN)
    assert site.rows(OF_RUN) == OF_LOG
    # Of a phase that is reported again, those of its last log.
    site.phase(build_id, "build", "ERROR", BROKEN.replace(b"'x'", b"'z'"))
    assert [row[5] for row in site.rows(OF_RUN)] == ["'z' undeclared", OF_LOG[1][5]]
    site.phase(build_id, "build", "SUCCESS", b"done\n")
    assert site.rows(OF_RUN) == []


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_errors_that_a_source_reports_stand_for_those_in_logs_in_any_order(
    site: Site, order: Sequence[int]
) -> None:
    of_log = live(
        phases=(InstallPhase("build", "ERROR", 3, BROKEN),), started_at=START, status=BuildStatus.FAILED
    )
    reports: list[Submission] = [of_log, cdash(events=REPORTED, status=BuildStatus.FAILED)]
    for place in order:
        site.apply(reports[place])
    assert len(site.rows("SELECT id FROM attempt")) == 1
    assert site.rows(OF_RUN) == [
        ("ERROR", "CONSEQUENCE", "other", "PACKAGE", "make", "make: *** [Makefile:6: a.o] Error 1", False, 1),
        ("ERROR", "PRIMARY", "compile", "PACKAGE", "gcc", "'x' undeclared", True, 2),
        # Nobody reported a warning.
        (*OF_LOG[1][:-1], 1),
    ]


def test_a_failure_has_one_group_whatever_brought_it(site: Site) -> None:
    site.phase(site.build(ZLIB), "build", "ERROR", BROKEN)
    site.apply(cdash(spec("hdf5", "1.14"), events=REPORTED[1:], status=BuildStatus.FAILED))
    assert [count for _, count in fingerprints(site)] == [2]
    why = "SELECT rule, blanked FROM build_event WHERE attempt_id IS NOT NULL AND claim_id IS NOT NULL"
    ((name, blanked),) = site.rows(why)
    assert name == "compiler-with-place"
    assert blanked == '[{"kind":"DIRECTORY","text":"/tmp/stage/src/"},{"kind":"SOURCE_LINE","text":"77"}]'


def test_a_log_that_is_read_again_renews_the_events_of_its_runs(site: Site) -> None:
    site.phase(site.build(ZLIB), "build", "ERROR", BROKEN)
    site.database.write(lambda c: c.exec_driver_sql("UPDATE log SET rules_version = NULL"))
    site.database.write(lambda c: c.exec_driver_sql("UPDATE log_event SET message = 'old' WHERE is_first"))
    (log_id,) = site.database.read_once(lambda connection: unread(connection, 0, 10))
    site.database.write(lambda connection: read_again(connection, log_id))
    assert site.rows(OF_RUN) == OF_LOG


def test_rules_of_a_site_classify_what_comes_and_what_is_stored(site: Site) -> None:
    site.phase(site.build(ZLIB), "build", "ERROR", BROKEN)
    site.apply(cdash(spec("hdf5", "1.14"), events=REPORTED[1:], status=BuildStatus.FAILED))
    rules = """[classes.ours]\nblame = "infrastructure"\n[[rule]]\nclass = "ours"\npattern = "undeclared"\n"""
    try:
        use_for_site(with_rules_of(rules))
        judge(site, keep_classes=True)
        assert {row[2] for row in site.rows(OF_RUN) if row[0] == "ERROR"} == {"compile"}
        judge(site, keep_classes=False)
        site.phase(site.build(spec("zlib", "1.3")), "build", "ERROR", BROKEN + b"\n")
    finally:
        use_for_site(shipped())
    errors = [row[2:4] for row in site.rows(OF_RUN) if row[0] == "ERROR"]
    assert errors == [("ours", "INFRASTRUCTURE")] * 3
    assert [count for _, count in fingerprints(site)] == [3]


def test_what_people_say_of_groups_stands_above_rules_and_survives_new_ones(site: Site) -> None:
    site.phase(site.build(ZLIB), "build", "ERROR", BROKEN)
    site.phase(site.build(spec("zlib", "1.3")), "build", "ERROR", BROKEN.replace(b"'x'", b"'z'"))
    (x, _), (z, _) = sorted(
        fingerprints(site),
        key=lambda one: site.rows(f"SELECT text FROM error_group WHERE fingerprint = '{one[0]}'"),
    )
    say(site, x, GroupAction.NOTE, "a header of glibc 2.38 went")
    say(site, x, GroupAction.KNOWN_ISSUE, "https://example.org/issues/7")
    say(site, z, GroupAction.MERGE, x)
    assert fingerprints(site) == [(x, 2)]
    # What comes later goes there too.
    site.phase(site.build(spec("zlib", "1.4")), "build", "ERROR", BROKEN.replace(b"'x'", b"'z'") + b"\n")
    assert fingerprints(site) == [(x, 3)]
    age = "UPDATE error_group SET fingerprint = 'old-' || fingerprint, version = 0"
    site.database.write(lambda c: c.exec_driver_sql(age))
    for table in ("build_event", "log_event"):
        old = f"UPDATE {table} SET fingerprint = 'old-' || fingerprint"
        site.database.write(lambda c, old=old: c.exec_driver_sql(old))
    judge(site, keep_classes=True)
    assert fingerprints(site) == [(x, 3)]
    said = f"SELECT note, known_issue FROM error_group WHERE fingerprint = '{x}'"
    assert site.rows(said) == [("a header of glibc 2.38 went", "https://example.org/issues/7")]
    history = """SELECT r.action FROM error_group_ruling r JOIN error_group g ON g.id = r.error_group_id
        WHERE g.version > 0 ORDER BY g.text, r.id"""
    assert [row[0] for row in site.rows(history)] == ["NOTE", "KNOWN_ISSUE", "MERGE"]
    say(site, z, GroupAction.SPLIT)
    assert fingerprints(site) == [(x, 1), (z, 2)]
    say(site, z, GroupAction.SPLIT, "'z'")
    assert [count for one, count in fingerprints(site) if one not in (x, z)] == [2]
