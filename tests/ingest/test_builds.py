"""Builds: one for each spec, environment and owner, and which attempt each report belongs to."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from spackmon.errors import Refused
from spackmon.logs import chunks
from spackmon.status import BuildStatus
from spackmon.submission import AnalysisReport, PhaseReport, StatusReport, Submission
from tests.ingest.reports import Site, build_report, graph, spec, spec_report

ZLIB = spec("zlib", "1.2.11")
OLD_ZLIB = spec("zlib", "1.2.8")
HDF5 = spec("hdf5", "1.12.2", ZLIB)
NETCDF = spec("netcdf-c", "4.9.0", HDF5, ZLIB)

LOG = """SELECT c.content FROM log_chunk c JOIN phase p ON p.log_id = c.log_id
    JOIN phase_kind k ON k.id = p.kind_id WHERE k.name = :name ORDER BY number"""


def refusal_of(site: Site, submission: Submission, person: int = Site.ada) -> tuple[str, int]:
    with pytest.raises(Refused) as refused:
        site.apply(submission, person)
    return refused.value.code, refused.value.status


def log_of(site: Site, phase: str) -> bytes:
    return chunks.join(content for (content,) in site.rows(LOG, name=phase))


@contextmanager
def executed(site: Site) -> Iterator[list[str]]:
    """The statements that run in the block."""
    statements: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    event.listen(site.database.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(site.database.engine, "before_cursor_execute", note)


def test_the_same_spec_environment_and_owner_give_the_same_build(site: Site) -> None:
    site.apply(spec_report(ZLIB))
    first = site.apply(build_report(ZLIB.hash))
    again = site.apply(build_report(ZLIB.hash))
    assert (first.build_created, first.environment_created) == (True, True)
    assert (again.build_created, again.environment_created, again.build_id) == (False, False, first.build_id)
    assert (first.spec_hash, first.shown_hash, first.spec_name) == (ZLIB.hash, ZLIB.hash, "zlib")
    elsewhere = site.apply(build_report(ZLIB.hash, host="node-2"))
    of_bob = site.apply(build_report(ZLIB.hash), Site.bob)
    assert len({first.build_id, elsewhere.build_id, of_bob.build_id}) == 3
    assert site.attempts(first.build_id) == [("NOTRUN", [])]


def test_a_build_of_an_unknown_spec_is_refused_and_leaves_nothing_behind(site: Site) -> None:
    before = site.dump()
    assert refusal_of(site, build_report("abcdefg")) == ("SPEC_UNKNOWN", 404)
    assert refusal_of(site, build_report("abcdefg", graph=graph(ZLIB))) == ("SPEC_UNKNOWN", 404)
    assert site.dump() == before


def test_a_spec_sent_with_its_build_is_stored_first(site: Site) -> None:
    receipt = site.apply(build_report(HDF5.hash, graph=graph(HDF5, ZLIB), announces_run=False))
    assert receipt.build_created
    assert site.rows("SELECT count(*) FROM closure") == [(1,)]


def test_a_build_knows_the_package_versions_below_it_once_each(site: Site) -> None:
    build_id = site.build(NETCDF, HDF5, ZLIB)
    contained = site.rows(
        "SELECT p.name, v.version FROM build_content b "
        "JOIN package_version v ON v.id = b.package_version_id JOIN package p ON p.id = b.package_id "
        "WHERE b.chunk * 256 + b.place = :b ORDER BY p.name",
        b=build_id,
    )
    assert contained == [("hdf5", "1.12.2"), ("zlib", "1.2.11")]


def test_the_tags_of_a_run_are_those_of_its_own_announcement(site: Site) -> None:
    site.apply(spec_report(ZLIB))
    for tags in (("ci", "nightly"), ("ci", "release")):
        site.apply(build_report(ZLIB.hash, tags=tags))
    tags = """
        SELECT name FROM tag t JOIN tag_set_member m ON m.tag_id = t.id
        JOIN attempt a ON a.tag_set_id = m.tag_set_id ORDER BY name
    """
    assert site.rows(tags) == [("ci",), ("release",)]


def test_phases_run_a_build_and_a_status_ends_it(site: Site) -> None:
    build_id = site.build(ZLIB)
    site.phase(build_id, "edit")
    assert site.build_status(build_id) == "RUNNING"
    site.phase(build_id, "build", output=b"make\n")
    site.status(build_id, "SUCCESS")
    assert site.attempts(build_id) == [("SUCCESS", ["edit", "build"])]
    assert site.build_status(build_id) == "SUCCESS"
    assert log_of(site, "build") == b"make\n"
    assert site.rows("SELECT count(*) FROM attempt WHERE finished_at IS NOT NULL") == [(1,)]


def test_an_announced_rerun_begins_the_next_attempt_with_its_first_report(site: Site) -> None:
    build_id = site.build(ZLIB)
    site.phase(build_id, "build", "ERROR", b"first\n")
    site.status(build_id, "FAILED")
    site.announce(ZLIB)
    site.announce(ZLIB)
    assert site.attempts(build_id) == [("FAILED", ["build"])]
    site.phase(build_id, "edit")
    site.phase(build_id, "build")
    site.status(build_id, "SUCCESS")
    assert site.attempts(build_id) == [("FAILED", ["build"]), ("SUCCESS", ["edit", "build"])]
    assert log_of(site, "build") == b"first\n"
    site.announce(ZLIB)
    site.status(build_id, "SUCCESS")
    assert [status for status, _ in site.attempts(build_id)] == ["FAILED", "SUCCESS", "SUCCESS"]


def test_a_rerun_of_what_broke_without_a_status_keeps_what_broke(site: Site) -> None:
    """0.16 and 0.17 give a status to the root alone."""
    build_id = site.build(ZLIB)
    site.phase(build_id, "build", "ERROR", b"error: no zlib.h\n")
    site.announce(ZLIB)
    site.phase(build_id, "build", "SUCCESS")
    assert [phases for _, phases in site.attempts(build_id)] == [["build"], ["build"]]
    assert log_of(site, "build") == b"error: no zlib.h\n"


def test_a_phase_that_ended_in_error_fails_a_build_that_nobody_says_more_about(site: Site) -> None:
    build_id = site.build(ZLIB)
    site.phase(build_id, "configure")
    site.phase(build_id, "build", "ERROR", b"error\n")
    assert site.build_status(build_id) == "FAILED"
    # Not the end: reports in any order still belong to this attempt.
    site.phase(build_id, "stage")
    assert site.build_status(build_id) == "FAILED"
    site.status(build_id, "FAILED")
    assert site.attempts(build_id) == [("FAILED", ["configure", "build", "stage"])]


def test_a_run_lasts_from_its_first_report_to_its_reported_end(site: Site) -> None:
    build_id = site.build(ZLIB)
    build = "SELECT duration_seconds FROM build WHERE id = :b"
    run = "SELECT duration_seconds FROM attempt WHERE build_id = :b ORDER BY number"
    site.phase(build_id, "build", "ERROR")
    assert site.rows(build, b=build_id) == site.rows(run, b=build_id) == [(None,)]
    site.status(build_id, "FAILED")
    ((lasted,),) = site.rows(run, b=build_id)
    assert 0 < lasted < 60
    assert site.rows(build, b=build_id) == [(lasted,)]
    # Of the second run nothing but its end is known.
    site.status(build_id, "SUCCESS")
    assert site.rows(run, b=build_id) == [(lasted,), (None,)]
    assert site.rows(build, b=build_id) == [(None,)]


def test_what_arrives_late_is_added_to_the_finished_attempt(site: Site) -> None:
    """`monitor upload` replays statuses before phases."""
    build_id = site.build(ZLIB)
    site.status(build_id, "SUCCESS")
    site.phase(build_id, "edit")
    site.phase(build_id, "build")
    site.status(build_id, "SUCCESS")
    assert site.attempts(build_id) == [("SUCCESS", ["edit", "build"])]


def test_a_finished_attempt_is_never_overwritten(site: Site) -> None:
    build_id = site.build(ZLIB)
    site.phase(build_id, "build", "SUCCESS", b"first\n")
    site.status(build_id, "SUCCESS")
    site.phase(build_id, "build", "ERROR", b"second\n")
    assert site.attempts(build_id) == [("SUCCESS", ["build"]), ("FAILED", ["build"])]
    site.status(build_id, "FAILED")
    site.status(build_id, "FAILED")
    site.status(build_id, "SUCCESS")
    assert [status for status, _ in site.attempts(build_id)] == ["SUCCESS", "FAILED", "SUCCESS"]
    assert log_of(site, "build") in (b"first\nsecond\n", b"second\nfirst\n")


def test_a_phase_again_replaces_status_and_log_and_the_very_same_changes_nothing(site: Site) -> None:
    build_id = site.build(ZLIB)
    site.phase(build_id, "build", "ERROR", b"x" * (chunks.CHUNK_BYTES + 1))
    site.phase(build_id, "build", "SUCCESS", b"short\n")
    before = site.dump()
    site.phase(build_id, "build", "SUCCESS", b"short\n")
    site.phase(build_id, "build", "SUCCESS", None)
    assert site.dump() == before
    assert site.rows("SELECT k.status FROM phase p JOIN phase_kind k ON k.id = p.kind_id") == [("SUCCESS",)]
    assert log_of(site, "build") == b"short\n"
    site.phase(build_id, "build", "SUCCESS", b"")
    assert log_of(site, "build") == b""


def test_a_phase_keeps_its_number_whatever_is_reported_of_an_earlier_one(site: Site) -> None:
    build_id = site.build(ZLIB)
    log = "==> [2026-11-22-09:{}:18.718217] 'make'\n"
    install, build, again = (
        site.apply(PhaseReport(build_id, name, "SUCCESS", log.format(minute).encode())).phase_id
        for name, minute in (("install", 20), ("build", 10), ("install", 21))
    )
    assert site.attempts(build_id) == [("RUNNING", ["build", "install"])]
    assert again == install != build
    # Of what was linked to when phases had numbers of their own nothing is another phase now.
    assert min(install, build) > 2**31


def test_a_failure_cancels_only_what_the_same_person_has_not_run_there(site: Site) -> None:
    failed = site.build(ZLIB)
    waiting = site.build(HDF5, ZLIB)
    running = site.build(NETCDF, HDF5, ZLIB)
    done = site.build(OLD_ZLIB)
    elsewhere = site.build(HDF5, ZLIB, host="node-2")
    of_bob = site.build(HDF5, ZLIB, person=Site.bob)
    site.phase(running, "build")
    site.status(done, "SUCCESS")
    site.status(failed, "FAILED")
    states = {
        build: site.build_status(build) for build in (failed, waiting, running, done, elsewhere, of_bob)
    }
    assert states == {
        failed: "FAILED", waiting: "CANCELLED", running: "RUNNING", done: "SUCCESS", elsewhere: "NOTRUN",
        of_bob: "NOTRUN",
    }  # fmt: skip
    assert site.attempts(waiting) == [("CANCELLED", [])]


def test_what_a_failure_cancels_is_read_and_derived_at_once(site: Site) -> None:
    counts = []
    for number, size in enumerate((2, 12)):
        host = f"of-{number}"
        failed, *waiting = [
            site.build(spec(f"package-{number}-{n}", "1"), host=host) for n in range(size + 1)
        ]
        with executed(site) as statements:
            site.status(failed, "FAILED")
        assert {site.build_status(build) for build in waiting} == {"CANCELLED"}
        counts.append(len(statements))
    # A claim, its run and its build are written; what is read is read of all.
    assert counts[1] - counts[0] <= 5 * 10


def test_a_build_that_runs_after_all_was_never_cancelled(site: Site) -> None:
    failed, waiting, next_one = site.build(ZLIB), site.build(HDF5, ZLIB), site.build(NETCDF, HDF5, ZLIB)
    site.status(failed, "FAILED")
    site.phase(waiting, "build")
    site.status(next_one, "SUCCESS")
    assert site.attempts(waiting) == [("RUNNING", ["build"])]
    assert site.attempts(next_one) == [("SUCCESS", [])]


def test_a_reported_cancellation_is_a_status_like_any_other(site: Site) -> None:
    build_id = site.build(ZLIB)
    site.phase(build_id, "build")
    site.status(build_id, "CANCELLED")
    site.phase(build_id, "build")
    assert site.attempts(build_id) == [("CANCELLED", ["build"]), ("RUNNING", ["build"])]


def test_nobody_writes_to_a_build_that_is_not_theirs_or_not_there(site: Site) -> None:
    build_id = site.build(ZLIB)
    before = site.dump()
    for unknown in (build_id + 1, 0, -1, 2**63, 10**30):
        assert refusal_of(site, StatusReport(unknown, BuildStatus.FAILED)) == ("BUILD_UNKNOWN", 404)
    for of_somebody_else in (
        StatusReport(build_id, BuildStatus.FAILED),
        PhaseReport(build_id, "build", "SUCCESS", None),
        AnalysisReport(build_id),
    ):
        assert refusal_of(site, of_somebody_else, Site.bob) == ("BUILD_NOT_YOURS", 403)
    assert site.dump() == before
