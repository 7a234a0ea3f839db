"""Walks through what a spec depends on, and through what depends on it."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import CompoundSelect, Integer, Select, literal_column, select, union_all

from spackmon.errors import Code, Refused
from spackmon.graph.spec import Deptype, Edge
from spackmon.graph.traverse import ALL_DEPTYPES, Node, Order, Turned, traverse, turned
from spackmon.models import ClosureAbove
from spackmon.query.graph.spec_nodes import GRAPH, deptypes, graph_nodes
from spackmon.query.speclang.expressions import itself_and_descendants
from spackmon.query.sql.conditions import Filtering
from spackmon.query.sql.scope import Scope
from spackmon.query.sql.values import Given

Arguments = Mapping[str, Any]

MAXIMUM_DEPENDENTS = 500
"""A package such as zlib has tens of thousands; `transitiveDependents` gives these by pages."""

_DEPENDENTS = "DEPENDENTS"
_NODE = "hash name dependencies(first: 500) { nodes { child { hash } deptypes virtuals } }"


def facts_for_walk(arguments: Arguments) -> str:
    """The selection on a spec that a walk in this direction needs."""
    if arguments["direction"] != _DEPENDENTS:
        return f"{{ {GRAPH} }}"
    near = "" if arguments.get("maximumDepth") is None else ", where: {depth: {le: $maximumDepth}}"
    above = f"totalCount nodes {{ parent {{ {_NODE} }} }}"
    return f"""query($maximumDepth: Int) {{
      hash name transitiveDependents(first: {MAXIMUM_DEPENDENTS}{near}) {{ {above} }}
    }}"""


def spec_walk(facts: Any, arguments: Arguments) -> list[dict[str, Any]]:
    """The visits of a walk; Refused QUERY_TOO_LARGE where too many specs are above."""
    nodes: Mapping[str, Node]
    if arguments["direction"] == _DEPENDENTS:
        nodes = _above(facts)
    else:
        nodes, _ = graph_nodes(facts, "")
    visits = traverse(
        nodes, facts["hash"], Order(arguments["order"]), followed(arguments), arguments.get("maximumDepth")
    )
    return [
        {
            "spec": visit.hash,
            "depth": visit.depth,
            "parent": visit.parent,
            "deptypes": _names(visit.edge.deptypes) if visit.edge else [],
        }
        for visit in visits
    ]


def walked(
    row: Scope, arguments: Mapping[str, Given], compilation: Filtering
) -> CompoundSelect[Any] | Select[Any]:
    """The ids of all specs that a walk may visit."""
    if compilation.decided(arguments["direction"]) != _DEPENDENTS:
        return itself_and_descendants(row)
    closure = ClosureAbove.__table__.alias()
    above = select(closure.c.ancestor_id.label("id")).where(closure.c.descendant_id == row.row_id)
    depth = arguments.get("maximumDepth")
    if depth is not None and depth.value is not None:
        above = above.where(closure.c.depth <= compilation.bind(depth, Integer()))
    # Where there are more, nothing is answered.
    few = above.limit(literal_column(str(MAXIMUM_DEPENDENTS))).correlate_except(closure).subquery()
    return union_all(select(row.row_id.label("id")).correlate_except(None), select(few.c.id))


def followed(arguments: Arguments) -> Deptype:
    """The deptypes of the edges to follow."""
    named = arguments.get("deptypes")
    return ALL_DEPTYPES if named is None else deptypes(named)


def _above(facts: Any) -> Mapping[str, Node]:
    found = facts["transitiveDependents"]
    if found["totalCount"] > MAXIMUM_DEPENDENTS:
        raise Refused(
            Code.QUERY_TOO_LARGE,
            f"a walk visits at most {MAXIMUM_DEPENDENTS} dependents, here are {found['totalCount']:,}: "
            "give a `maximumDepth`, or ask for `transitiveDependents` by pages",
        )
    above = {one["parent"]["hash"]: one["parent"] for one in found["nodes"]}
    nodes = {identity: Turned(spec["name"], list(_edges(spec))) for identity, spec in above.items()}
    return turned({**nodes, facts["hash"]: Turned(facts["name"], [])})


def _edges(spec: Mapping[str, Any]) -> Iterable[Edge]:
    for edge in spec["dependencies"]["nodes"]:
        yield Edge(edge["child"]["hash"], deptypes(edge["deptypes"]), tuple(edge["virtuals"]))


def _names(bits: Deptype) -> list[str]:
    return [one.name for one in Deptype if one & bits and one.name]
