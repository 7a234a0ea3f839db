"""Walks over a spec graph: an order that has children first, and what lies below each node.

No recursion: a chain of 10^5 specs is as good an input as any.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from spackmon.graph.spec import Deptype, Edge, SpecNode

# As numbers: an enum's own operators take ten times as long, and graphs have edges by the hundred thousand.
_LINK_RUN = int(Deptype.LINK | Deptype.RUN)
_BUILD = int(Deptype.BUILD)


class CyclicGraph(ValueError):  # noqa: N818 -- named for what was found
    """A graph in which a spec depends on itself; `hash` is the identity of a node on the cycle."""

    def __init__(self, name: str, hash: str) -> None:  # noqa: A002 -- the field's own word
        super().__init__(f"{name}/{hash} depends on itself")
        self.hash = hash


class TooManyDescendants(ValueError):  # noqa: N818 -- named for what was found
    """A graph whose closure no real one comes near and no table should hold."""


MAXIMUM_DESCENDANTS = 2_000_000
"""Over all nodes together; a graph of 500 specs has about 50,000."""


def children_first(nodes: Mapping[str, SpecNode]) -> list[str]:
    """The identity hashes of `nodes`, every child before all its parents.

    Edges must end at nodes of the mapping (KeyError). Raises CyclicGraph.
    """
    ordered: list[str] = []
    entered: dict[str, bool] = {}  # True once everything below is in the order
    for start in nodes:
        if start in entered:
            continue
        entered[start] = False
        path = [(start, iter(nodes[start].edges))]
        while path:
            parent, edges = path[-1]
            for edge in edges:
                done = entered.get(edge.child)
                if done is None:
                    entered[edge.child] = False
                    path.append((edge.child, iter(nodes[edge.child].edges)))
                    break
                if not done:
                    raise CyclicGraph(nodes[edge.child].name, edge.child)
            else:
                entered[parent] = True
                ordered.append(parent)
                path.pop()
    return ordered


def descendants(nodes: Mapping[str, SpecNode]) -> dict[str, frozenset[str]]:
    """Every node below each node, by any path of any deptype, itself excluded; keys children first.

    Raises CyclicGraph, and TooManyDescendants for more than MAXIMUM_DESCENDANTS.
    """
    below: dict[str, frozenset[str]] = {}
    count = 0
    for parent in children_first(nodes):
        children = {edge.child for edge in nodes[parent].edges}
        below[parent] = frozenset(children.union(*[below[child] for child in children]))
        count += len(below[parent])
        if count > MAXIMUM_DESCENDANTS:
            raise TooManyDescendants(
                f"its {len(nodes)} specs have more than {MAXIMUM_DESCENDANTS} descendants"
            )
    return below


class Seen(NamedTuple):
    """Nodes, and the virtuals that edges provide, each with the node that provides it."""

    nodes: frozenset[str]
    virtuals: frozenset[tuple[str, str]]


def seen_by_caret(nodes: Mapping[str, SpecNode]) -> dict[str, Seen]:
    """What `^` in the spec language looks at from each node.

    That are the edges on paths of link and run edges, and the node's own to what it needs to build.
    """
    linked: dict[str, Seen] = {}
    seen: dict[str, Seen] = {}
    for parent in children_first(nodes):
        edges = nodes[parent].edges
        by_link_run = [edge for edge in edges if int(edge.deptypes) & _LINK_RUN]
        linked[parent] = _joined(by_link_run, [linked[edge.child] for edge in by_link_run])
        to_build = [edge for edge in edges if int(edge.deptypes) & _BUILD]
        seen[parent] = _joined(to_build, [linked[parent]])
    return seen


def _joined(edges: Sequence[Edge], below: Sequence[Seen]) -> Seen:
    return Seen(
        frozenset(edge.child for edge in edges).union(*(seen.nodes for seen in below)),
        frozenset((virtual, edge.child) for edge in edges for virtual in edge.virtuals).union(
            *(seen.virtuals for seen in below)
        ),
    )
