"""One build, many sources: the same install seen live, by CDash and by an import is one build."""

import dataclasses
import itertools
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spackmon.errors import Refused
from spackmon.formats import ms1
from spackmon.formats.submission import (
    AttributeValue,
    BuildReport,
    ConcretizationFailureReport,
    Environment,
    Event,
    InstalledFile,
    InstallPhase,
    Source,
    SpecReport,
)
from spackmon.graph.spec import SpecNode
from spackmon.status import BuildStatus, EventKind, SourceKind
from tests.ingest.conftest import Clock
from tests.ingest.installs import (
    HERE,
    START,
    ZLIB,
    after,
    cdash,
    install,
    live,
    parts_of_one_run,
    prefix,
    told_about,
)
from tests.ingest.reports import Site, build_report, graph, spec, spec_report
from tests.ingest.test_concurrent_writers import in_parallel
from tests.player import exchanges

EVERYTHING: dict[str, Any] = {
    "status": BuildStatus.FAILED,
    "started_at": START,
    "finished_at": after(90),
    "prefix": "/opt/zlib",
    "spack_version": "1.2.0",
    "spack_revision": "abc",
    "phases": (InstallPhase("configure", "SUCCESS", 3, b"checking\n"), InstallPhase("build", "ERROR", 4.5)),
    "events": (
        Event(EventKind.ERROR, "/tmp/a/main.c:7: error: 'x' undeclared", 12, "main.c", 7, "before", "after"),
        Event(EventKind.WARNING, "unused"),
    ),
    "configure_arguments": "--prefix=/opt/zlib",
    "environment_variables": {"CC": "gcc"},
    "install_files": (InstalledFile("/opt/zlib/lib/libz.so"),),
    "attributes": {"symbols": (AttributeValue("symbol", "/opt/zlib/lib/libz.so", value="inflate"),)},
    "tags": ("nightly",),
}
MS1 = {
    "specs/new/": ms1.read_spec,
    "builds/new/": ms1.read_build,
    "builds/phases/update/": ms1.read_phase,
    "builds/update/": ms1.read_status,
}
SOURCES = "SELECT kind FROM claim ORDER BY kind"
FAILED, SUCCESS = BuildStatus.FAILED, BuildStatus.SUCCESS


def count(site: Site, table: str) -> int:
    """How many rows a table has."""
    number: int = site.rows(f"SELECT count(*) FROM {table}")[0][0]
    return number


def test_everything_that_a_report_tells_is_kept(site: Site) -> None:
    receipt = site.apply(install(SourceKind.PREFIX, "/opt/zlib#1", **EVERYTHING))
    assert (receipt.build_created, receipt.attempt_created, receipt.changed) == (True, True, True)
    assert (receipt.spec_hash, receipt.specs_created) == (ZLIB.hash, 1)
    assert (receipt.phases_created, receipt.events_created) == (2, 2)
    assert site.attempts(receipt.build_id) == [("FAILED", ["configure", "build"])]
    assert site.rows("SELECT prefix, status, duration_seconds, configure_arguments FROM build") == [
        ("/opt/zlib", "FAILED", 90.0, "--prefix=/opt/zlib")
    ]
    assert site.rows("SELECT name, value FROM environment_variable") == [("CC", "gcc")]
    files = "SELECT f.path, value FROM install_file f JOIN attribute a ON a.install_file_id = f.id"
    assert site.rows(files) == [("/opt/zlib/lib/libz.so", "inflate")]
    assert site.rows("SELECT kind, key FROM claim") == [("PREFIX", "/opt/zlib#1")]
    assert site.rows("SELECT fingerprint FROM error_group") == [("main.c:#: error: 'x' undeclared",)]
    assert site.rows("SELECT name FROM tag") == [("nightly",)]
    assert site.rows("SELECT name FROM package p JOIN build b ON b.package_id = p.id") == [("zlib",)]


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


@settings(max_examples=25)
@given(order=st.permutations(range(len(parts_of_one_run(ZLIB)))), spec_at=st.integers(0, 9))
def test_the_reports_of_a_run_give_the_same_rows_in_any_order(
    site: Site, order: list[int], spec_at: int
) -> None:
    number = next(_numbers)
    expected, shuffled = spec(f"ordered-{number}", "1.0"), spec(f"shuffled-{number}", "1.0")
    for report in parts_of_one_run(expected):
        site.apply(report)
    parts = parts_of_one_run(shuffled)
    reports: list[Any] = [parts[place] for place in order]
    reports.insert(spec_at, spec_report(shuffled))
    for report in reports:
        site.apply(report)

    def renamed(rows: dict[str, list[tuple[Any, ...]]], node: Any) -> str:
        return repr(rows).replace(node.hash, "HASH").replace(node.name, "NAME")

    assert renamed(told_about(site, shuffled), shuffled) == renamed(told_about(site, expected), expected)
    assert len(told_about(site, shuffled)["build"]) == len(told_about(site, shuffled)["attempt"]) == 1


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


def test_a_build_in_another_environment_is_another_build(site: Site) -> None:
    site.apply(prefix())
    site.apply(live(environment=dataclasses.replace(HERE, hostname="node-2"), status=SUCCESS))
    assert count(site, "build") == 2


def test_a_poorer_environment_is_completed(site: Site) -> None:
    poor = site.apply(prefix(environment=Environment("", "linux", "", "zen2", "")))
    rich = site.apply(live(status=SUCCESS))
    assert rich.build_id == poor.build_id
    assert [row[1:6] for row in told_about(site, ZLIB)["build"]] == [dataclasses.astuple(HERE)]


def test_two_builds_whose_environments_turn_out_to_be_one_become_one(site: Site) -> None:
    ms1 = site.build(ZLIB)
    site.status(ms1, "FAILED")
    poor = site.apply(install(SourceKind.PREFIX, "p", environment=dataclasses.replace(HERE, hostname="")))
    assert poor.build_id == ms1
    other = dataclasses.replace(HERE, hostname="", kernel_version="#2")
    apart = site.apply(install(SourceKind.STAGE, "s", environment=other, status=FAILED))
    assert apart.build_id != ms1


def test_a_client_of_ms1_goes_on_with_the_build_that_an_import_had_made(site: Site, clock: Clock) -> None:
    imported = site.apply(prefix(environment=None)).build_id
    clock.now = after(1000)
    receipt = site.apply(build_report(ZLIB.hash))
    assert (receipt.build_id, receipt.build_created) == (imported, False)
    site.phase(imported, "configure")
    assert site.attempts(imported) == [("SUCCESS", []), ("RUNNING", ["configure"])]
    assert site.rows(SOURCES) == [("MS1",), ("PREFIX",)]
    assert site.apply(build_report(ZLIB.hash)).build_id == imported


def test_a_build_of_an_unknown_spec_is_linked_when_the_spec_comes(site: Site) -> None:
    root = spec("hdf5", "1.12", ZLIB)
    waiting = site.apply(cdash(root, spec_hash=root.hash, status=FAILED, package_name=None))
    assert waiting.spec_hash is None
    with pytest.raises(Refused, match="the spec of build"):
        site.phase(waiting.build_id, "install")
    site.apply(spec_report(root, ZLIB))
    assert told_about(site, root)["build"][0][0] == root.hash
    assert site.rows("SELECT count(*) FROM build_package_version") == [(1,)]
    assert site.apply(cdash(root, spec_hash=root.hash, status=FAILED)).build_id == waiting.build_id


def test_linked_to_a_spec_that_has_a_build_two_become_one_and_both_numbers_stay_good(site: Site) -> None:
    old = install(
        SourceKind.CDASH,
        "c",
        graph=None,
        spec_hash="h" * 32,
        environment=HERE,
        **EVERYTHING | {"spack_version": "0.19.0.dev0"},
    )  # as a report that names a hash of which nobody heard
    waiting = site.apply(old).build_id
    shown = (("hash", ZLIB.hash), ("build_hash", "h" * 32))
    build_id = site.build(ZLIB)
    site.phase(build_id, "install", output=b"installing\n")
    assert waiting != build_id
    site.apply(spec_report(dataclasses.replace(ZLIB, hashes=shown, document='{"again":1}')))
    assert site.rows("SELECT id, build_id FROM merged_build") == [(build_id, waiting)]
    assert site.attempts(waiting) == [("FAILED", ["configure", "build", "install"])]
    assert count(site, "build_event") == 2
    files = """SELECT n.build_id, f.path, value FROM install_file f
        JOIN attribute a ON a.install_file_id = f.id
        JOIN attempt n ON n.id = a.attempt_id"""
    assert site.rows(files) == [(waiting, "/opt/zlib/lib/libz.so", "inflate")]
    assert site.rows(SOURCES) == [("CDASH",), ("MS1",)]
    site.analysis(build_id, environment_variables={"CXX": "g++"})
    variables = """SELECT a.build_id, v.name FROM attempt a
        JOIN environment_variable v ON v.environment_set_id = a.environment_set_id"""
    assert site.rows(variables) == [(waiting, "CXX")]
    assert site.apply(old).changed is False


def test_of_two_builds_that_a_report_without_spec_may_be_about_it_is_neither(site: Site) -> None:
    other = spec("zlib", "1.3")
    site.apply(live(ZLIB, graph=graph(ZLIB), status=SUCCESS, started_at=START, finished_at=after(90)))
    site.apply(live(other, graph=graph(other), status=SUCCESS, started_at=START, finished_at=after(90)))
    assert site.apply(cdash(status=SUCCESS)).spec_hash is None
    assert count(site, "build") == 3


def test_a_report_without_spec_from_another_time_is_another_build(site: Site) -> None:
    site.apply(prefix())
    site.apply(cdash(status=SUCCESS, started_at=after(7200), finished_at=after(7290)))
    assert count(site, "build") == 2


def test_a_file_of_017_lacks_the_full_hash_and_yet_is_the_build_that_ms1_saw(site: Site) -> None:
    shown = (("hash", "d" * 32), ("full_hash", "f" * 32))
    seen = spec("zlib", "1.2.11", hash="f" * 32, hash_kind="full_hash", hashes=shown)
    on_disk = dataclasses.replace(seen, hash="d" * 32, hash_kind="hash", hashes=shown[:1], document="{}")
    build_id = site.build(seen)
    assert site.apply(prefix(on_disk)).build_id == build_id


def test_what_an_operator_imports_may_be_of_anybody(site: Site) -> None:
    bobs = site.apply(live(status=SUCCESS, graph=graph(ZLIB), started_at=START), site.bob).build_id
    assert site.apply(prefix()).build_id != bobs
    elsewhere = dataclasses.replace(prefix(prefix=None), source=Source(SourceKind.PREFIX, "elsewhere"))
    assert site.apply(elsewhere, across_owners=True).build_id == bobs
    assert not site.apply(elsewhere, across_owners=True).changed
    # Its owner may report only afterwards: then it is theirs.
    hdf5 = spec("hdf5", "1.12")
    imported = site.apply(prefix(hdf5), across_owners=True)
    seen = live(hdf5, graph=graph(hdf5), status=SUCCESS, started_at=START, finished_at=after(90))
    receipt = site.apply(seen, site.bob)
    assert (receipt.build_id, receipt.attempt_created) == (imported.build_id, False)
    assert site.rows("SELECT owner_id FROM build WHERE id = :b", b=receipt.build_id) == [(site.bob,)]


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
    facts = """SELECT {of}.configure_arguments, v.value, f.path FROM {of}
        JOIN environment_variable v ON v.environment_set_id = {of}.environment_set_id
        JOIN install_file f ON f.manifest_id = {of}.manifest_id ORDER BY {of}.started_at"""
    newest = ("-O2", "-O2", "/opt/2")
    assert site.rows(facts.format(of="attempt")) == [("-march=native", "-march=native", "/opt/1"), newest]
    assert site.rows(facts.format(of="build")) == [newest]
    tags = """SELECT a.number, t.name FROM attempt a JOIN attempt_tag g ON g.attempt_id = a.id
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
