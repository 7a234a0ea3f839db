"""What follows from the edges of specs: what lies below each, who provides what, what builds contain.

`recompute_closures` writes the difference between what is stored and what the edges say, for some specs and
all above them; who calls it owns the graphs (`locks`), or has just created these specs.
"""

import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection

from spackmon.graph.closure import ByWay, by_ways, descendants, provided
from spackmon.ingest.rows import insert_rows, over_rows
from spackmon.ingest.tables.build_contents import add_contents, change_contents, forget_contents
from spackmon.ingest.tables.closure_pairs import ClosureRow, how, replace_pairs
from spackmon.ingest.tables.package_sets import write_sets

DEPENDENCIES = insert_rows("dependency", "parent_id bigint, child_id bigint, virtuals text, deptypes integer")

_PROVIDED_VIRTUALS = insert_rows(
    "provided_virtual",
    "virtual text, spec_id bigint, child_id bigint, deptypes integer, by_caret integer",
    {
        "virtual": "i.virtual", "spec_id": "i.spec_id", "child_id": "i.child_id", "deptypes": "i.deptypes",
        "by_caret": "i.by_caret <> 0",
    },
)  # fmt: skip

_OTHER_COMPILERS = over_rows(
    "spec_id bigint, language text, name text, version text",
    """
    INSERT INTO other_compiler (spec_id, language, compiler_id)
    SELECT i.spec_id, i.language, c.id FROM {input} i
    JOIN compiler c ON c.name = i.name AND c.version = i.version
    """,
)

_ANCESTORS = over_rows(
    "id bigint",
    "SELECT DISTINCT c.ancestor_id FROM {input} i JOIN closure_above c ON c.descendant_id = i.id",
)

_EDGES = over_rows(
    "id bigint",
    "SELECT d.parent_id, d.child_id, d.virtuals, d.deptypes FROM {input} i "
    "JOIN dependency d ON d.parent_id = i.id",
)

_STORED_VIRTUALS = over_rows(
    "id bigint",
    "SELECT v.virtual, v.spec_id, v.child_id, v.deptypes, v.by_caret FROM {input} i "
    "JOIN provided_virtual v ON v.spec_id = i.id",
)

_DELETE_VIRTUALS = over_rows(
    "virtual text, spec_id bigint, child_id bigint",
    """
    DELETE FROM provided_virtual WHERE (virtual, spec_id, child_id) IN (
        SELECT i.virtual, i.spec_id, i.child_id FROM {input} i
    )
    """,
)

_BUILDS = over_rows("id bigint", "SELECT b.id, b.spec_id FROM {input} i JOIN build b ON b.spec_id = i.id")

# Nobody's whole graph, but a part of a database can have any number of descendants.
_ANY_NUMBER = 1 << 62
_SPECS_AT_ONCE = 500

Key = TypeVar("Key", bound=Hashable)


class Edge(NamedTuple):
    """An edge between rows."""

    child: int
    deptypes: int
    virtuals: tuple[str, ...]


class Node(NamedTuple):
    """A spec with its edges, for the walks of `graph.closure`."""

    name: str
    edges: list[Edge]


def insert_dependencies(connection: Connection, edges: Mapping[tuple[int, int, str], int]) -> None:
    """Insert edges: (parent, child, virtuals as JSON) with the deptypes of each."""
    DEPENDENCIES.run(connection, [(*edge, deptypes) for edge, deptypes in sorted(edges.items())])


def insert_other_compilers(
    connection: Connection, compilers: Iterable[tuple[int, str, tuple[str, str]]]
) -> None:
    """Insert what compiles a language of a spec beside its own compiler; the compilers are there."""
    rows = sorted((spec_id, language, *named) for spec_id, language, named in compilers)
    _OTHER_COMPILERS.run(connection, rows)


def closure_of(parent: int, found: ByWay[Key], id_of: Callable[[Key], int]) -> list[ClosureRow]:
    """The rows of all that is found below a spec: its id, theirs, and how they are connected."""
    by_caret, by_link_run, by_build = found.by_caret, found.by_link_run, found.by_build
    return [
        (
            parent,
            id_of(child),
            how(depth, child in by_caret, child in by_link_run, child in by_build),
        )
        for depth, level in enumerate(found.by_depth, 1)
        for child in level
    ]


def insert_provided_virtuals(connection: Connection, rows: Iterable[tuple[str, int, int, int, bool]]) -> None:
    """Insert (virtual, spec, provider, deptypes of the spec's own edge, whether `^` sees it)."""
    _PROVIDED_VIRTUALS.run(connection, sorted((*row[:4], int(row[4])) for row in rows))


def ancestors_of(connection: Connection, spec_ids: Iterable[int]) -> set[int]:
    """All specs above some, as stored."""
    return {row.ancestor_id for row in _ANCESTORS.run(connection, _ids(spec_ids))}


@dataclass(slots=True)
class Derived:
    """How many rows were not what the edges say."""

    closure: int = 0
    provided_virtuals: int = 0
    package_sets: int = 0


def recompute_closures(
    connection: Connection, spec_ids: Iterable[int], above: Iterable[int] = (), moved: Iterable[int] = ()
) -> None:
    """Make what follows from the edges of some specs right, for them and for all above them.

    `above` are further specs that may be above, by edges that are gone; to `moved` builds of others may have
    come. Raises CyclicGraph.
    """
    changed = set(spec_ids)
    write_closures(connection, changed | ancestors_of(connection, changed) | set(above))
    for build in _BUILDS.run(connection, _ids(moved)):
        forget_contents(connection, build.id)
        add_contents(connection, build.id, build.spec_id)


def write_closures(connection: Connection, spec_ids: Iterable[int]) -> Derived:
    """Make what follows from edges right, for these specs and their builds; tells what differed.

    Raises CyclicGraph.
    """
    affected = set(spec_ids)
    nodes = _graph_below(connection, affected)
    below = descendants(nodes, _ANY_NUMBER)
    found = by_ways(nodes, below)
    differences = Derived()
    # Memory holds the stored rows of some specs, not of a database.
    ordered = [spec_id for spec_id in below if spec_id in affected]
    for start in range(0, len(ordered), _SPECS_AT_ONCE):
        some = ordered[start : start + _SPECS_AT_ONCE]
        closure = {row for spec_id in some for row in closure_of(spec_id, found[spec_id], int)}
        differences.closure += _write_closure(connection, some, closure)
        virtuals = {
            (virtual, spec_id, child): (deptypes, (virtual, child) in found[spec_id].virtuals)
            for spec_id in some
            for (virtual, child), deptypes in provided(nodes[spec_id].edges, found[spec_id].virtuals).items()
        }
        differences.provided_virtuals += _write_virtuals(connection, some, virtuals)
        differences.package_sets += write_sets(connection, {spec_id: below[spec_id] for spec_id in some})
    return differences


def _write_closure(connection: Connection, spec_ids: Sequence[int], closure: set[ClosureRow]) -> int:
    wrong, there = replace_pairs(connection, spec_ids, closure)
    change_contents(connection, wrong - there, there - wrong)
    return len(wrong | there)


def _write_virtuals(
    connection: Connection,
    spec_ids: Sequence[int],
    virtuals: Mapping[tuple[str, int, int], tuple[int, bool]],
) -> int:
    stored = {
        (row[0], row[1], row[2]): (row[3], bool(row[4]))
        for row in _STORED_VIRTUALS.run(connection, _ids(spec_ids))
    }
    wrong = {key for key, value in stored.items() if virtuals.get(key) != value}
    missing = {key for key, value in virtuals.items() if stored.get(key) != value}
    _DELETE_VIRTUALS.run(connection, sorted(wrong))
    insert_provided_virtuals(connection, [(*key, *virtuals[key]) for key in missing])
    return len(wrong | missing)


def _graph_below(connection: Connection, spec_ids: set[int]) -> dict[int, Node]:
    """The edges of some specs and of all below them, level by level: closures may be what is wrong."""
    nodes: dict[int, Node] = {}
    level = spec_ids
    while level:
        nodes |= _nodes(connection, level)
        level = {edge.child for spec_id in level for edge in nodes[spec_id].edges} - nodes.keys()
    return nodes


def _nodes(connection: Connection, spec_ids: Iterable[int]) -> dict[int, Node]:
    nodes = {spec_id: Node("spec", []) for spec_id in spec_ids}
    for parent, child, virtuals, deptypes in _EDGES.run(connection, _ids(nodes)):
        nodes[parent].edges.append(Edge(child, deptypes, _texts(virtuals)))
    return nodes


def _texts(document: str) -> tuple[str, ...]:
    return tuple(json.loads(document)) if document != "[]" else ()


def _ids(spec_ids: Iterable[int]) -> list[tuple[int]]:
    return sorted((spec_id,) for spec_id in set(spec_ids))
