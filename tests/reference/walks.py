"""The specs of a graph, found edge by edge."""

from typing import Any

from spackmon import models
from spackmon.graph.spec import Deptype
from tests.reference.rows import Rows


def graph(rows: Rows, root: int, depth: int | None = None, deptypes: list[str] | None = None) -> list[Any]:
    """The specs of a graph, its root first, found by walking its edges level by level."""
    level, seen = [root], {root}
    while level and (depth is None or depth > 0):
        edges = [edge for parent in level for edge in rows.by(models.Dependency, "parent_id", parent)]
        below = {edge.child_id for edge in edges if is_of(edge, deptypes)} - seen
        level = sorted(below)
        seen |= below
        depth = None if depth is None else depth - 1
    return [rows.get(models.Spec, spec_id) for spec_id in (root, *sorted(seen - {root}))]


def is_of(edge: Any, deptypes: list[str] | None) -> bool:
    """Whether an edge has one of these deptypes; all are meant by None."""
    return deptypes is None or any(Deptype[name] & edge.deptypes for name in deptypes)


def above(rows: Rows, spec_id: int) -> list[Any]:
    """The specs that depend on one, at any depth."""
    found: set[int] = set()
    left = [spec_id]
    while left:
        new = {edge.parent_id for edge in rows.by(models.Dependency, "child_id", left.pop())} - found
        found |= new
        left += new
    return [rows.get(models.Spec, one) for one in sorted(found)]
