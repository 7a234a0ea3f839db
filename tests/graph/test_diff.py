"""Differences of specs: Spack 1.2's own lists of facts (tests/data/oracle), and ours, which agree."""

import json

import pytest
from hypothesis import given

from spackmon.graph.diff import Change, ChangeKind, NodeDifference, Status, diff
from spackmon.graph.facts import compare_facts, facts, own_facts
from spackmon.graph.spec import Deptype, Edge
from tests.graph import oracle
from tests.graph.random_graphs import graphs, node

ATTRIBUTES = {
    ChangeKind.NAMESPACE: {"namespace"},
    ChangeKind.VERSION: {"version"},
    ChangeKind.VARIANTS: {"variant_value"},
    ChangeKind.FLAGS: {"node_flag"},
    ChangeKind.ARCHITECTURE: {"node_platform", "node_os", "node_target"},
    ChangeKind.DEPENDENCIES: {"depends_on", "virtual_on_edge"},
    ChangeKind.RECIPE: {"package_hash"},
}


@pytest.mark.parametrize("row", oracle.rows("diff"), ids=lambda row: row["result"]["a_name"].split("/")[0])
def test_the_facts_are_those_of_spack_diff(row):
    a, b = row["a"], row["b"]
    found = compare_facts(oracle.graphs()[a], a, oracle.graphs()[b], b, row["ignore"])
    assert json.loads(json.dumps(found._asdict())) == row["result"]


def agrees_with_the_facts(a_nodes, a, b_nodes, b):
    differences = diff(a_nodes, a, b_nodes, b)
    for status, old, old_root, new, new_root in (
        (Status.ADDED, a_nodes, a, b_nodes, b),
        (Status.REMOVED, b_nodes, b, a_nodes, a),
    ):
        old_names, new_names = stated_names(old, old_root), stated_names(new, new_root)
        found = {d.name for d in differences if d.status is status}
        assert found.isdisjoint(old_names)
        # Below the root Spack does not look at run-time libraries; we do.
        assert new_names - old_names <= found | {known.name for known in old.values()}
    for difference in differences:
        if difference.status not in (Status.ADDED, Status.REMOVED):
            changed = what_spack_states(a_nodes, difference.a) ^ what_spack_states(b_nodes, difference.b)
            assert (difference.status is Status.UNCHANGED) == (not changed)
            attributes = {fact.attribute for fact in changed}
            kinds = {change.kind for change in difference.changes}
            for kind, theirs in ATTRIBUTES.items():
                assert (kind in kinds) == bool(attributes & theirs), (difference, changed)
            if difference.status is Status.HASH_ONLY:
                assert attributes <= {"hash", "compatible_runtime"}


def stated_names(nodes, root):
    return {fact.arguments[0] for fact in facts(nodes, root) if fact.attribute == "node"}


def what_spack_states(nodes, identity):
    return set(own_facts(nodes, identity, is_root=True))


@pytest.mark.parametrize("row", oracle.rows("diff"), ids=lambda row: row["result"]["a_name"].split("/")[0])
def test_real_nodes_are_changed_as_their_facts_are(row):
    agrees_with_the_facts(oracle.graphs()[row["a"]], row["a"], oracle.graphs()[row["b"]], row["b"])


@given(graphs("a"), graphs("b"))
def test_made_nodes_are_changed_as_their_facts_are(a, b):
    agrees_with_the_facts(*a, *b)


@given(graphs("a"), graphs("b"))
def test_every_node_of_either_graph_is_in_one_difference_and_backwards_is_the_mirror_image(a, b):
    differences = diff(*a, *b)
    assert sorted(d.a for d in differences if d.a) == sorted(a[0])
    assert sorted(d.b for d in differences if d.b) == sorted(b[0])
    mirror = {Status.ADDED: Status.REMOVED, Status.REMOVED: Status.ADDED}
    turned = [
        NodeDifference(
            d.name,
            mirror.get(d.status, d.status),
            d.b,
            d.a,
            tuple(Change(c.kind, c.name, c.after, c.before) for c in d.changes),
        )
        for d in differences
    ]
    assert sorted(diff(*b, *a), key=str) == sorted(turned, key=str)
    assert {d.status for d in diff(*a, *a)} == {Status.UNCHANGED}


def test_a_change_says_from_what_to_what():
    link, build = Deptype.LINK, Deptype.BUILD
    before = {
        "a": node("a", "app", "1.9", (Edge("g", build, ("c",)), Edge("m", link, ("mpi",))),
                  parameters={"shared": True, "cflags": ["-O2"]}),
        "g": node("g", "gcc", "12"),
        "m": node("m", "mpich", "4"),
    }  # fmt: skip
    after = {
        "b": node("b", "app", "1.10", (Edge("h", build, ("c",)), Edge("o", link | Deptype.RUN, ("mpi",))),
                  parameters={"shared": False, "libs": ["x", "y"]}, target="icelake"),
        "h": node("h", "gcc", "13"),
        "o": node("o", "openmpi", "5", (Edge("h", build),)),
    }  # fmt: skip
    app, gcc, mpich, openmpi = diff(before, "a", after, "b")
    assert app == NodeDifference(
        "app",
        Status.CHANGED,
        "a",
        "b",
        (
            Change(ChangeKind.VERSION, "version", "1.9", "1.10"),
            Change(ChangeKind.VARIANTS, "libs", None, "libs:=x,y"),
            Change(ChangeKind.VARIANTS, "shared", "+shared", "~shared"),
            Change(ChangeKind.FLAGS, "cflags", "cflags=-O2", None),
            Change(ChangeKind.COMPILER, "compiler", "gcc@12", "gcc@13"),
            Change(ChangeKind.ARCHITECTURE, "target", "zen3", "icelake"),
            Change(ChangeKind.DEPENDENCIES, "mpich", "%[deptypes=link] mpi=mpich", None),
            Change(ChangeKind.DEPENDENCIES, "openmpi", None, "%[deptypes=link,run] mpi=openmpi"),
        ),
    )
    assert (gcc.status, mpich.status, openmpi.status) == (Status.CHANGED, Status.REMOVED, Status.ADDED)


def test_what_differs_only_below_differs_in_its_hash_only():
    link = Deptype.LINK
    before = {"a": node("a", "app", edges=(Edge("z", link),)), "z": node("z", version="1.2")}
    after = {"b": node("b", "app", edges=(Edge("y", link),)), "y": node("y", version="1.3")}
    assert [(d.name, d.status) for d in diff(before, "a", after, "b")] == [
        ("app", Status.HASH_ONLY),
        ("zlib", Status.CHANGED),
    ]


def test_nodes_of_one_name_are_paired_with_what_is_most_like_them():
    def app(root: str, *below: tuple[str, str]):
        edges = tuple(Edge(identity, Deptype.BUILD) for identity, _ in below)
        return {root: node(root, "python", "3", edges)} | {
            identity: node(identity, "python", version) for identity, version in below
        }

    before = app("a", ("same", "2"), ("x", "3"), ("y", "1"))
    after = app("b", ("same", "2"), ("v", "4"), ("w", "3"), ("u", "5"))
    pairs = {(d.a, d.b) for d in diff(before, "a", after, "b")}
    assert pairs == {("same", "same"), ("a", "b"), ("x", "w"), ("y", "v"), (None, "u")}
