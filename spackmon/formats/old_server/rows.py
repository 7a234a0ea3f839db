"""The rows that are read, as they are: a name of theirs may be wrong, a text cut, JSON broken.

A moment is `datetime` or SQLite's text; JSON is its text. What a table, or an older one, has not is None.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from spackmon.status import EventKind


@dataclass(frozen=True, slots=True)
class Note:
    """Why `count` rows of what a table holds (`noun`) are not here as they are there."""

    noun: str
    count: int
    reason: str


class TargetRow(NamedTuple):
    """A target; `features` and `parents` are names."""

    name: str
    vendor: str | None
    generation: int | None
    features: tuple[str, ...]
    parents: tuple[str, ...]


class DependencyRow(NamedTuple):
    """A link of a spec to another: `deptypes` is a JSON list."""

    spec_id: int
    deptypes: str | None


@dataclass(frozen=True, slots=True)
class SpecRow:
    """A spec. `parameters` is JSON; one that could not be concretized has a word in place of its hashes."""

    id: int
    name: str
    spack_version: str | None
    version: str | None
    full_hash: str | None
    build_hash: str | None
    dag_hash: str | None
    package_hash: str | None
    namespace: str | None
    parameters: str | None
    platform: str | None
    operating_system: str | None
    target: TargetRow | None
    compiler: tuple[str, str] | None
    added_at: object
    dependencies: tuple[DependencyRow, ...] = ()


class PhaseRow(NamedTuple):
    """A phase. `output` is its log."""

    id: int
    name: str
    status: str | None
    output: bytes | None
    error: str | None
    added_at: object


class FileRow(NamedTuple):
    """A file. `name` is often the `repr` of a Python list."""

    id: int
    name: str
    type: str | None
    mode: int | None
    owner: int | None
    group: int | None
    hash: str | None


class AttributeRow(NamedTuple):
    """A result of an analyzer about a file."""

    file_id: int
    analyzer: str
    name: str
    value: str | None
    binary_value: bytes | None
    json_value: str | None
    added_at: object


class EventRow(NamedTuple):
    """An error or a warning that the old server saw in a phase's output."""

    kind: EventKind
    phase_id: int
    text: str
    line: int | None
    source_file: str | None
    source_line: int | None
    pre_context: str | None
    post_context: str | None


@dataclass(frozen=True, slots=True)
class BuildRow:
    """A build, and what refers to it."""

    id: int
    spec_id: int
    status: str | None
    configure_arguments: str | None
    hostname: str | None
    platform: str | None
    operating_system: str | None
    target: str | None
    kernel_version: str | None
    owner_id: int | None
    added_at: object
    tags: Sequence[str] = field(default=())
    variables: Sequence[tuple[str, str]] = field(default=())
    phases: Sequence[PhaseRow] = field(default=())
    files: Sequence[FileRow] = field(default=())
    attributes: Sequence[AttributeRow] = field(default=())
    events: Sequence[EventRow] = field(default=())
