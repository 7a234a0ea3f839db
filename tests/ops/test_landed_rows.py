"""What revision 0002 held is there afterwards, to the last byte, as claims and runs."""

import gzip
import json
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from spackmon.database import Database
from spackmon.formats.installs.failed_stage import read_stage, read_stage_log
from spackmon.formats.installs.install_prefix import read_prefix
from spackmon.formats.reports.junit import read_junit
from spackmon.ingest import store
from spackmon.ingest.tables import claims
from spackmon.ingest.tables.contents import environment_set_of, logs_of, manifest_of
from spackmon.logs import chunks
from spackmon.logs.phases import first_time
from spackmon.ops.migrations import upgrade
from spackmon.runs.claim import Claim
from spackmon.runs.times import window
from spackmon.submission import InstalledFile, PhaseReport, Submission
from tests.formats.installs import PREFIXES, STAGE, STAGE_LOG
from tests.ingest.test_facts import (
    COUNTED,
    FACETS,
    FACETS_KEPT,
    FACETS_OF_OTHERS,
    FIRST,
    FIRST_KEPT,
    FIRST_OF_BUILDS,
    KEPT,
)
from tests.ops.landed import HIGHEST_BUILD, fill, upgrade_to

UNCHANGED = {
    "build": """
        SELECT id, spec_id, package_id, environment_id, owner_id, status, created_at, updated_at FROM
        build
    """,
    "attempt": """
        SELECT id, build_id, number, status, spack_version, spack_revision, started_at FROM attempt
    """,
    "merged build": """
        SELECT id, build_id FROM merged_build
    """,
}
"""What is asked before and afterwards, and gives the same rows."""

_PHASES_BEFORE = "SELECT attempt_id, name, position, status, duration_seconds, reported_at FROM phase"
_PHASES = """
    SELECT p.attempt_id, k.name, k.position, k.status, p.duration_seconds, p.reported_at
    FROM phase p JOIN phase_kind k ON k.id = p.kind_id
"""
CARRIED = {
    "phase": (_PHASES_BEFORE, _PHASES),
    "reported end": (
        """
            SELECT id, finished_at, duration_seconds FROM attempt WHERE finished_at IS NOT NULL AND status
            <> 'RUNNING'
        """,
        """
            SELECT id, finished_at, duration_seconds FROM attempt WHERE NOT end_is_inferred AND id IN
            (SELECT attempt_id FROM claim WHERE finished_at IS NOT NULL)
        """,
    ),
    "source": (
        """
            SELECT id, attempt_id, owner_id, kind, spec_hash, first_reported_at, last_reported_at FROM
            build_source
        """,
        """
            SELECT id, attempt_id, owner_id, kind, CASE WHEN spec_id IS NULL THEN spec_hash END,
                first_reported_at, last_reported_at
            FROM claim
        """,
    ),
    "key": (
        """
            SELECT id, key FROM build_source WHERE kind <> 'MS1' OR key LIKE 'saved/%'
        """,
        """
            SELECT id, key FROM claim WHERE NOT is_live
        """,
    ),
    "variable": (
        """
            SELECT build_id, name, value FROM environment_variable
        """,
        """
            SELECT a.build_id, v.name, v.value FROM attempt a JOIN environment_variable v ON
            v.environment_set_id = a.environment_set_id
        """,
    ),
    "file": (
        """
            SELECT build_id, path, type, mode, owner, "group", hash, size_bytes, modified_at_seconds,
            destination FROM install_file
        """,
        """
            SELECT a.build_id, f.path, f.type, f.mode, f.owner, f."group", f.hash, f.size_bytes,
            f.modified_at_seconds, f.destination FROM attempt a JOIN install_file f ON f.manifest_id =
            a.manifest_id
        """,
    ),
    "arguments": (
        """
            SELECT id, prefix, configure_arguments FROM build WHERE prefix IS NOT NULL OR
            configure_arguments IS NOT NULL
        """,
        """
            SELECT a.build_id, a.prefix, g.text FROM attempt a LEFT JOIN configure_arguments g
            ON g.id = a.configure_arguments_id WHERE a.prefix IS NOT NULL OR g.id IS NOT NULL
        """,
    ),
    "arguments as claimed": (
        """
            SELECT id, prefix, configure_arguments FROM build WHERE prefix IS NOT NULL OR
            configure_arguments IS NOT NULL
        """,
        """
            SELECT a.build_id, c.prefix, g.text FROM claim c JOIN attempt a ON a.id = c.attempt_id
            LEFT JOIN configure_arguments g ON g.id = c.configure_arguments_id
            WHERE c.prefix IS NOT NULL OR g.id IS NOT NULL
        """,
    ),
    "tag": (
        """
            SELECT build_id, tag_id FROM build_tag
        """,
        """
            SELECT a.build_id, t.tag_id FROM tag_set_member t JOIN attempt a ON a.tag_set_id = t.tag_set_id
        """,
    ),
    "event": (
        """
            SELECT id, attempt_id, position, kind, text, log_line, source_file, source_line, pre_context,
            post_context, error_group_id FROM build_event
        """,
        """
            SELECT e.id, c.attempt_id, e.position, e.kind, e.text, e.log_line, e.source_file, e.source_line,
            l.pre_context, l.post_context, e.error_group_id FROM build_event e JOIN claim c ON c.id =
            e.claim_id AND c.attempt_id = e.attempt_id LEFT JOIN event_context l ON l.id = e.context_id
        """,
    ),
    "analysis": (
        """
            SELECT id, build_id, analyzer, reported_at FROM analysis
        """,
        """
            SELECT n.id, a.build_id, n.analyzer, n.reported_at FROM analysis n JOIN claim c ON c.id =
            n.claim_id JOIN attempt a ON a.id = n.attempt_id AND a.id = c.attempt_id
        """,
    ),
    "attribute": (
        """
            SELECT t.id, t.analysis_id, f.path, t.name, t.value, t.binary_value, t.json_value FROM attribute
            t LEFT JOIN install_file f ON f.id = t.install_file_id
        """,
        """
            SELECT t.id, t.analysis_id, t.path, t.name, t.value, t.binary_value, t.json_value FROM attribute
            t JOIN analysis n ON n.id = t.analysis_id AND n.attempt_id = t.attempt_id LEFT JOIN install_file
            f ON f.id = t.install_file_id WHERE COALESCE(f.path, '') = COALESCE(t.path, '')
        """,
    ),
    "announced": (
        """
            SELECT id FROM build WHERE rerun_announced AND id IN (SELECT build_id FROM build_source WHERE
            kind = 'MS1' AND key NOT LIKE 'saved/%')
        """,
        """
            SELECT client_build_id FROM claim WHERE next_run IS NOT NULL
        """,
    ),
}
"""What is asked before, and what must give the same rows afterwards."""

SAME = {**{name: (question, question) for name, question in UNCHANGED.items()}, **CARRIED}

JUNIT = gzip.decompress((Path(__file__).parents[1] / "data" / "junit" / "1.2.xml.gz").read_bytes())

PHASES = "SELECT attempt_id, name, position, status, duration_seconds, reported_at FROM phase"
_LOGS_BEFORE = """
    SELECT p.attempt_id || p.name AS phase, c.content FROM phase p JOIN log_chunk c ON c.phase_id = p.id
    ORDER BY 1, c.number
"""
_OF_KINDS = "phase p JOIN phase_kind k ON k.id = p.kind_id"
_LOGS = f"""
    SELECT p.attempt_id || k.name AS phase, c.content FROM {_OF_KINDS} JOIN log_chunk c ON c.log_id = p.log_id
    ORDER BY 1, c.number
"""


@pytest.fixture
def landed(empty_url: str, tmp_path: Path) -> Iterator[Database]:
    """A database of revision 0002 with all that it can hold."""
    upgrade_to(2, empty_url, tmp_path / "landed")
    database = Database(empty_url)
    fill(database)
    yield database
    database.close()


def rows(database: Database, question: str) -> list[tuple[Any, ...]]:
    def asked(connection: Any) -> list[tuple[Any, ...]]:
        return sorted((tuple(row) for row in connection.execute(text(question))), key=repr)

    return database.read_once(asked)


def logs(database: Database, question: str) -> dict[str, bytes]:
    """The log of each phase that has one, by its run's number and its name."""
    found = database.read_once(lambda c: c.execute(text(question)).all())
    return {phase: chunks.join(row[1] for row in of) for phase, of in groupby(found, lambda row: row[0])}


def claims_of(database: Database) -> list[Claim]:
    """All claims, as the program of today reads them."""
    ids = [row[0] for row in rows(database, "SELECT id FROM claim")]
    return [one.claim for one in database.read_once(lambda c: claims.load_claims(c, ids)).values()]


def url_of(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False)


def test_an_upgrade_loses_and_doubles_nothing(landed: Database) -> None:
    before = {name: rows(landed, old) for name, (old, _) in SAME.items()}
    phases = rows(landed, PHASES)
    logs_before = logs(landed, _LOGS_BEFORE)
    assert all(before.values())
    upgrade(url_of(landed))
    assert {name: rows(landed, new) for name, (_, new) in SAME.items()} == before
    assert logs(landed, _LOGS) == logs_before
    claimed = [
        (claim.attempt_id, p.name, p.position, p.status, p.duration_seconds, p.reported_at)
        for claim in claims_of(landed) for p in claim.phases
    ]  # fmt: skip
    assert sorted(claimed, key=repr) == sorted(((*row[:5], _moment(row[5])) for row in phases), key=repr)
    assert rows(landed, "SELECT count(*) FROM attempt WHERE finished_at IS NULL"
                        " AND status IN ('SUCCESS', 'FAILED', 'CANCELLED')") == [(0,)]  # fmt: skip
    named = """
        SELECT s.hash_kind = c.spec_hash_kind AND s.hash = c.spec_hash
        FROM claim c JOIN spec s ON s.id = c.spec_id
    """
    assert {bool(is_own) for (is_own,) in rows(landed, named)} == {True}
    newest = "SELECT b.id, max(a.id) FROM build b JOIN attempt a ON a.id = b.newest_attempt_id GROUP BY b.id"
    of_highest_number = """
        SELECT a.build_id, a.id FROM attempt a
        WHERE a.number = (SELECT max(o.number) FROM attempt o WHERE o.build_id = a.build_id)
    """
    assert rows(landed, newest) == rows(landed, of_highest_number)


def test_equal_contents_are_the_rows_that_a_report_finds(landed: Database) -> None:
    logs_before = logs(landed, _LOGS_BEFORE)
    upgrade(url_of(landed))
    digests = rows(landed, "SELECT id, size_bytes FROM log")
    assert sorted(size for _, size in digests) == sorted(map(len, set(logs_before.values())))
    variables = rows(landed, "SELECT environment_set_id, name, value FROM environment_variable")
    files = rows(
        landed,
        'SELECT manifest_id, path, type, mode, owner, "group", hash, size_bytes, modified_at_seconds,'
        " destination FROM install_file",
    )

    def again(connection: Any) -> None:
        logged = f"SELECT p.attempt_id || k.name, p.log_id FROM {_OF_KINDS} WHERE p.log_id IS NOT NULL"
        log_ids = dict(connection.execute(text(logged)).all())
        assert dict(zip(logs_before, logs_of(connection, [*logs_before.values()])[0], strict=True)) == log_ids
        for set_id, of_set in groupby(variables, lambda row: row[0]):
            assert environment_set_of(connection, {name: value for _, name, value in of_set}) == set_id
        for manifest_id, of_manifest in groupby(files, lambda row: row[0]):
            assert manifest_of(connection, [InstalledFile(*row[1:]) for row in of_manifest]) == manifest_id

    landed.write_once(again)
    assert len({row[0] for row in variables}) > 3
    assert len({row[0] for row in files}) > 3


def test_claims_have_the_windows_and_marks_that_today_s_program_gives_them(landed: Database) -> None:
    upgrade(url_of(landed))
    windows = "SELECT id, window_begins_at, window_ends_at FROM claim"
    ids = [row[0] for row in rows(landed, windows)]
    stored = landed.read_once(lambda c: claims.load_claims(c, ids))
    expected = {}
    for claim_id, one in stored.items():
        reach = window(one.claim)
        assert reach is not None
        expected[claim_id] = reach
    got = {row[0]: tuple(map(_moment, row[1:])) for row in rows(landed, windows)}
    assert got == expected
    marks = {f"{c.attempt_id}{p.name}": p.mark for c in claims_of(landed) for p in c.phases}
    names = rows(landed, f"SELECT p.attempt_id || k.name FROM {_OF_KINDS}")
    logged = logs(landed, _LOGS)
    assert marks == {name: _mark(logged.get(name, b"")) for (name,) in names}
    assert len(set(marks.values())) > 20


def test_statuses_that_no_client_reported_are_inferred_and_not_claimed(landed: Database) -> None:
    upgrade(url_of(landed))
    inferred = """
        SELECT c.status, a.status, count(*) FROM claim c JOIN attempt a ON a.id = c.attempt_id
        WHERE c.status <> a.status GROUP BY c.status, a.status
    """
    assert rows(landed, inferred) == [("NOTRUN", "CANCELLED", 1), ("RUNNING", "FAILED", 4)]
    outcomes = "SELECT c.id, a.status FROM claim c JOIN attempt a ON a.id = c.attempt_id WHERE c.is_live"
    expected = dict(rows(landed, outcomes))
    stored = landed.read_once(lambda c: claims.load_claims(c, expected))
    assert {claim_id: one.claim.outcome for claim_id, one in stored.items()} == expected


def test_a_run_whose_source_was_not_noted_is_a_client_s(landed: Database) -> None:
    """A client's runs were named by numbers, which merged builds could have given before."""
    forgotten = "SELECT attempt_id FROM build_source WHERE key = '11/2' AND kind = 'MS1'"
    [(attempt_id,)] = rows(landed, forgotten)
    landed.write_once(lambda c: c.execute(text(f"DELETE FROM build_source WHERE attempt_id = {attempt_id}")))
    upgrade(url_of(landed))
    claim = f"SELECT kind, is_live, client_build_id, status FROM claim WHERE attempt_id = {attempt_id}"
    assert rows(landed, claim) == [("MS1", True, 11, "SUCCESS")]
    assert (
        rows(landed, "SELECT a.id FROM attempt a LEFT JOIN claim c ON c.attempt_id = a.id WHERE c.id IS NULL")
        == []
    )


def test_the_number_of_a_merged_build_is_not_given_again(landed: Database) -> None:
    upgrade(url_of(landed))
    added = (
        "INSERT INTO build (environment_id, owner_id, status, created_at, updated_at)"
        " SELECT environment_id, owner_id, status, created_at, updated_at FROM build WHERE id = 1"
        " RETURNING id"
    )
    assert landed.write_once(lambda c: c.execute(text(added)).scalar_one()) == HIGHEST_BUILD + 1


def test_a_client_that_announced_its_next_run_goes_on_with_that(landed: Database) -> None:
    upgrade(url_of(landed))
    announced = rows(
        landed, "SELECT client_build_id, next_run, owner_id FROM claim WHERE next_run IS NOT NULL"
    )
    assert len(announced) == 4
    for build_id, written, owner_id in announced:
        next_run = json.loads(written)
        question = f"""
            SELECT a.started_at, a.spack_version, a.status, t.name FROM attempt a
            LEFT JOIN tag_set_member m ON m.tag_set_id = a.tag_set_id LEFT JOIN tag t ON t.id = m.tag_id
            WHERE a.build_id = {build_id} AND a.status = 'RUNNING'
        """
        before = rows(landed, question)
        landed.write_once(
            partial(apply_to, PhaseReport(build_id, "autoreconf", "SUCCESS", b"once more"), owner_id)
        )
        added = set(rows(landed, question)) - set(before)
        assert [(_moment(row[0]), *row[1:]) for row in sorted(added, key=repr)] == [
            (datetime.fromisoformat(next_run["at"]), next_run["spack_version"], "RUNNING", tag)
            for tag in next_run["tags"]
        ]


def test_errors_and_builds_are_counted(landed: Database, tmp_path: Path) -> None:
    # In PostgreSQL the last one does most of its work ahead.
    upgrade_to(21, url_of(landed), tmp_path / "uncounted")
    upgrade(url_of(landed))
    for kept, counted in ((KEPT, COUNTED), (FIRST_KEPT, FIRST), (FACETS_KEPT, FACETS)):
        assert rows(landed, kept) == rows(landed, counted) != []
    assert rows(landed, FIRST_OF_BUILDS) == rows(landed, FACETS_OF_OTHERS) == []


def test_the_same_imports_again_double_nothing(landed: Database) -> None:
    """Runs that were played twice have the same times in their logs: they turn out to be one."""
    upgrade(url_of(landed))
    builder = 3
    everything = {
        "claims": "SELECT id, kind, owner_id FROM claim",
        "logs": "SELECT digest FROM log",
        "events": "SELECT kind, text, log_line FROM build_event WHERE attempt_id IS NOT NULL",
        "variables": "SELECT DISTINCT v.name, v.value FROM attempt a"
                     " JOIN environment_variable v ON v.environment_set_id = a.environment_set_id",
        "files": "SELECT DISTINCT f.path, f.hash FROM attempt a"
                 " JOIN install_file f ON f.manifest_id = a.manifest_id",
    }  # fmt: skip
    before = {name: set(rows(landed, question)) for name, question in everything.items()}
    attempts = rows(landed, "SELECT count(*) FROM attempt")
    reports = [report for path in PREFIXES for report in read_prefix(path, None)]
    reports += [*read_stage(STAGE), *read_stage_log(STAGE_LOG), *read_junit(JUNIT)]
    for report in reports:
        landed.write_once(partial(apply_to, report, builder))
    after = {name: set(rows(landed, question)) for name, question in everything.items()}
    assert after["claims"] == before["claims"]
    assert all(before[name] <= after[name] for name in everything)
    assert rows(landed, "SELECT count(*) FROM attempt") <= attempts


def apply_to(report: Submission, person_id: int, connection: Connection) -> None:
    """Store a report as the program of today does."""
    store.apply(connection, report, person_id)


def _moment(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def _mark(log: bytes) -> str | None:
    began = first_time(log)
    return began.isoformat() if began is not None and began.microsecond else None
