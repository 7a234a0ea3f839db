"""What `spack install --log-format=junit` writes: a test case for each package of a command.

A case has the package as class and the DAG hash as name. Those that Spack skipped were installed before,
come from outside, or depend on what failed: which, is not said. Source: Spack's template
`reports/junit.xml`, 0.12 to 1.2.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree.ElementTree import Element

from spackmon.errors import Code, Refused
from spackmon.formats.build_logs import divided
from spackmon.formats.bytes.fields import FieldUnfit, named_fields, short_key, short_text
from spackmon.formats.bytes.report_values import moment
from spackmon.formats.bytes.xml_text import original_bytes, plain, read_xml
from spackmon.formats.moments import BESIDE_PACKAGES_SECONDS, UNKNOWN_ZONE_SECONDS, end_of_command
from spackmon.logs.phases import first_time, last_time
from spackmon.status import BuildStatus, EventKind, InstalledFrom, SourceKind
from spackmon.submission import Environment, Event, InstallPhase, InstallReport, Source

_HASH = re.compile("[a-z2-7]{32}")
_PACKAGE = re.compile("[A-Za-z0-9_.-]{1,200}")
_SPACKS_MOMENT = "%a, %d %b %Y %H:%M:%S"
# The template's own line breaks and indentation around a log.
_TEMPLATE_END = re.compile(rb"\n {12}\Z")
_OF_TEST_RUN = re.compile(rb"\s*(?:==> (?:\[[^\]\n]*\] )?)?Testing package ")
_FAILED_CASE = ("failure", "error")
_LONGEST_COMMAND_SECONDS = 7 * 86400
# What Spack's template does not escape.
_TEXT_ATTRIBUTES = "name|message|value"


@dataclass(frozen=True, slots=True)
class _Suite:
    """One of the specs that were to be installed."""

    name: str
    timestamp: str
    started_at: datetime | None
    finished_at: datetime | None
    environment: Environment


def read_junit(body: bytes | bytearray) -> Iterator[InstallReport]:
    """What each test case reports that Spack did not skip.

    A moment without a time zone means UTC. Raises Refused JUNIT_UNKNOWN, after all others, for the first
    case that is none of Spack's.
    """
    root = read_xml(body, "system-err", _TEXT_ATTRIBUTES)
    if root.tag not in ("testsuites", "testsuite"):
        raise _unknown(f"the outermost element is {root.tag[:100]!r}")
    foreign = None
    # Spack begins all the suites of a command together, and a suite's packages may be built after another's.
    packages_seconds = sum(_seconds(suite.get("time", "")) or 0.0 for suite in root.iter("testsuite"))
    for element in root.iter("testsuite"):
        with named_fields():
            suite = _suite(element, packages_seconds)
        for case in element.findall("testcase"):
            if not (_HASH.fullmatch(case.get("name", "")) and _PACKAGE.fullmatch(case.get("classname", ""))):
                foreign = foreign or f"a test case has the name {plain(case.get('name'))[:100]!r}"
            elif case.find("skipped") is None:
                yield _report(case, suite)
    if foreign is not None:
        raise _unknown(foreign)


def _suite(element: Element, packages_seconds: float) -> _Suite:
    properties = {p.get("name"): plain(p.get("value")) for p in element.iterfind("properties/property")}
    # linux-debian12-zen2: no part but the last has a dash.
    architecture = short_text(properties.get("architecture", ""), "architecture")
    platform, _, rest = architecture.partition("-")
    operating_system, _, target = rest.partition("-")
    timestamp = plain(element.get("timestamp"))
    started_at = _moment(timestamp)
    return _Suite(
        name=plain(element.get("name")),
        timestamp=timestamp,
        started_at=started_at,
        finished_at=end_of_command(started_at, packages_seconds),
        environment=Environment("", platform, operating_system, target, ""),
    )


def _report(case: Element, suite: _Suite) -> InstallReport:
    spec_hash = case.get("name", "")
    failure = next((element for tag in _FAILED_CASE if (element := case.find(tag)) is not None), None)
    log = _log(case.find("system-out")) or _log(failure)
    seconds = _seconds(case.get("time", ""))
    message = "" if failure is None else plain(failure.get("message")).strip()
    # A test run that failed leaves the install as it was.
    installed_from = None
    is_test = log is not None and _OF_TEST_RUN.match(log) is not None
    if is_test:
        phases, log = _phases({"test": log or b""}, failure is not None), None
    elif failure is None and _is_of_another_run(log or b"", seconds, suite.started_at):
        # Of a binary from a cache, Spack shows the log that came with it.
        installed_from, phases, log = InstalledFrom.BUILD_CACHE, (), None
    else:
        logs = divided(log or b"")
        phases, log = _phases(logs.by_phase, failure is not None), logs.whole
    encloses = suite.started_at is not None and not is_test
    return InstallReport(
        source=Source(SourceKind.JUNIT, short_key(f"{suite.timestamp}/{suite.name}/{spec_hash}")),
        spec_hash=spec_hash,
        package_name=case.get("classname"),
        environment=suite.environment,
        status=None if is_test else BuildStatus.SUCCESS if failure is None else BuildStatus.FAILED,
        started_at=None if is_test else suite.started_at,
        finished_at=None if is_test else suite.finished_at,
        time_uncertainty_seconds=BESIDE_PACKAGES_SECONDS if encloses else None,
        times_enclose_run=encloses,
        duration_seconds=None if is_test else seconds,
        installed_from=installed_from,
        phases=phases,
        log=log,
        events=(Event(EventKind.ERROR, message),) if message else (),
    )


def _is_of_another_run(log: bytes, seconds: float | None, began_at: datetime | None) -> bool:
    """Whether a log has times that the install cannot have had: more of them, or on another day."""
    first, last = first_time(log), last_time(log)
    if first is None or last is None:
        return False
    if seconds is not None and (last - first).total_seconds() > seconds + 1:
        return True
    if began_at is None:
        return False
    away = abs((first.replace(tzinfo=UTC) - began_at).total_seconds())
    return away > UNKNOWN_ZONE_SECONDS + _LONGEST_COMMAND_SECONDS


def _phases(log_by_phase: Mapping[str, bytes], failed: bool) -> tuple[InstallPhase, ...]:
    """The phases of a log; what failed was the last that began."""
    last = len(log_by_phase) - 1
    return tuple(
        InstallPhase(name, "ERROR" if failed and position == last else "SUCCESS", output=log)
        for position, (name, log) in enumerate(log_by_phase.items())
    )


def _log(element: Element | None) -> bytes | None:
    text = original_bytes(None if element is None else element.text).removeprefix(b"\n")
    return _TEMPLATE_END.sub(b"", text) or None


def _seconds(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,20})?", text) else None


def _moment(text: str) -> datetime | None:
    with suppress(ValueError):
        text = datetime.strptime(text.strip(), _SPACKS_MOMENT).isoformat()
    try:
        return moment(text.strip(), "timestamp")
    except FieldUnfit:
        return None


def _unknown(reason: str) -> Refused:
    expected = "expected a JUnit report of Spack, whose test cases are named by DAG hashes"
    return Refused(Code.JUNIT_UNKNOWN, f"{expected}: {reason}")
