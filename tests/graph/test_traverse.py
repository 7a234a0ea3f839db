"""Walks in Spack's orders, against Spack 1.2's own (tests/data/oracle)."""

import pytest

from spackmon.graph.spec import Deptype, Edge
from spackmon.graph.traverse import ALL_DEPTYPES, Order, traverse
from tests.graph import oracle
from tests.graph.random_graphs import node

WALKS = {
    "pre_all": (Order.PRE, ALL_DEPTYPES),
    "post_all": (Order.POST, ALL_DEPTYPES),
    "link_run": (Order.PRE, Deptype.LINK | Deptype.RUN),
    "breadth": (Order.BREADTH, ALL_DEPTYPES),
    "topo": (Order.TOPO, ALL_DEPTYPES),
}


@pytest.mark.parametrize("walk", WALKS)
def test_nodes_come_in_the_order_of_spack(walk):
    answers = oracle.rows("traverse")
    assert answers
    for answer in answers:
        nodes = oracle.graphs()[answer["hash"]]
        assert [visit.hash for visit in traverse(nodes, answer["hash"], *WALKS[walk])] == answer[walk]


def test_a_limit_of_depth_counts_the_shortest_way():
    link = Deptype.LINK
    nodes = {
        "a": node("a", "a", edges=(Edge("b", link), Edge("d", link))),
        "b": node("b", "b", edges=(Edge("c", link),)),
        "c": node("c", "c", edges=(Edge("d", link),)),
        "d": node("d", "d", edges=(Edge("e", link),)),
        "e": node("e", "e"),
    }
    for order in Order:
        within = {
            limit: {v.hash for v in traverse(nodes, "a", order, maximum_depth=limit)} for limit in range(4)
        }
        assert within == {0: set("a"), 1: set("abd"), 2: set("abcde"), 3: set("abcde")}


def test_a_visit_says_through_which_edge_it_came():
    nodes = {"a": node("a", edges=(Edge("b", Deptype.RUN, ("mpi",)),)), "b": node("b")}
    _, below = traverse(nodes, "a")
    assert (below.depth, below.parent, below.edge) == (1, "a", Edge("b", Deptype.RUN, ("mpi",)))


@pytest.mark.parametrize("order", Order)
def test_a_chain_of_10000_specs_is_walked(order):
    length = 10_000
    nodes = {
        str(i): node(str(i), edges=(Edge(str(i + 1), Deptype.LINK),) if i < length else ())
        for i in range(length + 1)
    }
    assert len(traverse(nodes, "0", order)) == length + 1


@pytest.mark.parametrize("order", Order)
def test_a_cycle_ends(order):
    nodes = {
        "a": node("a", edges=(Edge("b", Deptype.LINK),)),
        "b": node("b", edges=(Edge("b", Deptype.RUN), Edge("a", Deptype.LINK))),
    }
    assert len(traverse(nodes, "a", order)) <= 2
