"""What CDash documents of Spack say, and what they do not."""

from datetime import UTC, datetime, timedelta
from html import escape

import pytest

from spackmon.errors import Refused
from spackmon.formats.detect import read_document
from spackmon.formats.reports.cdash import Address, read_cdash
from spackmon.status import BuildStatus, EventKind, InstalledFrom
from spackmon.submission import ConcretizationFailureReport, Event, InstallPhase, InstallReport
from tests.formats.cdash import AT, read
from tests.uploads import SPACK, document, recorded

HASH, OTHER_HASH = "jijskg7ltq6v6kahrpz5775tdjg6vmud", "xud3wf2j464fnjawaah6qea5suvi4u26"


def configure(log: str, status: str = "0", build: str = "nightly") -> InstallReport:
    part = f"<Configure><Log>{escape(log)}</Log><ConfigureStatus>{status}</ConfigureStatus></Configure>"
    return read(part, build)


def build_with(event: str, generator: str = SPACK) -> Event:
    part = f"<Build><Error><BuildLogLine>3</BuildLogLine>{event}</Error></Build>"
    return read(part, generator=generator).events[0]


def test_a_failed_build_is_told_by_three_documents_each_with_what_it_knows() -> None:
    build, update, configure = (read_cdash(body, AT) for _, body in recorded("fail"))
    assert isinstance(build, InstallReport)
    assert isinstance(update, InstallReport)
    assert isinstance(configure, InstallReport)
    assert {report.source.key for report in (build, update, configure)} == {
        "site-01/20261122-0851-Nightly/demo-nightly"
    }
    assert (build.status, update.status, configure.status) == (BuildStatus.FAILED, None, None)
    # `topbroken` was asked for, and `brokenlib` below it was what failed.
    assert (build.package_name, update.package_name, configure.package_name) == (None, None, "brokenlib")
    assert build.phases == (InstallPhase("build", "ERROR"),)
    assert configure.phases[0].output == b"configure output for brokenlib:"
    assert build.spack_version == "0.23.0.dev0"
    assert build.spack_revision == update.spack_revision == "eedc41405b594c60c0db0bbc0d255000c001486c"
    assert build.started_at == datetime(2026, 11, 22, 8, 51, 53, tzinfo=UTC)
    assert build.finished_at == datetime(2026, 11, 22, 8, 51, 55, tzinfo=UTC)
    assert build.environment is not None
    assert (build.environment.hostname, build.environment.platform) == ("site-01", "linux")
    assert (build.environment.target, build.environment.kernel_version) == ("x86_64_v4", "6.18.44-fc-v657")
    assert [event.kind for event in build.events] == [EventKind.WARNING] * 6 + [EventKind.ERROR] * 2
    error = build.events[6]
    assert error.text == "bad.c:1:10: fatal error: nonexistent_header_for_demo.h: No such file or directory"
    assert (error.log_line, error.source_file, error.source_line) == (29, "bad.c", 1)
    assert "#include <nonexistent_header_for_demo.h>" in (error.post_context or "")


def test_the_package_comes_from_the_build_name_and_the_hash_from_paths() -> None:
    told: dict[str | None, set[str | None]] = {}
    for _, body in recorded("success"):
        report = read_cdash(body, AT)
        assert isinstance(report, InstallReport)
        told.setdefault(report.package_name, set()).add(report.spec_hash)
    assert {name: hashes - {None} for name, hashes in told.items()} == {
        "gcc-runtime": set(), "libzeta": set(), "zprovider": set(), "zapp": set(), "zbundle": set(),
        "cmakedemo": {HASH}, "autodemo": {OTHER_HASH},
    }  # fmt: skip


def test_what_could_not_be_concretized_is_no_build() -> None:
    ((_, body),) = recorded("failconc")
    failure = read_cdash(body, AT)
    assert isinstance(failure, ConcretizationFailureReport)
    assert (failure.name, failure.abstract_spec) == ("impossible", "impossible")
    assert (failure.message or "").startswith(
        "failed to concretize `impossible` for the following reasons:\n"
    )


def test_a_build_named_by_a_long_command_has_a_short_key_of_its_own() -> None:
    command = "spack install " + " ".join(f"package-{number}" for number in range(100))
    keys = {read("<Build/>", f"{command} - {name}").source.key for name in ("zlib", "bzip2", "zlib")}
    assert len(keys) == 2
    assert all(len(key) <= 500 and key.startswith("node1/20260101-0100-Nightly/spack inst") for key in keys)
    assert read("<Build/>", f"{command} - zlib").package_name == "zlib"


@pytest.mark.parametrize(
    ("build", "command", "errors", "name", "spec_hash"),
    [
        ("nightly - py-foo", "x", "", "py-foo", None),
        ("nightly", "hdf5@1.12 +mpi ^zlib", "", "hdf5", None),
        ("nightly", "hdf5 zlib", "", None, None),
        ("nightly", "hdf5", "<Error><Text>no</Text></Error>", None, None),
        (f"zlib-{HASH}", "", "", "zlib", HASH),
        (f"zlib@1.3%gcc@12 hash={HASH} arch=linux-debian12-zen2 (small)", "/abc", "", "zlib", HASH),
        ("zlib@1.3%gcc@12 arch=linux-debian12-zen2 (small)", "", "", "zlib", None),
        ("nightly", "z" * 201, "", None, None),
        (f"nightly - {'z' * 201}", "", "", None, None),
        ("", "", "", None, None),
    ],
)
def test_names_stand_where_spack_happens_to_write_them(
    build: str, command: str, errors: str, name: str | None, spec_hash: str | None
) -> None:
    report = read(f"<Build><BuildCommand>{command}</BuildCommand>{errors}</Build>", build)
    assert (report.package_name, report.spec_hash) == (name, spec_hash)


@pytest.mark.parametrize(
    ("log", "name", "spec_hash"),
    [
        (f"configure output for foo:\n/opt/foo-1.0-{HASH}/lib", "foo", HASH),
        (f"configure output for foo:\n/opt/foo-bar-1.0-{HASH}/lib", "foo", None),
        (f"configure output for foo:\n/opt/py-foo-1.0-{HASH}/lib", "foo", None),
        (f"configure output for foo:\n/opt/foo-develop-{HASH}/lib", "foo", HASH),
        (f"configure output for foo:\n/opt/foo-1.0-{HASH}a/lib", "foo", None),
        (f"configure output for foo:\n/opt/foo-1-{HASH}/ /opt/foo-1-{OTHER_HASH}/", "foo", None),
        (
            f"configure output for gcc:\n/stage/spack-stage-gcc-13-{HASH}/src /opt/gcc-12-{OTHER_HASH}/bin",
            "gcc",
            HASH,
        ),
        (f"configure output for foo:\nconfigure output for bar:\n/opt/foo-1.0-{HASH}", None, None),
        (f"/opt/foo-1.0-{HASH}", None, None),
    ],
)
def test_only_the_packages_own_hash_counts_and_only_if_there_is_one(
    log: str, name: str | None, spec_hash: str | None
) -> None:
    report = configure(log)
    assert (report.package_name, report.spec_hash) == (name, spec_hash)


def test_the_log_names_the_package_more_surely_than_the_build() -> None:
    assert configure("configure output for foo:", build="my build - nightly").package_name == "foo"


def test_text_that_spack_escaped_twice_is_unescaped_twice_and_other_clients_is_not() -> None:
    twice = "<Text>n &amp;lt; u &amp;amp;&amp;amp; &amp;amp;lt;</Text>"
    assert build_with(twice).text == "n < u && &lt;"
    assert build_with(twice, "ctest-3.25").text == "n &lt; u &amp;&amp; &amp;lt;"
    once = "<Text>write &amp;lt; for &lt;</Text>"
    assert build_with(once).text == build_with(once, "ctest-3.25").text == "write &lt; for <"


def test_bytes_that_xml_forbids_stay_in_logs() -> None:
    log = b"\x1b[31mred\x1b[0m caf\xe9 \x00 \xef\xbf\xbe \xf0\x9f\x8d\x87"
    body = document("<Configure><Log>@</Log></Configure>").replace(b"@", log)
    report = read_cdash(body, AT)
    assert isinstance(report, InstallReport)
    assert report.phases[0].output == log
    body = document("<Build><Error><Text>@</Text></Error></Build>").replace(b"@", log)
    report = read_cdash(body, AT)
    assert isinstance(report, InstallReport)
    assert report.events[0].text == "\x1b[31mred\x1b[0m caf� � \ufffe 🍇"


def test_what_spacks_templates_do_not_escape_is_read() -> None:
    report = read(
        '<Testing><Test Status="passed"><Name>a_&&_b</Name>'
        "<FullCommandLine>'a' '<b>' && c</FullCommandLine><Results/></Test></Testing>",
        'hdf5 cflags="-O2 -DX=<y>"',
    )
    assert report.source.key == 'node1/20260101-0100-Nightly/hdf5 cflags="-O2 -DX=<y>"'
    assert report.phases[0].output == b"==> a_&&_b: passed\n"


def test_a_stray_character_of_the_template_is_passed_over() -> None:
    body = document("<Build/>").replace(b">  <Build/>", b">\n>  <Build/>")
    report = read_cdash(body, AT)
    assert isinstance(report, InstallReport)
    assert report.status is BuildStatus.SUCCESS


def test_a_failure_before_any_phase_is_told_in_the_log_of_configure() -> None:
    log = "Pre-configure errors occured in Spack's process that terminated the build process prematurely.\n"
    report = configure(f"{log}Spack output::\nFetchError: all fetchers failed\nmore")
    assert report.status is BuildStatus.FAILED
    assert report.events == (Event(EventKind.ERROR, "FetchError: all fetchers failed"),)
    assert configure("configure output for foo:\nno", status="1").status is BuildStatus.FAILED


def test_a_test_run_is_a_phase_and_leaves_the_install_as_it_was() -> None:
    test = (
        '<Test Status="{}"><Name>{}</Name><FullCommandLine>x</FullCommandLine><Results>'
        '<NamedMeasurement type="numeric/double" name="Execution Time"><Value>1.5</Value></NamedMeasurement>'
        "<Measurement><Value>PASSED &lt;1&gt;</Value></Measurement></Results></Test>"
    )
    report = read(
        f"<Testing>{test.format('passed', 'a')}{test.format('failed', 'b')}</Testing>", f"zlib-{HASH}"
    )
    assert (report.status, report.package_name, report.spec_hash) == (None, "zlib", HASH)
    output = b"==> a: passed\nPASSED <1>\n==> b: failed\nPASSED <1>\n"
    assert report.phases == (InstallPhase("test", "ERROR", 3.0, output),)
    skipped = read('<Testing><Test Status="notrun"><Name>zlib</Name></Test></Testing>')
    assert (skipped.status, skipped.phases[0].status) == (None, "NOTRUN")
    old = read("<Test><Error><TestLogLine>7</TestLogLine><Text>no</Text></Error></Test>", "tests - zlib")
    assert (old.status, old.package_name, old.events[0].log_line) == (None, "zlib", 7)


def test_the_document_counts_and_its_address_completes_it() -> None:
    at = Address("demo", "elsewhere", "stamp", "other")
    report = read_cdash(document("<Build/>"), at)
    assert isinstance(report, InstallReport)
    assert report.source.key == "node1/20260101-0100-Nightly/nightly"
    report = read_cdash(b"<Site><Build/></Site>", at)
    assert isinstance(report, InstallReport)
    assert report.source.key == "elsewhere/stamp/other"
    with pytest.raises(Refused, match="build must not contain a NUL"):
        read_cdash(b"<Site><Build/></Site>", Address("demo", "elsewhere", "stamp", "a\0"))


LAUNCHED = (
    '<Failure type="{kind}"><Action><SourceFile>a.cxx</SourceFile></Action>'
    "<Command><Argument>g++</Argument><Argument>-c</Argument></Command>"
    "<Result><StdOut></StdOut><StdErr>{printed}</StdErr><ExitCondition>1</ExitCondition></Result></Failure>"
)


@pytest.mark.parametrize(
    ("parts", "status", "events"),
    [
        (
            LAUNCHED.format(kind="Error", printed="a.cxx:1:1: error: no type"),
            BuildStatus.FAILED,
            [(EventKind.ERROR, "a.cxx:1:1: error: no type", "a.cxx", "g++ -c")],
        ),
        (
            LAUNCHED.format(kind="Error", printed=""),
            BuildStatus.FAILED,
            [(EventKind.ERROR, "g++ -c ended with 1", "a.cxx", "g++ -c")],
        ),
        (
            LAUNCHED.format(kind="Warning", printed="unused"),
            BuildStatus.SUCCESS,
            [(EventKind.WARNING, "unused", "a.cxx", "g++ -c")],
        ),
        ("<Log/><ElapsedMinutes>0</ElapsedMinutes>", BuildStatus.SUCCESS, []),
        # What is not understood may be a failure.
        ("<Defect>it broke</Defect>", None, []),
    ],
)
def test_what_launchers_of_ctest_report_is_no_success(
    parts: str, status: BuildStatus | None, events: list[tuple[EventKind, str, str, str]]
) -> None:
    report = read(f"<Build>{parts}</Build>", generator="ctest-3.14.5")
    assert report.status == status
    assert [(e.kind, e.text, e.source_file, e.pre_context) for e in report.events] == events
    assert bool(report.phases) == (status is not None)


@pytest.mark.parametrize(
    "body",
    [
        "<Site Name='a' BuildStamp='b'><Notes/></Site>",
        "<Site Name='a' BuildStamp='b'><Coverage/></Site>",
        "<Site Name='a' BuildStamp='b'><CoverageLog/></Site>",
        "<Site Name='a' BuildStamp='b'><Upload/></Site>",
        "<Done><buildId>1</buildId><time>1795337513</time></Done>",
    ],
)  # fmt: skip
def test_other_documents_of_ctest_are_about_no_build(body: str) -> None:
    assert read_cdash(body.encode()) is None
    assert list(read_document("Notes.xml", body.encode(), None)) == []


def test_the_times_of_a_command_are_not_those_of_a_package() -> None:
    build = read_cdash(recorded("fail")[0][1], AT)
    assert isinstance(build, InstallReport)
    assert build.times_enclose_run
    assert build.ran_not_before == build.started_at
    assert build.finished_at is not None
    assert build.ran_not_after == build.finished_at + timedelta(hours=1)
    assert build.installed_from == InstalledFrom.SOURCE
