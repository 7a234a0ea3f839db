"""One build, many sources: the same install seen live, by CDash and by an import is one build."""

import dataclasses
import itertools
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spackmon.formats import ms1
from spackmon.graph.spec import SpecNode
from spackmon.status import BuildStatus, EventKind, SourceKind
from spackmon.submission import (
    BuildReport,
    ConcretizationFailureReport,
    Environment,
    Event,
    InstalledFile,
    InstallPhase,
    SpecReport,
)
from tests.ingest.conftest import Clock
from tests.ingest.installs import (
    EVERYTHING,
    FAILED,
    HERE,
    SOURCES,
    START,
    SUCCESS,
    ZLIB,
    after,
    cdash,
    count,
    install,
    live,
    parts_of_one_run,
    prefix,
    told_about,
)
from tests.ingest.reports import Site, build_report, graph, spec, spec_report
from tests.ingest.test_concurrent_writers import in_parallel
from tests.player import exchanges

MS1 = {
    "specs/new/": ms1.read_spec,
    "builds/new/": ms1.read_build,
    "builds/phases/update/": ms1.read_phase,
    "builds/update/": ms1.read_status,
}


def test_everything_that_a_report_tells_is_kept(site: Site) -> None:
    receipt = site.apply(install(SourceKind.PREFIX, "/opt/zlib#1", **EVERYTHING))
    assert (receipt.build_created, receipt.attempt_created, receipt.changed) == (True, True, True)
    assert (receipt.spec_hash, receipt.specs_created) == (ZLIB.hash, 1)
    assert (receipt.phases_created, receipt.events_created) == (2, 2)
    assert site.attempts(receipt.build_id) == [("FAILED", ["configure", "build"])]
    assert site.rows("SELECT prefix, status, duration_seconds FROM build") == [("/opt/zlib", "FAILED", 90.0)]
    assert site.rows("SELECT text FROM configure_arguments") == [("--prefix=/opt/zlib",)]
    assert site.rows("SELECT name, value FROM environment_variable") == [("CC", "gcc")]
    files = "SELECT f.path, value FROM install_file f JOIN attribute a ON a.install_file_id = f.id"
    assert site.rows(files) == [("/opt/zlib/lib/libz.so", "inflate")]
    assert site.rows("SELECT kind, key FROM claim") == [("PREFIX", "/opt/zlib#1")]
    assert site.rows("SELECT normal_form FROM error_group") == [
        ("v1 | gcc | compile | main.c | 'x' undeclared",)
    ]
    assert site.rows("SELECT name FROM tag") == [("nightly",)]
    assert site.rows("SELECT name FROM package p JOIN build b ON b.package_id = p.id") == [("zlib",)]


def test_lines_around_events_are_stored_once_whoever_reports_them(site: Site) -> None:
    def event(line: int, *lines: str | None) -> Event:
        return Event(EventKind.WARNING, "odd", line, None, None, *lines)

    shared, others = ("make é\n", "stop"), ((None, "make é\nstop"), ("make é\nstop", ""), ("", None))
    of_event = "SELECT e.log_line, e.context_id FROM build_event e WHERE e.claim_id = {} ORDER BY e.log_line"
    site.apply(cdash(name="one", events=(event(3, *shared), event(9, None, None))))
    site.apply(cdash(name="two", events=(event(7, *shared),)))
    # A claim's events are written anew as more of them come.
    site.apply(cdash(name="two", events=tuple(event(10 + n, *lines) for n, lines in enumerate(others))))
    contexts = dict(site.rows("SELECT id, pre_context FROM event_context"))
    assert len(contexts) == 4
    ((of_3, of_9), (of_7, *of_others)) = (
        [context_id for _, context_id in site.rows(of_event.format(claim_id))] for claim_id in (1, 2)
    )
    assert (of_3, of_9) == (of_7, None)
    assert {of_7, *of_others} == contexts.keys()
    assert [contexts[one] for one in of_others] == [None, "make é\nstop", ""]


def test_the_same_report_again_changes_nothing(site: Site) -> None:
    reports = [
        install(SourceKind.STAGE, "zlib#1", log=b"all of it\n" * 9, **EVERYTHING),
        *parts_of_one_run(spec("hdf5", "1.12")),
    ]
    for report in reports:
        site.apply(report)
    before = site.dump()
    assert [site.apply(report).changed for report in reports] == [False] * len(reports)
    assert site.dump() == before


def test_what_ms1_a_prefix_and_cdash_saw_is_one_build_with_three_sources(site: Site) -> None:
    build_id = site.build(ZLIB)
    site.phase(build_id, "configure", output=b"checking\n")
    site.status(build_id, "SUCCESS")
    from_prefix = site.apply(prefix(phases=(InstallPhase("configure", "SUCCESS", 3, b"other\n"),)))
    assert (from_prefix.build_id, from_prefix.build_created, from_prefix.attempt_created) == (
        build_id, False, False,
    )  # fmt: skip
    from_cdash = site.apply(cdash(status=SUCCESS, spack_revision="abc"))
    assert (from_cdash.build_id, from_cdash.spec_hash) == (build_id, ZLIB.hash)
    assert site.rows(SOURCES) == [("CDASH",), ("MS1",), ("PREFIX",)]
    assert told_about(site, ZLIB)["phase"] == [(1, "configure", "SUCCESS", 3.0, b"checking\n")]
    assert site.attempts(build_id) == [("SUCCESS", ["configure"])]


def test_what_a_client_of_017_reported_live_and_left_on_disk_is_one_build_each(
    site: Site, clock: Clock
) -> None:
    clock.now = datetime(2026, 11, 22, 8, 44, tzinfo=UTC)
    nodes: dict[str, SpecNode] = {}
    environment, build_ids = HERE, dict[int, int]()
    for exchange in exchanges("0.17-success"):
        if exchange["method"] == "GET":
            continue
        sent = json.loads(exchange["request_body"])
        if "build_id" in sent:
            sent["build_id"] = build_ids[sent["build_id"]]
        report = MS1[exchange["path"].split("/ms1/")[1]](sent)
        receipt = site.apply(report)
        if isinstance(report, BuildReport):
            recorded = json.loads(exchange["response_body"])["data"]["build"]["build_id"]
            build_ids[recorded], environment = receipt.build_id, report.environment
        elif isinstance(report, SpecReport):
            nodes.update(report.graph.nodes)
    built = set(build_ids.values())
    hashes = "SELECT s.hash FROM build b JOIN spec s ON s.id = b.spec_id WHERE b.id = :b"
    for build_id in built:
        ((full_hash,),) = site.rows(hashes, b=build_id)
        seen = nodes[full_hash]
        dag_hash = dict(seen.hashes)["hash"]
        told: dict[str, Any] = {"environment": environment, "status": SUCCESS}
        on_disk = install(SourceKind.PREFIX, dag_hash, graph=None, spec_hash=dag_hash, **told)
        assert site.apply(on_disk).build_id == build_id
        now = clock.now
        there = Environment("site", "", "", environment.target, "")
        uploaded = cdash(seen, environment=there, status=SUCCESS, started_at=now, finished_at=now)
        assert site.apply(uploaded).build_id == build_id
        kinds = site.rows(
            "SELECT c.kind FROM claim c JOIN attempt a ON a.id = c.attempt_id "
            "WHERE a.build_id = :b ORDER BY kind",
            b=build_id,
        )
        assert kinds == [("CDASH",), ("MS1",), ("PREFIX",)]
    assert count(site, "build") == len(built) > 1


_numbers = itertools.count()


@pytest.fixture
def told_in_order(site: Site) -> str:
    """The rows of a run whose reports came in their order."""
    expected = spec("ordered", "1.0")
    for report in parts_of_one_run(expected):
        site.apply(report)
    return _renamed(told_about(site, expected), expected)


def _renamed(rows: dict[str, list[tuple[Any, ...]]], node: SpecNode) -> str:
    return repr(rows).replace(node.hash, "HASH").replace(node.name, "NAME")


@settings(max_examples=25)
@given(order=st.permutations(range(len(parts_of_one_run(ZLIB)))), spec_at=st.integers(0, 9))
def test_the_reports_of_a_run_give_the_same_rows_in_any_order(
    site: Site, told_in_order: str, order: list[int], spec_at: int
) -> None:
    shuffled = spec(f"shuffled-{next(_numbers)}", "1.0")
    parts = parts_of_one_run(shuffled)
    reports: list[Any] = [parts[place] for place in order]
    reports.insert(spec_at, spec_report(shuffled))
    for report in reports:
        site.apply(report)
    told = told_about(site, shuffled)
    assert _renamed(told, shuffled) == told_in_order
    assert len(told["build"]) == len(told["attempt"]) == 1


def test_what_a_source_told_of_its_machine_stays_when_it_tells_less(site: Site) -> None:
    for environment in (HERE, dataclasses.replace(HERE, platform="", kernel_version="")):
        site.apply(live(environment=environment))
    assert site.rows("SELECT e.platform, e.kernel_version FROM build b JOIN build_environment e "
                     "ON e.id = b.environment_id") == [("linux", "#1 SMP")]  # fmt: skip


@pytest.mark.parametrize("order", [(2, 3, 0, 1), (3, 2, 0, 1), (0, 2, 3, 1), (2, 0, 3, 1)], ids=str)
def test_a_failed_stage_lends_a_site_of_cdash_no_machine(site: Site, order: tuple[int, ...]) -> None:
    told = [
        live(status=BuildStatus.RUNNING, started_at=START),
        live(status=FAILED, finished_at=after(90)),
        cdash(status=FAILED, spec_hash=ZLIB.hash),
        install(
            SourceKind.STAGE, "spack-stage-zlib", graph=None, spec_hash=ZLIB.hash, environment=None,
            status=FAILED, finished_at=after(90),
        ),
    ]  # fmt: skip
    for place in order:
        site.apply(told[place])
    assert site.rows("SELECT b.status, e.hostname FROM build b JOIN build_environment e "
                     "ON e.id = b.environment_id") == [("FAILED", HERE.hostname)]  # fmt: skip


def test_a_failure_and_a_success_are_two_attempts_in_the_order_of_their_times(
    site: Site, clock: Clock
) -> None:
    success = site.apply(prefix(started_at=after(1000), finished_at=after(1090)))
    failure = site.apply(
        install(SourceKind.STAGE, "zlib#1", status=FAILED, started_at=START, finished_at=after(90))
    )
    assert failure.build_id == success.build_id
    assert site.attempts(success.build_id) == [("FAILED", []), ("SUCCESS", [])]
    assert site.build_status(success.build_id) == "SUCCESS"
    # What a client of ms1 announced has not begun: it hides nothing that ran.
    clock.now = after(2000)
    site.announce(ZLIB)
    site.apply(build_report(ZLIB.hash))
    assert site.attempts(success.build_id) == [("FAILED", []), ("SUCCESS", []), ("NOTRUN", [])]
    assert site.build_status(success.build_id) == "SUCCESS"


def test_two_runs_of_one_source_that_failed_alike_are_two_attempts(site: Site) -> None:
    for run, begin in (("run-1", START), ("run-2", after(3600))):
        build_id = site.apply(
            live(run=run, status=FAILED, started_at=begin, finished_at=begin + (after(60) - START))
        ).build_id
    assert site.attempts(build_id) == [("FAILED", []), ("FAILED", [])]
    # The stage of the first run is told from the second one by its times.
    site.apply(
        install(SourceKind.STAGE, "s", status=FAILED, started_at=START, finished_at=after(58), log=b"broken")
    )
    assert site.attempts(build_id) == [("FAILED", ["spack-build-out"]), ("FAILED", [])]


def test_a_run_that_begins_after_another_ended_is_another_one(site: Site) -> None:
    build_id = site.build(ZLIB)
    site.status(build_id, "SUCCESS")
    later = after(3600)
    site.apply(live(status=BuildStatus.RUNNING, started_at=later))
    assert site.attempts(build_id) == [("SUCCESS", []), ("RUNNING", [])]
    assert site.build_status(build_id) == "RUNNING"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_second_owners_run_is_another_build_whichever_way_it_comes_in(
    site: Site, order: tuple[int, int]
) -> None:
    first = live(run="one", graph=graph(ZLIB), status=SUCCESS, started_at=START, finished_at=after(60))
    later = {"started_at": after(8 * 86400), "finished_at": after(8 * 86400 + 60)}
    second = live(run="two", graph=graph(ZLIB), status=FAILED, **later)
    reports = [(first, site.ada), (second, site.bob)]
    for place in order:
        site.apply(*reports[place])
    assert site.rows("SELECT owner_id, status FROM build ORDER BY owner_id") == [
        (1, "SUCCESS"),
        (2, "FAILED"),
    ]


def test_each_run_keeps_what_it_was_run_with_and_the_build_shows_the_newest(site: Site) -> None:
    for run, begin, flags in (("2", 86400, "-O2"), ("1", 0, "-march=native")):
        build_id = site.apply(
            live(
                run=run, graph=graph(ZLIB), status=SUCCESS, started_at=after(begin),
                finished_at=after(begin + 60),
                environment_variables={"CFLAGS": flags}, configure_arguments=flags, tags=(f"week{run}",),
                install_files=(InstalledFile(f"/opt/{run}"),), prefix="/opt/zlib",
            )
        ).build_id  # fmt: skip
    facts = """SELECT g.text, v.value, f.path FROM {of}
        JOIN configure_arguments g ON g.id = {of}.configure_arguments_id
        JOIN environment_variable v ON v.environment_set_id = {of}.environment_set_id
        JOIN install_file f ON f.manifest_id = {of}.manifest_id ORDER BY {of}.started_at"""
    newest = ("-O2", "-O2", "/opt/2")
    assert site.rows(facts.format(of="attempt")) == [("-march=native", "-march=native", "/opt/1"), newest]
    assert site.rows(facts.format(of="build")) == [newest]
    tags = """SELECT a.number, t.name FROM attempt a JOIN tag_set_member g ON g.tag_set_id = a.tag_set_id
        JOIN tag t ON t.id = g.tag_id ORDER BY a.number"""
    assert site.rows(tags) == [(1, "week1"), (2, "week2")]
    assert len(site.attempts(build_id)) == 2


def test_a_whole_log_is_kept_unless_the_phases_have_it(site: Site) -> None:
    whole = b"x" * 1000
    build_id = site.apply(prefix(log=whole)).build_id
    site.apply(live(phases=(InstallPhase("configure", "SUCCESS", output=b"y" * 100),)))
    assert site.attempts(build_id) == [("SUCCESS", ["spack-build-out", "configure"])]
    site.apply(live(phases=(InstallPhase("build", "SUCCESS", output=b"z" * 800),)))
    assert site.attempts(build_id) == [("SUCCESS", ["configure", "build"])]
    assert not site.apply(prefix(log=whole)).changed


def test_eight_reporters_of_one_new_run_make_one_build_and_one_attempt(site: Site) -> None:
    for turn in range(6):
        node = spec(f"package-{turn}", "1.0")
        same = [lambda s, n=node: s.apply(prefix(n)) for _ in range(8)]
        receipts = in_parallel(site, same)
        assert sum(receipt.build_created for receipt in receipts) == 1
        assert len({receipt.build_id for receipt in receipts}) == 1
    assert count(site, "build") == count(site, "attempt") == 6


def test_reports_of_many_runs_at_once_end_as_one_after_another_would(site: Site) -> None:
    nodes = [spec(f"package-{number}", "1.0") for number in range(6)]
    in_turn = zip(*map(parts_of_one_run, nodes), strict=True)
    jobs = [lambda s, p=part: s.apply(p) for parts in in_turn for part in parts]
    in_parallel(site, jobs)
    for node in nodes:
        told = told_about(site, node)
        assert len(told["build"]) == len(told["attempt"]) == 1
        assert len({(kind, key) for kind, key, *_ in told["claim"]}) == 3


def test_a_concretization_failure_may_be_told_in_words(site: Site) -> None:
    report = ConcretizationFailureReport(None, None, "1.2.0", "hdf5@99", "no version 99")
    assert [site.apply(report).created for _ in range(2)] == [True, False]
    assert site.apply(dataclasses.replace(report, message="no version 99!")).created
    assert site.apply(dataclasses.replace(report, abstract_spec=None, name="hdf5")).created
    told = site.rows("SELECT abstract_spec, message, document FROM concretization_failure ORDER BY id")
    assert told[0] == ("hdf5@99", "no version 99", None)


def test_a_run_of_an_external_spec_built_nothing_whoever_reports_it(site: Site) -> None:
    of_hash = {"graph": None, "spec_hash": ZLIB.hash, "status": FAILED}
    site.apply(install(SourceKind.STAGE, "before the spec", started_at=START, **of_hash))
    site.apply(spec_report(dataclasses.replace(ZLIB, external='{"path":"/usr"}')))
    site.apply(live(run="after it", started_at=after(9000), status=BuildStatus.SUCCESS))
    assert site.rows("SELECT number, installed_from FROM attempt ORDER BY number") == [
        (1, "EXTERNAL"), (2, "EXTERNAL"),
    ]  # fmt: skip
    assert site.rows("SELECT installed_from FROM build") == [("EXTERNAL",)]
