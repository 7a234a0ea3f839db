"""What `spack install --log-format=cdash` uploads: one XML document for each part of a package's build.

Documents of one site, stamp and build name are one run. None of them names the spec: the package stands in
the build name where several packages were reported, and in the log of Configure; the hash only in paths in
texts. Each document says what it knows by itself, so that their order does not matter. Source: Spack's
templates `reports/cdash/*.xml`, 0.12 to 1.2.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element
from xml.sax.saxutils import unescape

from spackmon.errors import Code, Refused
from spackmon.formats.bytes.fields import named_fields, short_key, short_text, storable_text
from spackmon.formats.bytes.xml_text import original_bytes, plain, read_xml
from spackmon.formats.moments import BESIDE_PACKAGES_SECONDS
from spackmon.formats.reports.cdash_names import Built, built_by, package_asked_for
from spackmon.large_bytes import AnyBytes
from spackmon.status import BuildStatus, EventKind, InstalledFrom, SourceKind
from spackmon.submission import (
    ConcretizationFailureReport,
    Environment,
    Event,
    InstallPhase,
    InstallReport,
    Source,
)

INBOX_KIND = "cdash?"
"""What the kind of an upload begins with in the inbox; its query follows."""

CDashReport = InstallReport | ConcretizationFailureReport

# What CTest sends about other things: notes of a machine, coverage, files, that all is sent.
_NOT_OF_BUILDS = frozenset(
    {"Notes", "Done", "Coverage", "CoverageLog", "Upload", "DynamicAnalysis", "Project", "Subproject"}
)
# What stands in a Build beside its events. Anything else may be a failure in a form that is not read here.
_OF_BUILD = frozenset(
    {
        "StartDateTime", "StartBuildTime", "BuildCommand", "Log", "EndDateTime", "EndBuildTime",
        "ElapsedMinutes", "Labels", "Commands", "Targets",
    }
)  # fmt: skip
_EVENTS = {"Error": EventKind.ERROR, "Warning": EventKind.WARNING}
_OF_LAUNCHER = "Failure"
_GENERATOR = re.compile(r"spack-(\S+)(?: \(([0-9a-f]{7,64})\))?")
# What Spack's templates do not escape.
_TEXT_ELEMENTS = (
    "BuildCommand|ConfigureCommand|TestCommand|FullCommandLine|Name|Value|Site|BuildName|UpdateReturnStatus"
)
_TEXT_ATTRIBUTES = "BuildName|BuildStamp|Name|Generator|Hostname"
_SHORT_ATTRIBUTES = ("Name", "BuildStamp", "Generator", "OSName", "OSRelease", "VendorString")
_FAILED_BEFORE_ANY_PHASE = "Pre-configure errors occured in Spack's process"  # spelt so in Spack
# No search for an end that begins again at each of many beginnings: that takes quadratic time.
_UNSOLVED = re.compile(r"failed to concretize `([^`\n]+)` for|\A(\S.*?) is unsatisfiable")
_FIRST_SAID = re.compile(r"^(?!Spack output::$)[^\S\n]*[^\s][^\n]*$", flags=re.MULTILINE)
_ENTITY = re.compile(r"&(?:lt|gt|amp);")
_LARGEST_LINE = 2**31 - 1
_PASSED, _FAILED, _NOT_RUN = "SUCCESS", "ERROR", "NOTRUN"


@dataclass(frozen=True, slots=True)
class Address:
    """What an upload's address says about its document; the document itself knows all but the project."""

    project: str = ""
    site: str = ""
    stamp: str = ""
    build: str = ""


@dataclass(frozen=True, slots=True)
class _Run:
    """The head of a document: whose run it is about."""

    address: Address
    spack_version: str | None
    spack_revision: str | None
    environment: Environment
    is_spacks: bool


def read_cdash(body: AnyBytes, address: Address = Address()) -> CDashReport | None:
    """What a Build, Configure, Update, Test or Testing document reports; None of CTest's other documents.

    Where the document and its address differ the document counts: it says the same again when its file is
    imported. Raises Refused with what is wrong in it or missing from both.
    """
    root = read_xml(body, _TEXT_ELEMENTS, _TEXT_ATTRIBUTES)
    with named_fields():
        if root.tag == "Update":
            return _update(root, address)
        if root.tag in _NOT_OF_BUILDS:
            return None
        if root.tag != "Site":
            raise _unknown(f"its outermost element is {root.tag[:100]!r}")
        for part, read in (
            ("Build", _build), ("Configure", _configure), ("Test", _test), ("Testing", _testing)
        ):  # fmt: skip
            element = root.find(part)
            if element is not None:
                return read(element, _run(root, address))
        if any(child.tag in _NOT_OF_BUILDS for child in root):
            return None
        raise _unknown(f"this is a Site with {[child.tag[:100] for child in root][:5]}")


def read_registration(content: dict[str, Any]) -> InstallReport:
    """The build that `spack ci` announces to addBuild.php: project, site, name and stamp, nothing of the run.

    Raises Refused CDASH_INCOMPLETE in the words of a CDash, naming the first that is missing.
    """
    fields = {}
    with named_fields():
        for name in ("project", "site", "name", "stamp"):
            value = content.get(name)
            if not isinstance(value, str) or not value:
                raise Refused(Code.CDASH_INCOMPLETE, f"Valid {name} required")
            fields[name] = storable_text(value, name)
        address = _completed(Address(fields["project"]), fields["site"], fields["stamp"], fields["name"])
    run = _Run(address, None, None, Environment(address.site, "", "", "", ""), is_spacks=True)
    return _report(run, built_by(address.build, "", ""))


def _run(site: Element, address: Address) -> _Run:
    attributes = {name: short_text(plain(site.get(name)), name) for name in _SHORT_ATTRIBUTES}
    generator = attributes["Generator"]
    spack = _GENERATOR.match(generator)
    # That is the whole command where its user gave none.
    build_name = plain(site.get("BuildName"))
    address = _completed(address, attributes["Name"], attributes["BuildStamp"], build_name)
    return _Run(
        address=address,
        spack_version=spack[1] if spack else None,
        spack_revision=spack[2] if spack else None,
        environment=Environment(
            hostname=address.site,
            platform=attributes["OSName"].lower(),
            operating_system="",
            target=attributes["VendorString"],
            kernel_version=attributes["OSRelease"],
        ),
        is_spacks=spack is not None or not generator,
    )


def _completed(address: Address, site: str, stamp: str, build: str) -> Address:
    completed = Address(
        project=short_text(address.project, "project"),
        site=short_text(site or address.site, "site"),
        stamp=short_text(stamp or address.stamp, "stamp"),
        build=storable_text(build or address.build, "build"),
    )
    for name, value in (("site", completed.site), ("stamp", completed.stamp)):
        if not value:
            raise Refused(Code.CDASH_INCOMPLETE, f"neither the document nor its address names the {name}")
    return completed


def _report(
    run: _Run,
    built: Built,
    *,
    status: BuildStatus | None = None,
    started_at: datetime | None = None,
    finished_at: datetime | None = None,
    phases: tuple[InstallPhase, ...] = (),
    events: tuple[Event, ...] = (),
) -> InstallReport:
    # Spack reports no package that it took from a binary cache.
    # Without the project: a file that is imported does not say it, and is the same run.
    address = run.address
    enclosed = started_at is not None or finished_at is not None
    key = short_key(f"{address.site}/{address.stamp}/{address.build}")
    return InstallReport(
        source=Source(SourceKind.CDASH, key),
        spec_hash=built.spec_hash,
        package_name=built.package_name,
        environment=run.environment,
        spack_version=run.spack_version,
        spack_revision=run.spack_revision,
        status=status,
        installed_from=InstalledFrom.SOURCE if status is not None else None,
        started_at=started_at,
        finished_at=finished_at,
        time_uncertainty_seconds=BESIDE_PACKAGES_SECONDS if enclosed else None,
        times_enclose_run=enclosed,
        phases=phases,
        events=events,
        tags=(address.project,) if address.project else (),
    )


def _build(build: Element, run: _Run) -> InstallReport:
    """Without an error it succeeded, unless it has what is not understood: that may be one."""
    events = _events(build, run)
    failed = any(event.kind is EventKind.ERROR for event in events)
    is_read = all(child.tag in _OF_BUILD or _is_event(child) for child in build)
    # A command names what was asked for; what failed may be below it, and only another document tells.
    command = "" if failed else _text(build, "BuildCommand")
    return _report(
        run,
        built_by(run.address.build, command, _all_texts(events)),
        status=BuildStatus.FAILED if failed else BuildStatus.SUCCESS if is_read else None,
        started_at=_moment(build, "StartBuildTime"),
        finished_at=_moment(build, "EndBuildTime"),
        phases=(InstallPhase("build", _FAILED if failed else _PASSED),) if failed or is_read else (),
        events=events,
    )


def _configure(configure: Element, run: _Run) -> InstallReport:
    """Its log is that of all phases before `build`, which CDash knows as one."""
    log = configure.findtext("Log")
    text = plain(log)
    failed_before = text.startswith(_FAILED_BEFORE_ANY_PHASE)
    failed = failed_before or _text(configure, "ConfigureStatus").strip() not in ("", "0")
    events: tuple[Event, ...] = ()
    if failed_before:
        said = _FIRST_SAID.search(text, text.find("\n") + 1 or len(text))
        events = (Event(EventKind.ERROR, said[0]),) if said else ()
    return _report(
        run,
        built_by(run.address.build, "", text),
        status=BuildStatus.FAILED if failed else None,
        started_at=_moment(configure, "StartConfigureTime"),
        finished_at=_moment(configure, "EndConfigureTime"),
        phases=(InstallPhase("configure", _FAILED if failed else _PASSED, output=original_bytes(log)),),
        events=events,
    )


def _update(update: Element, address: Address) -> CDashReport:
    """The revision of Spack itself; or that nothing was built, because there was no solution."""
    unsolved = _text(update, "UpdateReturnStatus").strip()
    if unsolved and "Generator" not in update.attrib:  # ctest's own, whose update of sources failed
        return _concretization_failure(unsolved)
    address = _completed(
        address, _text(update, "Site"), _text(update, "BuildStamp"), _text(update, "BuildName")
    )
    run = _Run(
        address=address,
        spack_version=None,
        spack_revision=short_text(_text(update, "Revision").strip(), "Revision") or None,
        environment=Environment(address.site, "", "", "", ""),
        is_spacks=True,
    )
    return _report(
        run,
        built_by(address.build, "", ""),
        started_at=_moment(update, "StartTime"),
        finished_at=_moment(update, "EndTime"),
    )


def _concretization_failure(message: str) -> ConcretizationFailureReport:
    unsolved = _UNSOLVED.search(message)
    abstract_spec = next(filter(None, unsolved.groups())) if unsolved else None
    name = None if abstract_spec is None else package_asked_for(abstract_spec)
    # CDash has the commit of that Spack only, which is no version.
    return ConcretizationFailureReport(name, None, "", abstract_spec=abstract_spec, message=message)


def _test(test: Element, run: _Run) -> InstallReport:
    """`spack test run` before 0.18; no test makes an install that was there a failure."""
    events = _events(test, run)
    failed = any(event.kind is EventKind.ERROR for event in events)
    return _report(
        run,
        built_by(run.address.build, "", _all_texts(events)),
        phases=(InstallPhase("test", _FAILED if failed else _PASSED),),
        events=events,
    )


def _testing(testing: Element, run: _Run) -> InstallReport:
    """`spack test run` since 0.18: all its tests are one phase, with what they printed."""
    outputs: list[bytes] = []
    statuses: set[str] = set()
    seconds = 0.0
    for test in testing.iter("Test"):
        status = plain(test.get("Status"))
        statuses.add(status)
        outputs.append(f"==> {_text(test, 'Name')}: {status}\n".encode())
        for measured in test.iter("NamedMeasurement"):
            if measured.get("name") == "Execution Time":
                seconds += _seconds(_text(measured, "Value"))
        printed = original_bytes(test.findtext("Results/Measurement/Value"))
        outputs.append(printed + b"\n" if printed else b"")
    worst = _PASSED if "passed" in statuses else _NOT_RUN
    if statuses - {"passed", "notrun"}:
        worst = _FAILED
    phase = InstallPhase("test", worst, None if worst == _NOT_RUN else seconds, b"".join(outputs))
    return _report(run, built_by(run.address.build, "", ""), phases=(phase,))


def _events(part: Element, run: _Run) -> tuple[Event, ...]:
    events = [_event(element) for element in part.iter() if element is not part and _is_event(element)]
    return (
        tuple(_unescaped_again(event) for event in events) if _escaped_twice(events, run) else tuple(events)
    )


def _is_event(element: Element) -> bool:
    return element.tag in _EVENTS or element.tag == _OF_LAUNCHER


def _event(element: Element) -> Event:
    if element.tag == _OF_LAUNCHER:
        return _launched(element)
    return Event(
        kind=_EVENTS[element.tag],
        text=_text(element, "Text"),
        log_line=_line(_text(element, "BuildLogLine") or _text(element, "TestLogLine")),
        source_file=_text(element, "SourceFile").strip() or None,
        source_line=_line(_text(element, "SourceLineNumber")),
        pre_context=_text(element, "PreContext") or None,
        post_context=_text(element, "PostContext") or None,
    )


def _launched(failure: Element) -> Event:
    """A command that CTest's launchers saw end (CTEST_USE_LAUNCHERS), with all that it printed."""
    command = " ".join(plain(part.text) for part in failure.iterfind("Command/Argument"))
    printed = (_text(failure, f"Result/{name}").strip() for name in ("StdErr", "StdOut"))
    ended = _text(failure, "Result/ExitCondition").strip()
    return Event(
        kind=EventKind.WARNING if plain(failure.get("type")) == "Warning" else EventKind.ERROR,
        text=next(filter(None, printed), f"{command or 'a command'} ended with {ended or 'an error'}"),
        source_file=_text(failure, "Action/SourceFile").strip() or None,
        pre_context=command or None,
    )


def _escaped_twice(events: list[Event], run: _Run) -> bool:
    """Whether a Spack escaped these texts twice, as all did so far.

    Text that was escaped twice has no bare `<`, `>` or `&` after it was read once: one of them in any text
    of the document shows a client that escapes once, whose `&lt;` was meant.
    """
    return run.is_spacks and not re.search(r"[<>&]", _ENTITY.sub("", _all_texts(tuple(events))))


def _all_texts(events: tuple[Event, ...]) -> str:
    parts = ((e.text, e.source_file, e.pre_context, e.post_context) for e in events)
    return "\n".join(text for texts in parts for text in texts if text)


def _unescaped_again(event: Event) -> Event:
    def again(text: str | None) -> str | None:
        return None if text is None else unescape(text)

    return Event(
        kind=event.kind,
        text=unescape(event.text),
        log_line=event.log_line,
        source_file=again(event.source_file),
        source_line=event.source_line,
        pre_context=again(event.pre_context),
        post_context=again(event.post_context),
    )


def _text(element: Element, name: str) -> str:
    return plain(element.findtext(name))


def _line(digits: str) -> int | None:
    digits = digits.strip()
    return int(digits) if re.fullmatch("[0-9]{1,10}", digits) and 0 < int(digits) <= _LARGEST_LINE else None


def _seconds(text: str) -> float:
    return float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,20})?", text.strip()) else 0.0


def _moment(element: Element, name: str) -> datetime | None:
    text = _text(element, name).strip()
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,11}(\.[0-9]{1,20})?", text):
        raise Refused(Code.CDASH_INVALID, f"{name} must be seconds since 1970, it is {text[:100]!r}")
    return datetime.fromtimestamp(float(text), UTC)


def _unknown(reason: str) -> Refused:
    expected = "a Build, Configure, Update, Test or Testing document of CDash was expected"
    return Refused(Code.CDASH_UNKNOWN, f"{expected}, and {reason}")
