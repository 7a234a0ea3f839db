"""What analyzers told of the types and functions of two specs' libraries, and what differs in that.

Both analyzers say less than the loader's rules: a finding stands beside the verdict and is no part of it.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, case, exists, func, literal_column, or_, select

from spackmon.abi.interfaces import Change, changes
from spackmon.abi.locations import NotLocations, missing_locations, read_locations
from spackmon.models import Analysis, Attribute, Build
from spackmon.query.abi.abidw import NotAbidw, read_abidw
from spackmon.query.abi.installed import listed
from spackmon.query.sql.json_text import Json, constant

if TYPE_CHECKING:
    from spackmon.query.meanings.statement import Statement

_MOST_RESULTS = 20
_MOST_BYTES = 8 << 20
_MOST_CHARACTERS = 1_000
_SHARED_OBJECT = re.compile(r"\.so(\.|$)")
_ABIDW, _SMEAGLE = "ABIDW", "SMEAGLE"
_BASES = {"abigail": _ABIDW, "libabigail": _ABIDW, "smeagle": _SMEAGLE}
_XML = re.compile(r"\s*<")


@dataclass(frozen=True)
class _Result:
    """One result; `value` is None where it is too large to be read."""

    basis: str
    path: str | None
    value: Any

    @property
    def key(self) -> tuple[str, str]:
        """What it is a result of: the library's name without a version, and the analyzer."""
        return _SHARED_OBJECT.split(os.path.basename(self.path or ""))[0], self.basis


def results_of_spec(statement: "Statement", spec_id: ColumnElement[Any]) -> Json:
    """The results of the latest build of a spec that has some, the first ones of 8 MiB in all, as facts."""
    is_known = Analysis.analyzer.in_([constant(one) for one in _BASES])
    has_results = exists().where(Analysis.attempt_id == Build.newest_attempt_id, is_known)
    latest = select(func.max(Build.id)).where(Build.spec_id == spec_id, has_results).scalar_subquery()
    running = func.sum(Attribute.size_bytes).over(order_by=Attribute.id).label("running")
    fits = running <= literal_column(str(_MOST_BYTES))
    rows = (
        select(
            Analysis.analyzer,
            Attribute.path,
            case((fits, Attribute.value)).label("value"),
            case((fits, Attribute.json_value)).label("json_value"),
        )
        .join(Analysis, Analysis.id == Attribute.analysis_id)
        .join(Build, Build.newest_attempt_id == Analysis.attempt_id)
        .where(
            Build.id == latest, is_known, or_(Attribute.json_value.is_not(None), Attribute.value.is_not(None))
        )
        .order_by(Attribute.id)
        .limit(literal_column(str(_MOST_RESULTS)))
    )
    return listed(statement, rows)


def described_differences(before: list[Any], after: list[Any], most: int) -> list[dict[str, Any]]:
    """The schema's InterfaceDifferences, of the facts of two specs; `most` changes stand in a list."""
    old, new = _by_key(before), _by_key(after)
    found = []
    for key in sorted(old.keys() | new.keys()):
        library, basis = key
        differing, reasons = _compared(old.get(key), new.get(key))
        found.append(
            {
                "library": library,
                "basis": basis,
                "verdict": _verdict(differing, reasons),
                "changeCount": len(differing),
                "changes": [_as_json(one) for one in differing[:most]],
                "undecided": reasons,
            }
        )
    return found


def _by_key(results: Iterable[Any]) -> dict[tuple[str, str], _Result]:
    found: dict[tuple[str, str], _Result] = {}
    for one in _read(results):
        found.setdefault(one.key, one)
    return found


def _read(results: Iterable[Any]) -> Iterator[_Result]:
    for analyzer, path, text, as_json in results:
        value = text if as_json is None else as_json
        basis = _BASES[analyzer]
        # An analyzer may have other results than the description.
        if value is None or basis == _SMEAGLE or (isinstance(value, str) and _XML.match(value)):
            yield _Result(basis, path, value)


def _compared(old: _Result | None, new: _Result | None) -> tuple[list[Change], list[str]]:
    """What differs, and why that may not be all."""
    reasons = [
        f"the analyzer has told nothing of the library of `{name}`"
        for name, one in (("a", old), ("b", new))
        if one is None
    ]
    if old is None or new is None:
        return [], reasons
    if old.value is None or new.value is None:
        return [], [f"of a spec {_MOST_BYTES >> 20} MiB of such results are read"]
    try:
        return _DIFFERENCES[old.basis](old.value, new.value), []
    except (NotAbidw, NotLocations) as problem:
        return [], [f"a result of the analyzer cannot be read: {problem}"]


_DIFFERENCES: Mapping[str, Callable[[Any, Any], list[Change]]] = {
    _ABIDW: lambda old, new: changes(read_abidw(old), read_abidw(new)),
    _SMEAGLE: lambda old, new: missing_locations(read_locations(old), read_locations(new)),
}


def _verdict(differing: list[Change], reasons: list[str]) -> str:
    if any(one.breaks for one in differing):
        return "BREAKS_COMPILED"
    return "UNKNOWN" if reasons else "NOTHING_FOUND"


def _as_json(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind.name,
        "name": _shown(change.name),
        "before": None if change.before is None else _shown(change.before),
        "after": None if change.after is None else _shown(change.after),
        "breaks": change.breaks,
        "reachedFrom": [_shown(one) for one in change.reached_from],
    }


def _shown(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
