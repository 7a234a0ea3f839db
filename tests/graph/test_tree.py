"""Trees as Spack 1.2 prints them, against its own texts (tests/data/oracle)."""

import pytest

from spackmon.graph.spec import Deptype
from spackmon.graph.tree import tree
from tests.graph import oracle


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({}, "tree_default"),
        ({"hashes": True}, "tree_hashes"),
        ({"types": True}, "tree_types"),
        ({"template": "{name}{@version}{variants}{arch=architecture}"}, "tree_spec_cmd"),
    ],
)
def test_a_tree_is_the_one_spack_prints(options, answer):
    rows = oracle.rows("tree")
    assert rows
    for row in rows:
        assert tree(oracle.graphs()[row["hash"]], row["hash"], **options) == row[answer]


def test_a_tree_of_some_deptypes_holds_what_they_reach():
    row = max(oracle.rows("traverse"), key=lambda row: len(row["link_run"]))
    nodes = oracle.graphs()[row["hash"]]
    text = tree(nodes, row["hash"], deptypes=Deptype.LINK | Deptype.RUN, template="{hash}")
    assert {line.strip(" ^") for line in text.splitlines()} == set(row["link_run"])
