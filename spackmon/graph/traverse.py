"""The orders in which Spack walks a spec and what it depends on (`spack.traverse` in Spack 1.2).

Below a node its dependencies come by name. Every walk visits a node once and is made without recursion.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from typing import NamedTuple, Protocol, TypeAlias

from spackmon.graph.spec import Deptype, Edge

ALL_DEPTYPES = Deptype.BUILD | Deptype.LINK | Deptype.RUN | Deptype.TEST

Children: TypeAlias = Callable[[str], tuple[Edge, ...]]
"""The edges to follow below a node, in order."""


class Node(Protocol):
    """What a walk has to know of a spec."""

    @property
    def name(self) -> str:
        """Its package."""

    @property
    def edges(self) -> Sequence[Edge]:
        """What it leads to."""


class Turned(NamedTuple):
    """A spec whose edges lead to what depends on it."""

    name: str
    edges: list[Edge]


class Order(Enum):
    """When a node is visited: before what is below it, after it, by distance, or after all its parents."""

    PRE = "pre"
    POST = "post"
    BREADTH = "breadth"
    TOPO = "topo"


class Visit(NamedTuple):
    """A node reached through `edge` of `parent` (None for the root), `depth` edges below the root."""

    hash: str
    depth: int
    parent: str | None
    edge: Edge | None


def traverse(
    nodes: Mapping[str, Node],
    root: str,
    order: Order = Order.PRE,
    deptypes: Deptype = ALL_DEPTYPES,
    maximum_depth: int | None = None,
) -> list[Visit]:
    """The visits of a walk from `root` along edges of any of `deptypes`.

    `maximum_depth` leaves out what no path of so few edges reaches. Edges must end at nodes of the mapping
    (KeyError); a cycle is walked once, in the order TOPO its nodes are left out.
    """
    children = dependencies(nodes, deptypes)
    if maximum_depth is not None:
        children = _near(children, root, maximum_depth)
    start = Visit(root, 0, None, None)
    if order is Order.BREADTH:
        return list(_breadth_first(start, children))
    if order is Order.TOPO:
        return list(_parents_first(start, children))
    return list(_depth_first(start, children, after=order is Order.POST))


def turned(nodes: Mapping[str, Node]) -> dict[str, Turned]:
    """The same graph with each edge the other way round; an edge that ends at no node of it is left out."""
    found = {key: Turned(node.name, []) for key, node in nodes.items()}
    for key, node in nodes.items():
        for edge in node.edges:
            if edge.child in found:
                found[edge.child].edges.append(Edge(key, edge.deptypes, edge.virtuals))
    return found


def dependencies(nodes: Mapping[str, Node], deptypes: Deptype = ALL_DEPTYPES) -> Children:
    """The edges of a node of `nodes` that have any of `deptypes`, as Spack orders them."""

    def followed(parent: str) -> tuple[Edge, ...]:
        edges = [edge for edge in nodes[parent].edges if edge.deptypes & deptypes]
        # One name may have two edges. Spack leaves open which of two that differ in their child alone is
        # first; an answer must not.
        edges.sort(
            key=lambda edge: (nodes[edge.child].name, edge.deptypes, sorted(edge.virtuals), edge.child)
        )
        return tuple(edges)

    return followed


def _below(visit: Visit, children: Children) -> Iterator[Visit]:
    return (Visit(edge.child, visit.depth + 1, visit.hash, edge) for edge in children(visit.hash))


def _near(children: Children, root: str, maximum_depth: int) -> Children:
    near = {
        visit.hash
        for visit in _breadth_first(Visit(root, 0, None, None), children)
        if visit.depth <= maximum_depth
    }
    return lambda parent: tuple(edge for edge in children(parent) if edge.child in near)


def _depth_first(start: Visit, children: Children, *, after: bool) -> Iterator[Visit]:
    seen = {start.hash}
    path = [(start, _below(start, children))]
    if not after:
        yield start
    while path:
        here, below = path[-1]
        step = next((visit for visit in below if visit.hash not in seen), None)
        if step is None:
            path.pop()
            if after:
                yield here
            continue
        seen.add(step.hash)
        path.append((step, _below(step, children)))
        if not after:
            yield step


def _breadth_first(start: Visit, children: Children) -> Iterator[Visit]:
    seen = {start.hash}
    queue = deque([start])
    while queue:
        here = queue.popleft()
        yield here
        for visit in _below(here, children):
            if visit.hash not in seen:
                seen.add(visit.hash)
                queue.append(visit)


def _parents_first(start: Visit, children: Children) -> Iterator[Visit]:
    below = {visit.hash: list(_below(visit, children)) for visit in _breadth_first(start, children)}
    waiting: dict[str, int] = {}
    for visits in below.values():
        for visit in visits:
            waiting[visit.hash] = waiting.get(visit.hash, 0) + 1
    queue = deque([start])
    while queue:
        here = queue.popleft()
        yield here
        for visit in below[here.hash]:
            waiting[visit.hash] -= 1
            if not waiting[visit.hash]:
                queue.append(visit)
