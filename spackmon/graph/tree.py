"""A spec and what it depends on as an indented tree, as `spack spec` prints it (`spack.spec.tree` in 1.2)."""

from collections.abc import Iterator, Mapping

from spackmon.graph.format import DEFAULT_FORMAT, format_spec
from spackmon.graph.spec import Deptype, SpecNode
from spackmon.graph.spec_text import dag_hash
from spackmon.graph.traverse import ALL_DEPTYPES, Order, Visit, dependencies, traverse

HASH_LENGTH = 7


def tree(
    nodes: Mapping[str, SpecNode],
    root: str,
    *,
    hashes: bool = False,
    types: bool = False,
    deptypes: Deptype = ALL_DEPTYPES,
    template: str = DEFAULT_FORMAT,
    specfile_versions: Mapping[str, int] | None = None,
) -> str:
    """The lines of the tree below `root`, each node once, under the parent that is nearest to the root.

    With `hashes` each begins with the node's short hash, with `types` with the first letters of the
    deptypes by which anything in the tree needs it. Edges must end at nodes of the mapping (KeyError).
    For `specfile_versions` see `format_spec`. Raises BadFormat.
    """
    visits = traverse(nodes, root, Order.BREADTH, deptypes)
    needed = _needed(nodes, visits, deptypes) if types else {}
    lines = []
    for visit in _below_their_parents(visits):
        node = nodes[visit.hash]
        shown_hash = f"{dag_hash(node)[:HASH_LENGTH]}  " if hashes else ""
        shown_types = f"[{_letters(needed.get(visit.hash, Deptype(0)))}]  " if types else ""
        branch = "    " * visit.depth + ("^" if visit.depth else "")
        printed = format_spec(nodes, visit.hash, template, specfile_versions=specfile_versions)
        lines.append(f"{shown_hash}{shown_types}{branch}{printed}\n")
    return "".join(lines)


def _below_their_parents(visits: list[Visit]) -> Iterator[Visit]:
    below: dict[str | None, list[Visit]] = {}
    for visit in reversed(visits):
        below.setdefault(visit.parent, []).append(visit)
    stack = below.pop(None)
    while stack:
        visit = stack.pop()
        yield visit
        stack += below.get(visit.hash, ())


def _needed(nodes: Mapping[str, SpecNode], visits: list[Visit], deptypes: Deptype) -> dict[str, Deptype]:
    children = dependencies(nodes, deptypes)
    needed: dict[str, Deptype] = {}
    for visit in visits:
        for edge in children(visit.hash):
            needed[edge.child] = needed.get(edge.child, Deptype(0)) | edge.deptypes
    return needed


def _letters(deptypes: Deptype) -> str:
    return "".join(str(deptype.name)[0].lower() if deptype in deptypes else " " for deptype in Deptype)
