"""Walks over a spec graph: an order that has children first, and what lies below each node.

No recursion: a chain of 10^5 specs is as good an input as any.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from spackmon.graph.spec import Deptype

Key = TypeVar("Key", bound=Hashable)
Key_co = TypeVar("Key_co", bound=Hashable, covariant=True)

# As numbers: an enum's own operators take ten times as long, and graphs have edges by the hundred thousand.
_LINK_RUN = int(Deptype.LINK | Deptype.RUN)
_BUILD = int(Deptype.BUILD)


class Arrow(Protocol[Key_co]):
    """An edge of a graph of any keys: hashes in a document, numbers of rows in a database."""

    @property
    def child(self) -> Key_co:
        """The key of the node that it leads to."""

    @property
    def deptypes(self) -> int:
        """The sum of the bits of Deptype."""

    @property
    def virtuals(self) -> tuple[str, ...]:
        """What the child provides here."""


class Parent(Protocol[Key_co]):
    """A node of a graph of any keys."""

    @property
    def name(self) -> str:
        """Its package."""

    @property
    def edges(self) -> Sequence[Arrow[Key_co]]:
        """What it depends on."""


class CyclicGraph(ValueError):  # noqa: N818 -- named for what was found
    """A graph in which a spec depends on itself; `key` names a node on the cycle."""

    def __init__(self, name: str, key: object) -> None:
        super().__init__(f"{name}/{key} depends on itself")
        self.name = name
        self.key = key


class TooManyDescendants(ValueError):  # noqa: N818 -- named for what was found
    """A graph whose closure no real one comes near and no table should hold."""


MAXIMUM_DESCENDANTS = 2_000_000
"""Over all nodes together; a graph of 500 specs has about 50,000."""


def children_first(nodes: Mapping[Key, Parent[Key]]) -> list[Key]:
    """The keys of `nodes`, every child before all its parents.

    Edges must end at nodes of the mapping (KeyError). Raises CyclicGraph.
    """
    ordered: list[Key] = []
    entered: dict[Key, bool] = {}  # True once everything below is in the order
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


def descendants(
    nodes: Mapping[Key, Parent[Key]], maximum: int = MAXIMUM_DESCENDANTS
) -> dict[Key, frozenset[Key]]:
    """Every node below each node, by any path of any deptype, itself excluded; keys children first.

    Raises CyclicGraph, and TooManyDescendants for more than `maximum` over all nodes.
    """
    below: dict[Key, frozenset[Key]] = {}
    count = 0
    for parent in children_first(nodes):
        children = {edge.child for edge in nodes[parent].edges}
        below[parent] = frozenset(children.union(*[below[child] for child in children]))
        count += len(below[parent])
        if count > maximum:
            raise TooManyDescendants(f"its {len(nodes)} specs have more than {maximum} descendants")
    return below


class ByWay(NamedTuple, Generic[Key]):
    """What lies below a node, by what paths of dependencies lead there.

    `by_caret` is what `^` in the spec language looks at, and `virtuals` are those that the edges there
    provide, each with the node that provides it: the edges on paths of link and run edges, and the node's own
    to what it needs to build. To `by_link_run` leads a path on which each edge is of deptype link or run, to
    `by_build` one on which at least one edge is of deptype build. `by_depth` has for each number of edges,
    from one on, the nodes to which no shorter path leads.
    """

    by_caret: frozenset[Key]
    virtuals: frozenset[tuple[str, Key]]
    by_link_run: frozenset[Key]
    by_build: frozenset[Key]
    by_depth: tuple[frozenset[Key], ...]


def by_ways(nodes: Mapping[Key, Parent[Key]], below: Mapping[Key, frozenset[Key]]) -> dict[Key, ByWay[Key]]:
    """What lies below each node by paths of each kind; `below` are its `descendants`, children first."""
    found: dict[Key, ByWay[Key]] = {}
    linked_virtuals: dict[Key, frozenset[tuple[str, Key]]] = {}
    for parent, everything in below.items():
        linked, needed, others = [], [], []
        run_virtuals, build_virtuals = [], []
        for edge in nodes[parent].edges:
            deptypes, child = int(edge.deptypes), edge.child
            provided_here = [(virtual, child) for virtual in edge.virtuals]
            if deptypes & _LINK_RUN:
                linked.append(child)
                run_virtuals += provided_here
            if deptypes & _BUILD:
                needed.append(child)
                build_virtuals += provided_here
            else:
                others.append(child)
        children = frozenset(needed).union(others)
        by_link_run = frozenset(linked).union(*[found[child].by_link_run for child in linked])
        virtuals = frozenset(run_virtuals).union(*[linked_virtuals[child] for child in linked])
        linked_virtuals[parent] = virtuals
        by_build = frozenset(needed).union(
            *[below[child] for child in needed], *[found[child].by_build for child in others]
        )
        found[parent] = ByWay(
            _shared(by_link_run.union(needed), everything),
            virtuals.union(build_virtuals),
            _shared(by_link_run, everything),
            _shared(by_build, everything),
            _levels(children, everything, [found[child].by_depth for child in children]),
        )
    return found


def _shared(part: frozenset[Key], everything: frozenset[Key]) -> frozenset[Key]:
    """`part` of what lies below a node: a long chain has millions of elements, four times."""
    return everything if len(part) == len(everything) else part


def _levels(
    children: frozenset[Key], everything: frozenset[Key], levels_of: Sequence[tuple[frozenset[Key], ...]]
) -> tuple[frozenset[Key], ...]:
    """`everything` below a node, by how many edges away it is; `levels_of` each of its `children`."""
    if len(children) == 1:
        return children, *levels_of[0]
    levels = []
    level, deeper = children, set(everything)
    while level:
        levels.append(level)
        deeper -= level
        # Nearly all that there is, is a level or two away: no more is looked for then.
        if not deeper:
            break
        nearer = len(levels) - 1
        reached = [below[nearer] for below in levels_of if nearer < len(below)]
        level = frozenset().union(*reached) & deeper
    return tuple(levels)


def provided(edges: Iterable[Arrow[Key]], seen: Iterable[tuple[str, Key]]) -> dict[tuple[str, Key], int]:
    """Who provides which virtuals to a node or below it, with the deptypes of the node's own `edges`.

    `seen` are the virtuals that `^` looks at.
    """
    found = dict.fromkeys(seen, 0)
    for edge in edges:
        for virtual in edge.virtuals:
            key = virtual, edge.child
            found[key] = found.get(key, 0) | int(edge.deptypes)
    return found
