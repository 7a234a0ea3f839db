"""Walks over a spec graph: an order that has children first, and what lies below each node.

No recursion: a chain of 10^5 specs is as good an input as any.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
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
    for parent in below:
        edges = nodes[parent].edges
        by_link_run = [edge for edge in edges if int(edge.deptypes) & _LINK_RUN]
        to_build = [edge for edge in edges if int(edge.deptypes) & _BUILD]
        linked = _children(by_link_run).union(*[found[edge.child].by_link_run for edge in by_link_run])
        virtuals = _virtuals(by_link_run).union(*[linked_virtuals[edge.child] for edge in by_link_run])
        needed = _children(to_build)
        others = {edge.child for edge in edges} - needed
        linked_virtuals[parent] = virtuals
        found[parent] = ByWay(
            linked | needed,
            virtuals | _virtuals(to_build),
            linked,
            needed.union(*[below[child] for child in needed], *[found[child].by_build for child in others]),
            tuple(_levels(edges, found)),
        )
    return found


def _levels(edges: Sequence[Arrow[Key]], found: Mapping[Key, ByWay[Key]]) -> Iterator[frozenset[Key]]:
    """What lies below a node with these edges, by how many edges away it is."""
    level = _children(edges)
    below = [found[child].by_depth for child in level]
    nearer = level
    depth = 0
    while level:
        yield level
        level = frozenset().union(*[levels[depth] for levels in below if depth < len(levels)]) - nearer
        nearer |= level
        depth += 1


def _children(edges: Iterable[Arrow[Key]]) -> frozenset[Key]:
    return frozenset([edge.child for edge in edges])


def _virtuals(edges: Iterable[Arrow[Key]]) -> frozenset[tuple[str, Key]]:
    return frozenset([(virtual, edge.child) for edge in edges for virtual in edge.virtuals])


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
