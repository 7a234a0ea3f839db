"""Two sets of runs compared, run by run."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from spackmon import models
from spackmon.errors import Code, Refused
from tests.reference import fields
from tests.reference.failures import is_no_consequence
from tests.reference.filters import passes
from tests.reference.rows import Rows

Pair = tuple[Any, Any]


@dataclass(frozen=True)
class Comparison:
    """The last run of each thing in the base and in the head."""

    pairs: list[Pair]
    has_roots_only: bool

    def counted(self, side: int) -> int:
        """How many things ran on a side."""
        return sum(pair[side] is not None for pair in self.pairs)

    def listed(self, rows: Rows, holds: Callable[[Any, Any], bool]) -> list[Any]:
        """The runs of the pairs of which something holds: of the head, or of what has none."""
        shown = [head or base for base, head in self.pairs if holds(base, head)]
        return [run for run in shown if not self.has_roots_only or is_no_consequence(rows, run)]


def _fails(run: Any) -> bool:
    return run is not None and run.status != "SUCCESS"


def _passes(run: Any) -> bool:
    return run is not None and run.status == "SUCCESS"


_KINDS: dict[str, Callable[[Any, Any], bool]] = {
    "newlyFailing": lambda base, head: _passes(base) and _fails(head),
    "newlyPassing": lambda base, head: _fails(base) and _passes(head),
    "stillFailing": lambda base, head: _fails(base) and _fails(head),
    "stillPassing": lambda base, head: _passes(base) and _passes(head),
    "added": lambda base, head: base is None,
    "removed": lambda base, head: head is None,
}


def _list(name: str) -> Callable[[Rows, Any], Any]:
    return lambda rows, comparison: comparison.listed(rows, _KINDS[name])


LISTS = {("RunComparison", name): _list(name) for name in _KINDS}
SINCE: dict[tuple[str, str], Callable[[Any, Any], bool]] = {
    ("Query", "newlyFailing"): lambda base, head: not _fails(base) and _fails(head),
    ("Query", "newlyFixed"): _KINDS["newlyPassing"],
    ("Query", "stillFailing"): _KINDS["stillFailing"],
}


def of_sets(rows: Rows, schema: Any, arguments: Mapping[str, Any]) -> Comparison:
    """Query.compareRuns."""
    sets = [_passing(rows, schema, arguments[name]) for name in ("base", "head")]
    return _compared(rows, *sets, arguments)


def since(rows: Rows, schema: Any, key: tuple[str, str], arguments: Mapping[str, Any]) -> list[Any]:
    """A root connection of what changed since a moment."""
    if not 1 <= arguments["lookBackDays"] <= 36_500:
        raise Refused(Code.ARGUMENT_INVALID, "too few or too many days")
    until = datetime.fromisoformat(arguments["since"])
    least = until - timedelta(days=arguments["lookBackDays"])
    sets: tuple[list[Any], list[Any]] = [], []
    for run in _passing(rows, schema, arguments.get("among")):
        if run.started_at is not None and fields.moment(run.started_at) >= fields.moment(least):
            sets[fields.moment(run.started_at) >= arguments["since"]].append(run)
    return _compared(rows, *sets, arguments).listed(rows, SINCE[key])


def _passing(rows: Rows, schema: Any, where: Mapping[str, Any] | None) -> list[Any]:
    every = rows.all(models.Attempt)
    return [run for run in every if where is None or passes(rows, schema, "AttemptFilter", where, run)]


def _compared(rows: Rows, base: list[Any], head: list[Any], arguments: Mapping[str, Any]) -> Comparison:
    old, new = (_last(rows, runs, arguments["matchedBy"]) for runs in (base, head))
    pairs = [(old.get(key), new.get(key)) for key in old.keys() | new.keys()]
    return Comparison(pairs, arguments["rootCausesOnly"])


def _last(rows: Rows, runs: Iterable[Any], match: str) -> dict[Any, Any]:
    found: dict[Any, list[Any]] = {}
    for run in runs:
        build = rows.get(models.Build, run.build_id)
        is_over = run.status in ("SUCCESS", "FAILED", "CANCELLED")
        if is_over and build.package_id is not None and run.installed_from in (None, "SOURCE"):
            found.setdefault(_thing(rows, build, match), []).append(run)
    return {thing: max(same, key=_when) for thing, same in found.items()}


def _when(run: Any) -> Any:
    return run.started_at is not None, run.started_at and fields.moment(run.started_at), run.id


def _thing(rows: Rows, build: Any, match: str) -> Any:
    spec = rows.get(models.Spec, build.spec_id)
    if spec is None:
        return build.package_id
    if match == "HASH":
        return build.package_id, spec.id
    architecture = rows.get(models.Architecture, spec.architecture_id)
    return (
        build.package_id,
        spec.package_version_id if match == "CONFIGURATION" else None,
        spec.compiler_id,
        spec.parameter_set_id,
        architecture.platform,
        architecture.operating_system,
        rows.get(models.Target, architecture.target_id).name,
    )
