"""What a report says, whatever format it came in: the one thing the store takes."""

from collections.abc import Mapping
from dataclasses import dataclass

from spackmon.graph.spec import SpecGraph
from spackmon.status import BuildStatus


@dataclass(frozen=True, slots=True)
class SpecReport:
    """A concrete spec with all it depends on."""

    graph: SpecGraph
    spack_version: str | None


@dataclass(frozen=True, slots=True)
class ConcretizationFailureReport:
    """An abstract spec that the solver could not make concrete: `name` of its root, and its compact JSON.

    `document` is the whole of it, `{"_meta", "nodes"}` as it came: what it asked of its dependencies
    stands in nodes of their own.
    """

    name: str
    document: str
    spack_version: str


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

    `graph` is the spec itself where the client sent it along.
    """

    spec_hash: str
    environment: Environment
    spack_version: str
    tags: tuple[str, ...]
    graph: SpecGraph | None
    announces_run: bool


@dataclass(frozen=True, slots=True)
class PhaseReport:
    """A phase ended. `output` is its log as UTF-8, None where the client sent none.

    Bytes, because one curly quote of a compiler makes a str of a large log twice or four times its size.
    A lone surrogate that the client sent is kept by Python's `surrogatepass`.
    """

    build_id: int
    name: str
    status: str
    output: bytes | None


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


@dataclass(frozen=True, slots=True)
class AnalysisReport:
    """What analyzers found out about a build; None or absent: not part of this report."""

    build_id: int
    install_files: tuple[InstalledFile, ...] | None = None
    environment_variables: Mapping[str, str] | None = None
    configure_arguments: str | None = None
    has_configure_arguments: bool = False
    attributes: Mapping[str, tuple[AttributeValue, ...]] | None = None


Submission = (
    SpecReport | ConcretizationFailureReport | BuildReport | PhaseReport | StatusReport | AnalysisReport
)
