"""Claims at random: few owners, specs, machines and moments, so that many of them may be of one run."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from spackmon.runs.claim import Claim, Machine, PhaseClaim
from spackmon.status import BuildStatus, EventKind, InstalledFrom, SourceKind

START = datetime(2026, 5, 1, 12, tzinfo=UTC)
HERE = Machine("node-1", "linux", "debian12", "zen2", "#1")


def after(seconds: float) -> datetime:
    """A moment of the day."""
    return START + timedelta(seconds=seconds)


def claim(kind: SourceKind, key: str, **facts: Any) -> Claim:
    """A claim of zlib's build, unless it says otherwise."""
    values = {
        "id": 0, "owner_id": 1, "owner_is_certain": True, "first_reported_at": after(86400),
        "last_reported_at": after(86400), "package_id": 1, "spec_id": 1, "machine": HERE, **facts,
    }  # fmt: skip
    return Claim(kind=kind, key=key, **values)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Nothing, or something."""
    return st.none() | strategy


def _marked(phase: PhaseClaim) -> PhaseClaim:
    """The times of a log are in it: equal logs have equal ones, and one log has none."""
    mark = None if phase.log_id == 1 else f"2026-05-01T12:00:0{phase.log_id}.500000"
    return dataclasses.replace(phase, mark=mark)


MOMENTS = st.sampled_from([0.0, 30.0, 100.0, 200.0, 400.0, 3600.0, 3700.0, 90000.0]).map(after)
MACHINES = st.builds(
    Machine,
    hostname=st.sampled_from(["", "node-1", "node-2"]),
    platform=st.sampled_from(["", "linux"]),
    target=st.sampled_from(["", "zen2", "zen3"]),
)
PHASES = st.lists(
    st.builds(
        PhaseClaim,
        name=st.sampled_from(["configure", "build", "install", "odd"]),
        position=st.integers(1, 3),
        status=st.sampled_from(["SUCCESS", "ERROR"]),
        duration_seconds=optional(st.sampled_from([1.0, 60.0])),
        reported_at=MOMENTS,
        log_id=st.integers(1, 3),
        log_bytes=st.just(10),
        cpu_seconds=optional(st.sampled_from([0.5, 90.0])),
        peak_memory_bytes=optional(st.sampled_from([1, 2**33])),
    ).map(_marked),
    unique_by=lambda phase: phase.name,
    max_size=3,
).map(tuple)


@st.composite
def claims(draw: st.DrawFn) -> list[Claim]:
    """Claims with names of their own."""
    names = draw(st.lists(
        st.tuples(st.sampled_from(list(SourceKind)), st.sampled_from("abc"), st.integers(1, 2)),
        unique=True, min_size=1, max_size=9,
    ))  # fmt: skip
    return [draw(_claim(number, *name)) for number, name in enumerate(names, 1)]


def _claim(number: int, kind: SourceKind, key: str, owner: int) -> st.SearchStrategy[Claim]:
    return st.builds(
        Claim,
        id=st.just(number), owner_id=st.just(owner), owner_is_certain=st.sampled_from([True, True, False]),
        kind=st.just(kind), key=st.just(key), first_reported_at=st.just(after(100_000)),
        last_reported_at=st.just(after(100_000)), package_id=st.sampled_from([1, 1, 2]),
        spec_id=st.sampled_from([None, 1, 1, 2]), spec_hash=st.none(), machine=MACHINES,
        status=st.sampled_from(BuildStatus), is_live=st.booleans(), started_at=optional(MOMENTS),
        finished_at=optional(MOMENTS), duration_seconds=optional(st.sampled_from([0.0, 60.0])),
        time_uncertainty_seconds=st.sampled_from([0.0, 0.0, 600.0]), times_enclose_run=st.booleans(),
        spack_version=optional(st.sampled_from(["0.23.0", "1.2.0"])),
        spack_revision=optional(st.sampled_from(["eedc414", "eedc41405b59"])),
        prefix=optional(st.sampled_from(["/opt/a", "/opt/b"])),
        installed_from=optional(st.sampled_from(InstalledFrom)),
        environment_set_id=optional(st.integers(1, 2)), ci_job_id=optional(st.integers(1, 2)),
        tags=st.frozensets(st.sampled_from("xyz")), phases=PHASES,
        event_kinds=st.frozensets(st.sampled_from(EventKind)),
        analyzers=st.frozensets(st.sampled_from(["abi"])),
    )  # fmt: skip
