"""What the store says after it has written a submission."""

from collections.abc import Iterable
from dataclasses import dataclass

from spackmon.errors import Code, Refused
from spackmon.submission import MOST_EVENTS


@dataclass(frozen=True, slots=True)
class SpecReceipt:
    """A stored spec; `created` is false when it was known. `hash` is its identity, of kind `hash_kind`.

    `specs_created` counts it and those of its graph that are new.
    """

    spec_id: int
    created: bool
    hash: str
    hash_kind: str
    name: str
    version: str
    specs_created: int


@dataclass(frozen=True, slots=True)
class ConcretizationFailureReceipt:
    """A kept failure; `created` is false when this person had reported the very same one."""

    created: bool
    name: str | None


@dataclass(frozen=True, slots=True)
class EnvironmentReceipt:
    """An environment of this name; `created` is false when this person had reported its lock file."""

    created: bool
    name: str


@dataclass(frozen=True, slots=True)
class BuildcacheReceipt:
    """A buildcache of this name; `created` if this person had not reported it, `changed` if entries did."""

    created: bool
    changed: bool
    name: str


@dataclass(frozen=True, slots=True)
class BuildReceipt:
    """A build that began or was there; `shown_hash` is the hash by which the client named the spec."""

    build_id: int
    build_created: bool
    environment_created: bool
    spec_hash: str
    shown_hash: str
    spec_name: str


@dataclass(frozen=True, slots=True)
class StatusReceipt:
    """The build whose status was reported."""

    build_id: int
    spec_hash: str
    spec_name: str


@dataclass(frozen=True, slots=True)
class AnalysisReceipt:
    """The build whose analysis was stored."""

    build_id: int
    spec_hash: str
    spec_name: str


@dataclass(frozen=True, slots=True)
class BillReceipt:
    """The first of the builds that a bill of materials is of; `changed` is false when all of them had it."""

    build_id: int
    spec_hash: str
    changed: bool


@dataclass(frozen=True, slots=True)
class PhaseReceipt:
    """The stored phase and its build."""

    phase_id: int
    name: str
    status: str
    build_id: int
    spec_hash: str
    spec_name: str


@dataclass(frozen=True, slots=True)
class InstallReceipt:
    """The build that an InstallReport is about, and what the report added to it.

    `spec_hash` is the identity of its spec, None while that is not known. `changed` is false when everything
    in the report was known. `events_unlisted` is how many events of the report are only counted.
    """

    build_id: int
    build_created: bool
    attempt_created: bool
    changed: bool
    spec_hash: str | None
    specs_created: int
    phases_created: int
    events_created: int
    events_unlisted: int = 0

    @property
    def unlisted(self) -> Refused | None:
        """What to answer, and to keep the report with, where not all of it is listed, unless it was known."""
        if not (self.events_unlisted and self.changed):
            return None
        sentence = f"{self.events_unlisted:,} errors and warnings are not listed: {MOST_EVENTS:,} of each are"
        return Refused(Code.EVENTS_NOT_LISTED, sentence)


Receipt = (
    SpecReceipt
    | ConcretizationFailureReceipt
    | EnvironmentReceipt
    | BuildcacheReceipt
    | BillReceipt
    | BuildReceipt
    | PhaseReceipt
    | StatusReceipt
    | AnalysisReceipt
    | InstallReceipt
)


def unlisted(receipts: Iterable[Receipt]) -> Refused | None:
    """That of the first receipt that has one."""
    of_installs = (receipt.unlisted for receipt in receipts if isinstance(receipt, InstallReceipt))
    return next(filter(None, of_installs), None)
