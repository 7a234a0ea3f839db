"""Shortest paths against all paths of a small graph, and without end; what graphs have in common."""

from hypothesis import given
from hypothesis import strategies as st

from spackmon.graph.paths import CommonDependency, common, shortest_paths
from spackmon.graph.spec import Deptype, Edge
from tests.graph.random_graphs import node

STEPS = [(parent, child) for parent in range(7) for child in range(parent + 1, 7)]


@given(
    st.lists(st.integers(0, 15), min_size=len(STEPS), max_size=len(STEPS)),
    st.sampled_from([1, 2, 6, 15]),
    st.integers(0, 2),
    st.integers(2, 6),
)
def test_all_shortest_paths_are_found_in_order(types_of_steps, deptypes, source, target):
    edges = [(*step, types) for step, types in zip(STEPS, types_of_steps, strict=True)]

    def paths(here: int) -> list[tuple[int, ...]]:
        if here == target:
            return [(here,)]
        below = {child for parent, child, types in edges if parent == here and types & deptypes}
        return [(here, *path) for child in below for path in paths(child)]

    every = paths(source)
    shortest = min(map(len, every), default=0)
    wanted = sorted(path for path in every if len(path) == shortest)
    found = shortest_paths(edges, source, target, limit=1000, deptypes=Deptype(deptypes))
    assert found == wanted
    assert shortest_paths(edges, source, target, limit=2, deptypes=Deptype(deptypes)) == wanted[:2]


def test_a_limit_keeps_a_graph_of_a_billion_paths_cheap():
    # Thirty diamonds in a row: 2^30 shortest paths.
    edges = [
        edge
        for i in range(0, 90, 3)
        for edge in ((i, i + 1, 2), (i, i + 2, 2), (i + 1, i + 3, 2), (i + 2, i + 3, 2))
    ]
    found = shortest_paths(edges, 0, 90, limit=3)
    assert [len(path) for path in found] == [61] * 3
    assert found == sorted(found)


def test_paths_come_in_the_order_that_is_asked_for_and_a_cycle_ends():
    names = {1: "root", 2: "z", 3: "a", 4: "end"}
    edges = [(1, 2, 1), (2, 4, 1), (1, 3, 1), (3, 4, 1), (4, 1, 1)]
    assert shortest_paths(edges, 1, 4, limit=9, order=names.get) == [(1, 3, 4), (1, 2, 4)]
    assert shortest_paths(edges, 1, 1, limit=9) == [(1,)]
    assert shortest_paths(edges, 1, 5, limit=9) == []


def test_a_deep_path_is_found():
    edges = [(i, i + 1, 2) for i in range(5_000)]
    assert shortest_paths(edges, 0, 5_000, limit=2) == [tuple(range(5_001))]


def test_what_several_specs_depend_on_is_told_by_spec_and_by_version():
    link = Deptype.LINK

    def app(root: str, *below: tuple[str, str, str]):
        edges = tuple(Edge(identity, link) for identity, _, _ in below)
        nodes = {identity: node(identity, name, version) for identity, name, version in below}
        return {root: node(root, root, edges=edges), **nodes}, root

    one = app("one", ("z1", "zlib", "1.2"), ("m1", "mpich", "4"), ("g", "gcc", "12"))
    two = app("two", ("z2", "zlib", "1.2"), ("m2", "mpich", "5"), ("g", "gcc", "12"), ("o", "openssl", "3"))
    assert common([one, two]) == [
        CommonDependency("gcc", (("g",), ("g",)), ("g",), ("12",)),
        CommonDependency("mpich", (("m1",), ("m2",)), (), ()),
        CommonDependency("zlib", (("z1",), ("z2",)), (), ("1.2",)),
    ]
    assert common([one, two], Deptype.RUN) == []
    assert common([]) == []
