"""Walks over graphs: random ones against a plain search, deep ones, cyclic ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spackmon.graph.closure import CyclicGraph, TooManyDescendants, children_first, descendants
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


def test_a_chain_of_100000_specs_is_walked():
    length = 100_000
    nodes = graph({str(i): [str(i + 1)] if i < length else [] for i in range(length + 1)})
    assert children_first(nodes)[0] == str(length)
    with pytest.raises(TooManyDescendants):
        descendants(nodes)


@pytest.mark.parametrize("children", [{"a": ["a"]}, {"a": ["b"], "b": ["c"], "c": ["b"]}])
def test_a_cycle_is_named(children):
    with pytest.raises(CyclicGraph, match="depends on itself") as caught:
        children_first(graph(children))
    assert caught.value.key in children
    assert caught.value.key in children[caught.value.key] or caught.value.key in "bc"
