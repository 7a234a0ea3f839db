"""An installed prefix: what Spack 0.16 to 1.2 left in its directory `.spack` about the build.

Prefixes of the new installer have the spec, the log and the manifest only; older ones also state durations,
the environment and the configure arguments. Where one of the files is damaged the others are taken.

What came from a binary cache has beside these the `binary_distribution` of the one who made it, and what else
is there (log, environment, arguments, mostly the times, too) tells of the build over there: none of it is
reported of this installation.

A prefix is where its own manifest says it is, wherever the directory was copied to; but a binary has the
manifest of the prefix that it was built in, byte for byte, wherever it is unpacked. When the build ended is
what the manifest says of the newest file that fits the log; a file's own time on disk would be a copy's.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from spackmon.abi.reader.packed import ANALYZER
from spackmon.errors import Code, Refused
from spackmon.formats import detect
from spackmon.formats.analysis import installed_files
from spackmon.formats.bills import bill_of, is_bill
from spackmon.formats.build_logs import WHOLE_LOG, BuildLogs, read_logs, succeeded
from spackmon.formats.bytes.damage import Damage
from spackmon.formats.bytes.fields import escaped, optional_name
from spackmon.formats.bytes.folder import Folder, json_object
from spackmon.formats.installs.directory_names import named_build
from spackmon.formats.installs.elf_files import ElfReader
from spackmon.formats.installs.environment_changes import environment_changes
from spackmon.formats.installs.install_times import InstallTimes, read_times
from spackmon.formats.moments import Moment, end_of_run, local_moment, start_of_run
from spackmon.formats.reports.report_line import ENVIRONMENT_NAMES
from spackmon.formats.specs import spec_json
from spackmon.formats.specs.known_nodes import KnownNodes
from spackmon.graph.spec import SpecGraph
from spackmon.status import BuildStatus, EventKind, InstalledFrom, SourceKind
from spackmon.submission import (
    AttributeValue,
    BillReport,
    Environment,
    Event,
    InstalledFile,
    InstallReport,
    Source,
    SpecReport,
)

METADATA = ".spack"

_MANIFEST = "install_manifest.json"
_TIMES = "install_times.json"
_ENVIRONMENT = "install_environment.json"
_CHANGES = "spack-build-env.txt"
_ARGUMENTS = "spack-configure-args.txt"
_ARCHIVED = "archived-files"
_ARCHIVING_ERRORS = "errors.txt"
_MADE_ELSEWHERE = "binary_distribution"
_SPECS = frozenset({"spec.json", "spec.yaml"})
# Written when a build has succeeded; the spec is there from its beginning on.
_OF_SUCCESS = frozenset({_MANIFEST, _TIMES, WHOLE_LOG, f"{WHOLE_LOG}.gz"})

_BILL = re.compile(r"(sbom|spdx|cdx|cyclonedx|\bbom)[^/]*\.json\Z", re.IGNORECASE)
_VERSION = re.compile(r"(?P<version>\S+) \((?P<revision>[0-9a-f]{7,40})\)")
_Findings = dict[str, tuple[AttributeValue, ...]]
# The key of a source is part of an index row; the digest tells longer prefixes apart.
_KEY_PATH_CHARACTERS = 400


def is_prefix(metadata: Path) -> bool:
    """Whether a directory `.spack` is that of a prefix; a view and a home directory have others."""
    try:
        return not (_SPECS | _OF_SUCCESS).isdisjoint(Folder(metadata).names)
    except Refused:
        return False


def read_prefix(
    prefix: Path, installed_at: str | None, known: KnownNodes | None = None, elf: ElfReader | None = None
) -> Iterator[SpecReport | InstallReport]:
    """The build that was installed into `prefix`; only its spec where the install has not ended.

    `installed_at` is the path of the prefix where the manifest does not say it, None if it is not known;
    `known` holds nodes of the specs of other prefixes, `elf` reads those of several. Raises Refused
    FILE_DAMAGED after the report, naming the files that are not in it.
    """
    files = Folder(prefix / METADATA)
    damage = Damage()
    graph = damage.attempt(_graph, files, known)
    if _OF_SUCCESS.isdisjoint(files.names):
        if graph is not None:
            yield SpecReport(graph=graph, spack_version=None)
    else:
        report = _report(prefix, installed_at, files, graph, damage)
        if report is not None:
            bills = _bills(files, f"{report.prefix or prefix}/{METADATA}", damage)
            yield _with_findings(report, prefix, elf, bills)
    damage.settle()


@dataclass(frozen=True, slots=True)
class _Manifest:
    """`prefix` is where it was written."""

    files: tuple[InstalledFile, ...] | None
    prefix: str | None

    def files_at(self, prefix: str | None) -> tuple[InstalledFile, ...] | None:
        """The files as they are called in another prefix, into which they were unpacked."""
        if self.files is None or self.prefix is None or prefix in (None, self.prefix):
            return self.files
        below = f"{self.prefix}/"
        return tuple(
            replace(file, path=f"{prefix}{file.path[len(self.prefix) :]}")
            if f"{file.path}/".startswith(below)
            else file
            for file in self.files
        )

    def ended(self, log_ended_at: datetime | None) -> Moment:
        """When the newest file was written that fits the log or, if that has no times, Spack's files."""
        own = f"{self.prefix}/{METADATA}/"
        spack_ended_at = log_ended_at
        if spack_ended_at is None:
            written = end_of_run((s for path, s in self._times() if path.startswith(own)), None)
            spack_ended_at = None if written is None else written.replace(tzinfo=None)
        at = end_of_run((seconds for _, seconds in self._times()), spack_ended_at)
        return local_moment(log_ended_at) if at is None else Moment(at)

    def unpacked_at(self) -> datetime | None:
        """When a file of a binary was last changed on its way in, where those that were not have no time.

        Spack gives files in its tarballs the time 0, since 0.21; before, they keep that of the build.
        """
        times = [seconds for _, seconds in self._times()]
        return end_of_run(times, None) if 0 in times else None

    def _times(self) -> Iterator[tuple[str, float]]:
        for file in self.files or ():
            if file.modified_at_seconds is not None:
                yield file.path, file.modified_at_seconds


@dataclass(frozen=True, slots=True)
class _Circumstances:
    environment: Environment | None = None
    spack_version: str | None = None
    spack_revision: str | None = None


def _report(
    prefix: Path, installed_at: str | None, files: Folder, graph: SpecGraph | None, damage: Damage
) -> InstallReport | None:
    attempt = damage.attempt
    logs = attempt(read_logs, files) or BuildLogs({}, None)
    times = attempt(_times, files) or InstallTimes()
    manifest = _manifest(files, damage)
    named = named_build(prefix.name)
    spec_hash = times.spec_hash or (named.spec_hash if named else None)
    package_name = logs.package_name or times.package_name or (named.package_name if named else None)
    if graph is None and spec_hash is None and package_name is None:
        return None
    was_unpacked = times.from_cache or _MADE_ELSEWHERE in files.names
    place = (installed_at or manifest.prefix) if was_unpacked else (manifest.prefix or installed_at)
    install = InstallReport(
        source=_source(place or _label(graph) or prefix.name, files, logs, was_unpacked),
        graph=graph,
        spec_hash=spec_hash if graph is None else None,
        package_name=package_name if graph is None else None,
        status=BuildStatus.SUCCESS,
        prefix=place,
        install_files=manifest.files_at(place),
    )
    if was_unpacked:
        return _unpacked(install, manifest, times)
    circumstances = attempt(_circumstances, files) or _Circumstances()
    ended = manifest.ended(logs.ended_at)
    return replace(
        install,
        installed_from=InstalledFrom.SOURCE,
        environment=circumstances.environment,
        spack_version=circumstances.spack_version,
        spack_revision=circumstances.spack_revision,
        started_at=start_of_run(ended.at, times.total_seconds),
        finished_at=ended.at,
        time_uncertainty_seconds=ended.uncertainty_seconds,
        duration_seconds=times.total_seconds,
        phases=succeeded(logs, times.phase_seconds),
        log=logs.whole,
        events=attempt(_archiving_errors, prefix) or (),
        configure_arguments=attempt(files.text, _ARGUMENTS),
        environment_variables=attempt(_changes, files),
    )


def _with_findings(
    install: InstallReport, prefix: Path, elf: ElfReader | None, bills: _Findings
) -> InstallReport:
    with ElfReader() if elf is None else nullcontext(elf) as reader:
        findings, host = reader.read(prefix, install.prefix)
    return replace(install, attributes={ANALYZER: findings, **bills}, host=host)


def _bills(files: Folder, directory: str, damage: Damage) -> _Findings:
    """The bills of materials among the files, which say of what they are by lying there."""
    found: _Findings = {}
    for name in sorted(filter(_BILL.search, files.names)):
        bill = damage.attempt(_bill, files, name)
        if bill is not None:
            finding = bill.finding(escaped(f"{directory}/{name}"))
            found[bill.analyzer] = (*found.get(bill.analyzer, ()), finding)
    return found


def _bill(files: Folder, name: str) -> BillReport:
    content = files.json(name)
    if content is None or not is_bill(content):
        raise Refused(Code.FILE_DAMAGED, f"{name} is neither SPDX nor CycloneDX")
    try:
        return bill_of(content, ())
    except Refused as refused:
        raise Refused(Code.FILE_DAMAGED, f"{name}: {refused.sentence}") from None


def _unpacked(install: InstallReport, manifest: _Manifest, times: InstallTimes) -> InstallReport:
    """The installation of a binary; only the old installer leaves times of it."""
    seconds = times.total_seconds if times.from_cache else None
    ended_at = manifest.unpacked_at()
    return replace(
        install,
        installed_from=InstalledFrom.BUILD_CACHE,
        started_at=start_of_run(ended_at, seconds),
        finished_at=ended_at,
        duration_seconds=seconds,
    )


def _graph(files: Folder, known: KnownNodes | None) -> SpecGraph:
    for name in sorted(_SPECS & files.names):
        written = files.read(name) or b""
        if name == "spec.json":
            content = json_object(written, name)
            try:
                return spec_json.read(content, known)
            except Refused as refused:
                raise Refused(Code.FILE_DAMAGED, f"{name}: {refused.sentence}") from None
        for submission in detect.read_document(name, written, None):
            if isinstance(submission, SpecReport):
                return submission.graph
    raise Refused(Code.FILE_DAMAGED, "there is no spec.json nor spec.yaml with a concrete spec")


def _times(files: Folder) -> InstallTimes:
    content = files.json(_TIMES)
    return InstallTimes() if content is None else read_times(content)


def _manifest(files: Folder, damage: Damage) -> _Manifest:
    """The manifest, which says where it was written even if not all its entries can be read."""
    content = damage.attempt(files.json, _MANIFEST)
    if content is None:
        return _Manifest(None, None)
    # Python writes a byte of a path that is no UTF-8 as half of a surrogate pair.
    entries = {escaped(path): _storable(entry) for path, entry in content.items()}
    own = f"/{METADATA}"
    prefix = next((path.removesuffix(own) for path in entries if path.endswith(own)), None)
    return _Manifest(damage.attempt(installed_files, entries, _MANIFEST), prefix or None)


def _storable(entry: object) -> object:
    if not isinstance(entry, dict):
        return entry
    return {name: escaped(value) if isinstance(value, str) else value for name, value in entry.items()}


def _circumstances(files: Folder) -> _Circumstances:
    content = files.json(_ENVIRONMENT)
    if content is None:
        return _Circumstances()
    stated = optional_name(content, "spack_version", f"{_ENVIRONMENT}: ")
    commit = _VERSION.fullmatch(stated or "")
    return _Circumstances(
        environment=Environment(
            **{
                field: optional_name(content, name, f"{_ENVIRONMENT}: ") or ""
                for field, name in ENVIRONMENT_NAMES.items()
            }
        ),
        spack_version=commit["version"] if commit else stated,
        spack_revision=commit["revision"] if commit else None,
    )


def _changes(files: Folder) -> dict[str, str] | None:
    text = files.text(_CHANGES)
    return None if text is None else environment_changes(text, _CHANGES)


def _archiving_errors(prefix: Path) -> tuple[Event, ...]:
    """The files that the package wanted to keep of its build and could not, one a line."""
    directory = prefix / METADATA / _ARCHIVED
    if directory.is_symlink() or not directory.is_dir():
        return ()
    lines = (Folder(directory).text(_ARCHIVING_ERRORS) or "").splitlines()
    return tuple(Event(EventKind.WARNING, line) for line in lines if line.strip())


def _source(place: str, files: Folder, logs: BuildLogs, was_unpacked: bool) -> Source:
    """A prefix and one installation into it, which the times of its files tell from the next.

    `spack monitor` computes the same key: both know one installation.
    """
    digest = hashlib.sha256(place.encode())
    names = (_MANIFEST, _TIMES, _MADE_ELSEWHERE) if was_unpacked else (_MANIFEST, _TIMES)
    contents = [written for name in names if (written := _read_whole(files, name)) is not None]
    for written in contents or [logs.whole or b"", *logs.by_phase.values()]:
        digest.update(hashlib.sha256(written).digest())
    return Source(SourceKind.PREFIX, f"{place[-_KEY_PATH_CHARACTERS:]}#{digest.hexdigest()[:32]}")


def _label(graph: SpecGraph | None) -> str | None:
    return None if graph is None else f"{graph.nodes[graph.root].name}-{graph.root}"


def _read_whole(files: Folder, name: str) -> bytes | None:
    try:
        return files.read(name)
    except Refused:
        return None
