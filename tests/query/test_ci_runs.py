"""CI runs: what was part of them, whatever each job says and in whichever order; what a build will need."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

from spackmon.graph.spec import SpecNode
from spackmon.status import BuildStatus, CiProvider, SourceKind
from spackmon.submission import CiJob, Environment, InstallPhase, InstallReport, Source
from tests.ingest.reports import spec, spec_report
from tests.query.conftest import AskedSite

HERE = Environment("node-1", "linux", "debian12", "zen2", "")
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
ZLIB = spec("zlib", "1.3")
HDF5 = spec("hdf5", "1.14", ZLIB)
NETCDF = spec("netcdf", "4.9", HDF5, ZLIB)
HTOP = spec("htop", "3.3")
STACK = """{ ciRuns(where: {stack: {eq: "e4s"}}) { nodes {
  pipelineId url ref commit jobs { totalCount } builds { totalCount }
  roots(where: {status: {in: [FAILED, CANCELLED]}}) { nodes {
    build { spec { name } } rootFailure { build { spec { name } ciRun { pipelineId } } ciJob { name } }
  } }
} } }"""
COMPARED = """{ compareRuns(
  base: {ciRun: {pipelineId: {eq: "7"}}}, head: {ciRun: {pipelineId: {eq: "8"}}}
) { newlyFailing { nodes { build { spec { name } } } } } }"""
EXPECTED = """query ($spec: String!, $runs: Int!) { expectedResources(spec: $spec, minimumRuns: $runs) {
  durationSeconds { nearness runCount p50 maximum }
  cpuSeconds { nearness runCount p95 } peakMemoryBytes { nearness maximum }
} }"""


def _ran(
    node: SpecNode, status: BuildStatus, pipeline: int, job: str, *, day: int = 0, **more: object
) -> InstallReport:
    began = BEGIN + timedelta(days=day)
    failed = status is BuildStatus.FAILED
    return InstallReport(
        Source(SourceKind.EXTENSION, f"{pipeline}/{job}/{node.hash}"),
        spec_hash=node.hash,
        environment=HERE,
        status=status,
        started_at=began,
        finished_at=began + timedelta(seconds=60),
        phases=(InstallPhase("build", "ERROR"),) if failed else (),
        ci_job=CiJob(
            CiProvider.GITLAB, "https://gitlab/site", str(pipeline), "e4s", job_id=job, job_name=f"job {job}",
            **more,  # type: ignore[arg-type]
        ),
    )  # fmt: skip


def test_a_stack_says_which_roots_fail_and_the_package_below_that_broke_them(site: AskedSite) -> None:
    for graph in ([NETCDF, HDF5, ZLIB], [HTOP]):
        site.apply(spec_report(*graph))
    for node in (ZLIB, HDF5, NETCDF, HTOP):
        site.apply(_ran(node, BuildStatus.SUCCESS, 7, "1"))
    site.apply(_ran(ZLIB, BuildStatus.SUCCESS, 8, "1", day=1))
    site.apply(_ran(HTOP, BuildStatus.FAILED, 8, "3", day=1))
    site.apply(_ran(HDF5, BuildStatus.FAILED, 8, "2", day=1, ref="main", pipeline_url="https://gitlab/8"))
    site.apply(_ran(NETCDF, BuildStatus.CANCELLED, 8, "2", day=1, commit="abc"))
    # The job was tried again.
    site.apply(_ran(HTOP, BuildStatus.SUCCESS, 8, "4", day=2))
    last, before = site.ask(STACK)["ciRuns"]["nodes"]
    broke = {"build": {"spec": {"name": "hdf5"}, "ciRun": {"pipelineId": "8"}}, "ciJob": {"name": "job 2"}}
    assert {**last, "builds": last["builds"]["totalCount"], "jobs": last["jobs"]["totalCount"]} == {
        "pipelineId": "8", "url": "https://gitlab/8", "ref": "main", "commit": "abc", "jobs": 4, "builds": 4,
        "roots": {"nodes": [{"build": {"spec": {"name": "netcdf"}}, "rootFailure": broke}]},
    }  # fmt: skip
    assert before["roots"]["nodes"] == []
    newly = site.ask(COMPARED)["compareRuns"]["newlyFailing"]["nodes"]
    assert newly == [{"build": {"spec": {"name": "hdf5"}}}]


def test_jobs_complete_what_is_known_of_their_run_in_any_order(site: AskedSite) -> None:
    site.apply(spec_report(ZLIB))
    saying: list[dict[str, object]] = [{"ref": "main"}, {"ref": "next", "commit": "abc"}, {"ref": "m"}]
    for pipeline, order in enumerate(permutations(saying)):
        for number, more in enumerate(order):
            site.apply(
                _ran(ZLIB, BuildStatus.SUCCESS, pipeline, str(number), day=9 * pipeline + number, **more)
            )
    nodes = site.ask("{ ciRuns { nodes { ref commit jobs { totalCount } } } }")["ciRuns"]["nodes"]
    assert nodes == 6 * [{"ref": "next", "commit": "abc", "jobs": {"totalCount": 3}}]


def _needed(node: SpecNode, number: int, seconds: float | None, cpu: float | None, peak: int | None,
            status: BuildStatus = BuildStatus.SUCCESS) -> InstallReport:  # fmt: skip
    began = BEGIN + timedelta(hours=number)
    return InstallReport(
        Source(SourceKind.EXTENSION, f"{number}"), spec_hash=node.hash, environment=HERE, status=status,
        started_at=began, finished_at=began + timedelta(seconds=seconds or 60), duration_seconds=seconds,
        phases=(InstallPhase("build", "SUCCESS", seconds, None, cpu, peak),),
    )  # fmt: skip


def test_what_a_build_will_need_is_said_by_the_nearest_runs_that_know_it(site: AskedSite) -> None:
    other_target = spec("zlib", "1.3", target="zen3")
    older = spec("zlib", "1.2")
    for node in (ZLIB, other_target, older):
        site.apply(spec_report(node))
    site.apply(_needed(ZLIB, 1, 100.0, None, None))
    site.apply(_needed(ZLIB, 2, 900.0, 1.0, 1, BuildStatus.FAILED))
    site.apply(_needed(other_target, 3, 300.0, 40.0, None))
    site.apply(_needed(older, 4, 500.0, 90.0, 2**33))

    def expected(text: str, runs: int = 1) -> list[list[object] | None]:
        answer = site.ask(EXPECTED, spec=text, runs=runs)["expectedResources"]
        return [None if one is None else list(one.values()) for one in answer.values()]

    near = [["SPEC", 1, 100.0, 100.0], ["VERSION", 1, 40.0], ["PACKAGE", 2**33]]
    assert expected(f"/{ZLIB.hash}") == expected("zlib@=1.3 target=x86_64_v3") == near
    assert expected(f"/{ZLIB.hash}", runs=2)[0] == ["VERSION", 2, 100.0, 300.0]
    assert expected("zlib@=1.3 target=x86_64_v3", runs=9)[0] == ["PACKAGE", 3, 300.0, 500.0]
    # Nobody built it, nor anything for its target.
    assert expected("zlib@=1.3 target=zen4 +shared")[0] == ["VERSION", 2, 100.0, 300.0]
    assert expected("hdf5") == [None, None, None]
    for text, runs, code in (
        ("%gcc", 1, "ARGUMENT_INVALID"), ("zlib", 0, "ARGUMENT_INVALID"), ("zlib@@", 1, "SPEC_SYNTAX"),
    ):  # fmt: skip
        assert site.error(EXPECTED, spec=text, runs=runs)["extensions"]["code"] == code
