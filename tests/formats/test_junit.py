"""What JUnit reports of Spack say."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from spackmon.errors import Refused
from spackmon.formats.reports.junit import read_junit
from spackmon.status import BuildStatus, EventKind
from spackmon.submission import Event

RECORDED = gzip.decompress((Path(__file__).parents[1] / "data" / "junit" / "1.2.xml.gz").read_bytes())
HASH = "sidzregfkcp4vzdlz5tihhd2tuxvgdc7"


def of_cases(*cases: str) -> bytes:
    frame = (
        '<testsuites>\n<testsuite name="top" timestamp="2026-11-22T09:20:15">\n{}\n</testsuite></testsuites>'
    )
    return frame.format("\n".join(cases)).encode()


def case(inside: str, name: str = HASH, seconds: str = "1.5") -> str:
    return f'<testcase classname="zlib"\n name="{name}"\n time="{seconds}">\n{inside}\n</testcase>'


def test_a_real_report_tells_what_was_installed_and_not_what_was_skipped() -> None:
    reports = list(read_junit(RECORDED))
    assert [report.package_name for report in reports] == [
        "compiler-wrapper", "gcc-runtime", "libgreet", "demo-base", "demo-right", "demo-left", "demo-top",
        "libgreet", "greet-cli", "greet-cli",
    ]  # fmt: skip
    assert {report.status for report in reports} == {BuildStatus.SUCCESS}
    libgreet = reports[2]
    assert libgreet.spec_hash == "xj63m6lwsborawqxekke3hb5oqagtdf7"
    assert libgreet.source.key == f"Sun, 22 Nov 2026 09:20:15/demo-top/{libgreet.spec_hash}"
    assert libgreet.started_at == datetime(2026, 11, 22, 9, 20, 15, tzinfo=UTC)
    assert libgreet.duration_seconds == pytest.approx(0.5244, abs=1e-4)
    assert libgreet.environment is not None
    assert libgreet.environment.operating_system == "debian12"
    assert [(phase.name, phase.status) for phase in libgreet.phases] == [
        ("edit", "SUCCESS"), ("build", "SUCCESS"), ("install", "SUCCESS"),
    ]  # fmt: skip
    install = libgreet.phases[2].output or b""
    assert install.startswith(b"==> libgreet: Executing phase: 'install'\n")
    assert install.endswith(b"/include/\n")
    assert libgreet.log is None


def test_a_failure_is_an_event_and_its_log_the_output() -> None:
    failure = '<failure message="ProcessError: "cc" < 2">\ntraceback\n            </failure>'
    (report,) = read_junit(of_cases(case(f"{failure}\n<system-out>\n1 &lt; 2\n\n            </system-out>")))
    assert (report.status, report.log) == (BuildStatus.FAILED, b"1 < 2\n")
    assert report.events == (Event(EventKind.ERROR, 'ProcessError: "cc" < 2'),)
    assert report.phases == ()
    phases = "==&gt; zlib: Executing phase: 'edit'\n==&gt; zlib: Executing phase: 'build'\nno\n"
    (report,) = read_junit(of_cases(case(f"{failure}\n<system-out>\n{phases}</system-out>")))
    assert [(phase.name, phase.status) for phase in report.phases] == [
        ("edit", "SUCCESS"),
        ("build", "ERROR"),
    ]
    (report,) = read_junit(of_cases(case('<error message="no"> why </error>', seconds="None")))
    assert (report.status, report.log, report.duration_seconds) == (BuildStatus.FAILED, b" why ", None)


def test_a_test_run_is_a_phase_and_leaves_the_install_as_it_was() -> None:
    out = '<failure message="1 failed"/><system-out>\n==&gt; Testing package zlib-1.3-sidzreg\n</system-out>'
    (report,) = read_junit(of_cases(case(out)))
    assert (report.status, report.log) == (None, None)
    assert [(phase.name, phase.status) for phase in report.phases] == [("test", "ERROR")]


def test_what_no_index_could_hold_is_cut_or_named() -> None:
    long = of_cases(case("")).replace(b'"top"', b'"%s"' % (b"+a" * 500))
    (report,) = read_junit(long)
    assert len(report.source.key) <= 500
    with pytest.raises(Refused, match="a test case has the name"):
        next(read_junit(of_cases(case("").replace("zlib", "z" * 201))))


def test_cases_of_others_are_named_after_all_of_spacks_were_read() -> None:
    reports = read_junit(of_cases(case("", "test_adds"), case("")))
    assert next(reports).spec_hash == HASH
    with pytest.raises(Refused, match="'test_adds'"):
        next(reports)
    with pytest.raises(Refused, match="'html'"):
        next(read_junit(b"<html/>"))
