"""Walks over graphs: random ones against a plain search, deep ones, cyclic ones."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spackmon.graph.closure import (
    CyclicGraph,
    TooManyDescendants,
    by_ways,
    children_first,
    descendants,
)
from spackmon.graph.spec import Deptype, Edge, SpecNode, TargetDescription

TARGET = TargetDescription(name="x86_64", document='"x86_64"')


def graph(children: dict[str, list[str]]) -> dict[str, SpecNode]:
    return {
        parent: SpecNode(
            name=f"package-{parent}",
            version="1",
            hash=parent,
            hash_kind="hash",
            hashes=(("hash", parent),),
            platform="linux",
            operating_system="debian12",
            target=TARGET,
            parameters="{}",
            document="{}",
            edges=tuple(Edge(child, Deptype.LINK) for child in below),
        )
        for parent, below in children.items()
    }


@st.composite
def acyclic(draw) -> dict[str, list[str]]:
    count = draw(st.integers(1, 12))
    below = {
        str(node): [str(child) for child in draw(st.sets(st.integers(node + 1, count)))]
        if node < count
        else []
        for node in range(count + 1)
    }
    return {node: below[node] for node in draw(st.permutations(list(below)))}


@given(acyclic())
def test_children_come_first_and_descendants_are_all_that_can_be_reached(children):
    nodes = graph(children)
    order = children_first(nodes)
    assert sorted(order) == sorted(nodes)
    assert all(
        order.index(child) < order.index(parent) for parent, below in children.items() for child in below
    )

    def reached(start: str) -> set[str]:
        return {start}.union(*(reached(child) for child in children[start]))

    assert descendants(nodes) == {node: frozenset(reached(node) - {node}) for node in nodes}


@given(acyclic(), st.data())
def test_by_which_paths_a_node_is_reached_is_what_a_walk_along_them_finds(children, data):
    deptypes = st.integers(1, 15).map(Deptype)
    nodes = {
        key: replace(node, edges=tuple(replace(edge, deptypes=data.draw(deptypes)) for edge in node.edges))
        for key, node in graph(children).items()
    }
    found = by_ways(nodes, descendants(nodes))
    for start in nodes:
        # Each path, as the nodes at its ends and the deptypes of its edges.
        paths = list(_paths(nodes, start))
        linked = {end for end, *edges in paths if all(one & (Deptype.LINK | Deptype.RUN) for one in edges)}
        built = {end for end, *edges in paths if any(one & Deptype.BUILD for one in edges)}
        depth = {end: min(len(edges) for other, *edges in paths if other == end) for end, *_ in paths}
        assert (found[start].by_link_run, found[start].by_build) == (linked, built)
        needed = {edge.child for edge in nodes[start].edges if edge.deptypes & Deptype.BUILD}
        assert found[start].by_caret == linked | needed
        levels = dict(enumerate(found[start].by_depth, 1))
        assert {end: number for number, level in levels.items() for end in level} == depth


def _paths(nodes, start):
    for edge in nodes[start].edges:
        yield edge.child, edge.deptypes
        for end, *deptypes in _paths(nodes, edge.child):
            yield end, edge.deptypes, *deptypes


def test_a_chain_of_100000_specs_is_walked():
    length = 100_000
    nodes = graph({str(i): [str(i + 1)] if i < length else [] for i in range(length + 1)})
    assert children_first(nodes)[0] == str(length)
    with pytest.raises(TooManyDescendants):
        descendants(nodes)


@pytest.mark.parametrize("width", [1, 3])
def test_depths_along_a_deep_graph_are_the_fewest_edges(width):
    length = 600
    nodes = graph(
        {str(i): [str(j) for j in range(i + 1, min(length, i + width) + 1)] for i in range(length + 1)}
    )
    levels = by_ways(nodes, descendants(nodes))["0"].by_depth
    assert [sorted(map(int, level)) for level in levels] == [
        list(range(start, start + width)) for start in range(1, length + 1, width)
    ]


@pytest.mark.parametrize("children", [{"a": ["a"]}, {"a": ["b"], "b": ["c"], "c": ["b"]}])
def test_a_cycle_is_named(children):
    with pytest.raises(CyclicGraph, match="depends on itself") as caught:
        children_first(graph(children))
    assert caught.value.key in children
    assert caught.value.key in children[caught.value.key] or caught.value.key in "bc"
