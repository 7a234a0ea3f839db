"""Why a spec is in another's graph, and what graphs have in common."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from spackmon.graph.spec import Deptype, SpecNode
from spackmon.graph.traverse import ALL_DEPTYPES, Order, traverse
from spackmon.graph.versions import version_key

Node = TypeVar("Node", bound=Hashable)


def shortest_paths(
    edges: Iterable[tuple[Node, Node, int]],
    source: Node,
    target: Node,
    limit: int,
    *,
    deptypes: Deptype = ALL_DEPTYPES,
    order: Callable[[Node], Any] | None = None,
) -> list[tuple[Node, ...]]:
    """The shortest paths from `source` down to `target`, both included: at most `limit`.

    `edges` are (parent, child, deptypes), of which those with any of `deptypes` are followed. Paths come
    in the order of their nodes, first node first, compared by `order` (by themselves if not given), which
    must tell any two nodes apart.
    """
    parents: dict[Node, set[Node]] = {}
    for parent, child, edge_deptypes in edges:
        if edge_deptypes & deptypes:
            parents.setdefault(child, set()).add(parent)
    toward = _toward(parents, source, target)
    if toward is None:
        return []
    # Every step of `toward` leads to the target, so that no path is begun in vain: the work is what is
    # given back, also where there are a billion paths.
    steps = {
        here: sorted(below, key=order, reverse=True)  # type: ignore[type-var,arg-type]
        for here, below in toward.items()
    }
    paths: list[tuple[Node, ...]] = []
    stack: list[tuple[Node, ...]] = [(source,)]
    while stack and len(paths) < limit:
        path = stack.pop()
        if path[-1] == target:
            paths.append(path)
        else:
            stack += [(*path, below) for below in steps[path[-1]]]
    return paths


def _toward(parents: Mapping[Node, set[Node]], source: Node, target: Node) -> dict[Node, list[Node]] | None:
    """The nodes one step below each, on a shortest way to the target; None if `source` has no way."""
    below: dict[Node, list[Node]] = {target: []}
    level = [target]
    while level and source not in below:
        above: dict[Node, list[Node]] = {}
        for child in level:
            for parent in parents.get(child, ()):
                if parent not in below:
                    above.setdefault(parent, []).append(child)
        below.update(above)
        level = list(above)
    return below if source in below else None


class CommonDependency(NamedTuple):
    """A package below every one of several specs.

    `specs` has for each of them the identities of its specs of that package, in order; `shared` are those
    found below all, `shared_versions` the versions.
    """

    name: str
    specs: tuple[tuple[str, ...], ...]
    shared: tuple[str, ...]
    shared_versions: tuple[str, ...]


def common(
    graphs: Sequence[tuple[Mapping[str, SpecNode], str]], deptypes: Deptype = ALL_DEPTYPES
) -> list[CommonDependency]:
    """The packages that every root depends on along edges of `deptypes`, by name; none for no graphs.

    A graph is its nodes and its root. Edges must end at nodes of their graph (KeyError).
    """
    by_graph = [_below_by_name(nodes, root, deptypes) for nodes, root in graphs]
    if not by_graph:
        return []
    names = set(by_graph[0]).intersection(*by_graph[1:])
    return [_common(name, [found[name] for found in by_graph]) for name in sorted(names)]


def _below_by_name(nodes: Mapping[str, SpecNode], root: str, deptypes: Deptype) -> dict[str, list[SpecNode]]:
    by_name: dict[str, list[SpecNode]] = {}
    for visit in traverse(nodes, root, Order.PRE, deptypes)[1:]:
        node = nodes[visit.hash]
        by_name.setdefault(node.name, []).append(node)
    return by_name


def _common(name: str, specs: list[list[SpecNode]]) -> CommonDependency:
    identities = [sorted(node.hash for node in found) for found in specs]
    versions = [{node.version for node in found} for found in specs]
    return CommonDependency(
        name=name,
        specs=tuple(map(tuple, identities)),
        shared=tuple(sorted(set(identities[0]).intersection(*identities[1:]))),
        shared_versions=tuple(sorted(versions[0].intersection(*versions[1:]), key=version_key)),
    )
