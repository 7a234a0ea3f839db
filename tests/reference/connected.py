"""What a spec is connected with by a path of dependencies of a kind."""

from collections.abc import Callable, Mapping
from typing import Any

from spackmon import models
from spackmon.errors import Code, Refused
from spackmon.graph.spec import Deptype
from tests.reference import fields
from tests.reference.language import is_satisfied
from tests.reference.rows import Rows
from tests.reference.walks import is_of

Passes = Callable[[Mapping[str, Any], Any], bool]
"""Whether a spec passes a filter."""


def connected(rows: Rows, row: Any, sought: Mapping[str, Any], passes: Passes, *, upwards: bool) -> bool:
    """Whether what is sought is below a spec, or the spec of a build, or above it."""
    named = [sought.get(one) is not None for one in ("name", "satisfying", "where")]
    if not any(named) or (sought.get("version") is not None and not named[0]):
        raise Refused(Code.ARGUMENT_INVALID, "what it is about is not named")
    spec = rows.get(models.Spec, row.spec_id) if isinstance(row, models.Build) else row
    paths = _paths(rows, spec.id, sought, upwards) if spec is not None else set()
    ends = {end for end, *fits in paths if all(fits)}
    if named[2]:
        # What is refused, is refused wherever a row ends.
        passes(sought["where"], rows.all(models.Spec)[0])
    return any(_is_sought(rows, rows.get(models.Spec, end), sought, passes) for end in sorted(ends))


def _is_sought(rows: Rows, spec: Any, sought: Mapping[str, Any], passes: Passes) -> bool:
    text, where = sought.get("satisfying"), sought.get("where")
    named = {name: fields.value(rows, "Spec", name, spec) for name in ("name", "version")}
    return (
        all(sought.get(name) in (None, value) for name, value in named.items())
        and (text is None or is_satisfied(rows, spec, text, sought.get("as")))
        and (where is None or passes(where, spec))
    )


def _paths(rows: Rows, root: int, sought: Mapping[str, Any], upwards: bool) -> set[tuple[int, bool]]:
    """Where paths end that may be followed, each with whether the way needs no more of it."""
    near, far = ("child_id", "parent_id") if upwards else ("parent_id", "child_id")
    way = sought.get("way") or "ANY"
    found: set[tuple[int, bool]] = set()
    left = [(root, way != "BUILD")]
    while left:
        here, is_enough = left.pop()
        for edge in rows.by(models.Dependency, near, here):
            if not is_of(edge, sought.get("deptypes")) or (
                way == "LINK_RUN" and not is_of(edge, ["LINK", "RUN"])
            ):
                continue
            end = getattr(edge, far), is_enough or bool(edge.deptypes & Deptype.BUILD)
            if end not in found:
                found.add(end)
                left += [] if way == "DIRECT" else [end]
    return found
