"""What a report says, whatever format it came in: the one thing the store takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from spackmon.graph.spec import SpecGraph
from spackmon.large_bytes import LargeBytes
from spackmon.logs.packed import PackedLog
from spackmon.status import (
    BuildcacheDisagreement,
    BuildStatus,
    CiProvider,
    EventKind,
    InstalledFrom,
    ResultKind,
    SourceKind,
)


@dataclass(frozen=True, slots=True)
class SpecReport:
    """A concrete spec with all it depends on."""

    graph: SpecGraph
    spack_version: str | None


@dataclass(frozen=True, slots=True)
class EnvironmentRoot:
    """What an environment asks for: `abstract_spec` in its user's words, and the identity of what it became.

    `group` is that of the roots that are concretized together; `included_from` is where the environment lies
    that this one took it over from.
    """

    abstract_spec: str
    spec_hash: str
    group: str | None = None
    included_from: str | None = None


@dataclass(frozen=True, slots=True)
class EnvironmentReport:
    """An environment of Spack as a lock file of version `lock_file_version` has it, its roots in their order.

    The specs of the roots are reported before it, or are not known.
    """

    name: str
    lock_file_version: int
    spack_version: str | None
    roots: tuple[EnvironmentRoot, ...]


@dataclass(frozen=True, slots=True)
class BuildcacheEntry:
    """A binary that a buildcache has, or should have; None is what could not be seen.

    `spec_hash` is that of the index, or of the file's name; `stated_hash` is what the file itself says, where
    that differs.
    """

    layout_version: int
    spec_hash: str
    in_index: bool | None = None
    has_spec_file: bool | None = None
    has_archive: bool | None = None
    stated_hash: str | None = None

    @property
    def disagreement(self) -> BuildcacheDisagreement | None:
        """The worst of what disagrees, None where nothing does."""
        if self.stated_hash is not None:
            return BuildcacheDisagreement.HASH_DIFFERS
        if self.has_spec_file is False:
            return BuildcacheDisagreement.SPEC_MISSING
        if self.has_archive is False:
            return BuildcacheDisagreement.ARCHIVE_MISSING
        return BuildcacheDisagreement.NOT_IN_INDEX if self.in_index is False else None


@dataclass(frozen=True, slots=True)
class BuildcacheReport:
    """Everything that a buildcache had at `read_at`; `name` is its path or its address.

    `is_listed` says whether its files could be listed, or its index was all that could be read. The specs are
    reported before it, or are not known.
    """

    name: str
    read_at: datetime
    is_listed: bool
    entries: tuple[BuildcacheEntry, ...]


@dataclass(frozen=True, slots=True)
class ConcretizationFailureReport:
    """An abstract spec that the solver could not make concrete, with the `name` of its root where known.

    `document` is its compact JSON, the whole of it, `{"_meta", "nodes"}` as it came: what it asked of its
    dependencies stands in nodes of their own. Sources of texts alone have `abstract_spec`, as it was typed,
    and `message`, what the solver said, instead.
    """

    name: str | None
    document: str | None
    spack_version: str
    abstract_spec: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Environment:
    """The machine a build runs on; what a client left out is the empty string."""

    hostname: str
    platform: str
    operating_system: str
    target: str
    kernel_version: str


@dataclass(frozen=True, slots=True)
class BuildReport:
    """A build begins, or is named for analysis (`announces_run` false): by any hash of its spec.

    `graph` is the spec itself where the client sent it along. `promised_build_id` is the number that the
    client was given while the database was away: it has to lead to the build.
    """

    spec_hash: str
    environment: Environment
    spack_version: str
    tags: tuple[str, ...]
    graph: SpecGraph | None
    announces_run: bool
    promised_build_id: int | None = None


@dataclass(frozen=True, slots=True)
class PhaseReport:
    """A phase ended. `output` is its log as UTF-8, None where the client sent none.

    Bytes, because one curly quote of a compiler makes a str of a large log twice or four times its size.
    A lone surrogate that the client sent is kept by Python's `surrogatepass`. `packed_output` is the same
    log where it was made ready to be stored.
    """

    build_id: int
    name: str
    status: str
    output: bytes | LargeBytes | None
    packed_output: PackedLog | None = None


@dataclass(frozen=True, slots=True)
class StatusReport:
    """A build's status."""

    build_id: int
    status: BuildStatus


@dataclass(frozen=True, slots=True)
class InstalledFile:
    """An entry of an install manifest; `modified_at_seconds` since 1970, `destination` of a link."""

    path: str
    type: str | None = None
    mode: int | None = None
    owner: int | None = None
    group: int | None = None
    hash: str | None = None
    size_bytes: int | None = None
    modified_at_seconds: float | None = None
    destination: str | None = None


@dataclass(frozen=True, slots=True)
class AttributeValue:
    """One finding of an analyzer; exactly one of the three values is set (`json_value` compact)."""

    name: str
    install_file: str | None
    value: str | None = None
    binary_value: bytes | None = None
    json_value: str | None = None

    @property
    def kind(self) -> ResultKind:
        """Which of the three it is."""
        if self.binary_value is not None:
            return ResultKind.BINARY
        return ResultKind.TEXT if self.json_value is None else ResultKind.JSON

    @property
    def content(self) -> bytes:
        """Its bytes."""
        if self.binary_value is not None:
            return self.binary_value
        return (self.value or self.json_value or "").encode()


@dataclass(frozen=True, slots=True)
class BillReport:
    """A bill of materials that others wrote, as compact JSON, in the format `analyzer`: `spdx`, `cyclonedx`.

    Each of `spec_hashes` may be that of a spec that it describes; `build_id` is the number that it gives the
    build in the database that wrote it, None of most.
    """

    analyzer: str
    document: str
    spec_hashes: tuple[str, ...]
    build_id: int | None = None

    def finding(self, path: str | None) -> AttributeValue:
        """The result that it is stored as; `path` is that of its file in a prefix."""
        return AttributeValue(f"{self.analyzer}-json", path, json_value=self.document)


@dataclass(frozen=True, slots=True)
class AnalysisReport:
    """What analyzers found out about a build; None or absent: not part of this report."""

    build_id: int
    install_files: tuple[InstalledFile, ...] | None = None
    environment_variables: Mapping[str, str] | None = None
    configure_arguments: str | None = None
    has_configure_arguments: bool = False
    attributes: Mapping[str, tuple[AttributeValue, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Where an InstallReport comes from; what comes with an equal source is about the same run.

    `key` is the source's own name of the run: `site/stamp/build name` of CDash, the run and the hash
    of the extension, a prefix with a digest of what tells one installation into it from the next.
    """

    kind: SourceKind
    key: str


@dataclass(frozen=True, slots=True)
class CiJob:
    """The job of a CI system that a run was part of, and what that knows of itself.

    `provider`, `project` (its address or path), `pipeline_id` and `stack` name the CI run.
    """

    provider: CiProvider
    project: str
    pipeline_id: str
    stack: str = ""
    pipeline_url: str | None = None
    ref: str | None = None
    commit: str | None = None
    job_id: str = ""
    job_name: str | None = None
    job_url: str | None = None


@dataclass(frozen=True, slots=True)
class InstallPhase:
    """A phase that ended, with Spack's own name for it and how (`SUCCESS` or `ERROR`).

    `output` is its log as it was written, None where the source has none. `cpu_seconds` is the time of all
    processors, `peak_memory_bytes` the resident memory of its largest process. `reported_at` is when that was
    reported, where it was not with the rest.
    """

    name: str
    status: str
    duration_seconds: float | None = None
    output: bytes | None = None
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    reported_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HostLibrary:
    """A library of the system that installed files need.

    `name` is what they need it as, None where a path leads to it; `sha256` is of the file, in hexadecimal.
    `content` is what the loader reads of it, packed, None where another report has that.
    """

    path: str
    name: str | None
    sha256: str
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class HostImage:
    """The machine on which installed files find what they need of the system, as its os-release names it."""

    os: str
    os_version: str
    architecture: str
    libraries: tuple[HostLibrary, ...]


MOST_EVENTS = 1_000
"""So many errors, and as many warnings, are listed of a report; more are counted."""


@dataclass(frozen=True, slots=True)
class Event:
    """An error or a warning as the source found it in the log; lines count from 1."""

    kind: EventKind
    text: str
    log_line: int | None = None
    source_file: str | None = None
    source_line: int | None = None
    pre_context: str | None = None
    post_context: str | None = None


@dataclass(frozen=True, slots=True)
class InstallReport:
    """One run of one build, or a part of it, as one source saw it; what it does not know is None or empty.

    Reports of one run come in any order and any number of times: each adds what was not known yet, none
    replaces anything. `status` grows from NOTRUN by RUNNING to one of the ends. The spec is given as `graph`
    (whose root is built) or by `spec_hash`, a hash of it that may be known later, or is not known at all;
    then `package_name` says what is built. `log` is the output of the whole run where the source does not
    divide it into phases. `spack_revision` is the commit of Spack itself. Moments have a time zone.
    `host` is where the files were read of which `attributes` has the ELF files.

    `installed_from` is None where the source does not say it. `started_at` and `finished_at` are off by
    `time_uncertainty_seconds` at most, None where they are exact but for a clock's usual error. Where
    `times_enclose_run` is true they are those of a whole command, in which the run took place: then the
    uncertainty is how much later than `finished_at` the run may have ended, and `started_at` is not too late.
    docs/reports.md has a table of each format's clock.
    """

    source: Source
    graph: SpecGraph | None = None
    spec_hash: str | None = None
    package_name: str | None = None
    environment: Environment | None = None
    spack_version: str | None = None
    spack_revision: str | None = None
    status: BuildStatus | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    time_uncertainty_seconds: float | None = None
    times_enclose_run: bool = False
    duration_seconds: float | None = None
    installed_from: InstalledFrom | None = None
    prefix: str | None = None
    phases: tuple[InstallPhase, ...] = ()
    log: bytes | None = None
    events: tuple[Event, ...] = ()
    configure_arguments: str | None = None
    environment_variables: Mapping[str, str] | None = None
    install_files: tuple[InstalledFile, ...] | None = None
    attributes: Mapping[str, tuple[AttributeValue, ...]] | None = None
    host: HostImage | None = None
    tags: tuple[str, ...] = ()
    ci_job: CiJob | None = None

    @property
    def ran_not_before(self) -> datetime | None:
        """The earliest moment at which the run can have begun, None where no time says so."""
        if self.started_at is None or self.times_enclose_run:
            return self.started_at
        return _moved(self.started_at, -(self.time_uncertainty_seconds or 0.0))

    @property
    def ran_not_after(self) -> datetime | None:
        """The latest moment at which the run can have ended, None where no time says so."""
        if self.finished_at is None:
            return None
        return _moved(self.finished_at, self.time_uncertainty_seconds or 0.0)


def _moved(moment: datetime, seconds: float) -> datetime:
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return moment


Submission = (
    SpecReport
    | EnvironmentReport
    | BuildcacheReport
    | BillReport
    | ConcretizationFailureReport
    | BuildReport
    | PhaseReport
    | StatusReport
    | AnalysisReport
    | InstallReport
)
