"""What goes in comes out: every node of every real document, by its identity and by each other hash."""

import json
from typing import Any

import pytest

from spackmon.formats.specs import spec_json
from spackmon.graph.spec import SpecNode
from spackmon.submission import SpecReport
from tests.formats.corpus import FORMATS, documents
from tests.query.conftest import AskedSite

PAGE = """query($after: String) {
  specs(first: 100, after: $after) {
    nodes { hash document hashes { kind value } dependencies { nodes { child { hash } } } }
    pageInfo { hasNextPage endCursor }
  }
}"""


def all_specs(site: AskedSite) -> dict[str, Any]:
    """Every spec by its identity."""
    found: dict[str, Any] = {}
    after = None
    while True:
        page = site.ask(PAGE, after=after)["specs"]
        found |= {spec["hash"]: spec for spec in page["nodes"]}
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found


@pytest.mark.parametrize("name", FORMATS)
def test_every_document_comes_out_as_it_went_in(site: AskedSite, name: str) -> None:
    nodes: dict[str, SpecNode] = {}
    for document in documents(name):
        graph = spec_json.read(document["spec"])
        site.apply(SpecReport(graph, document.get("spack_version")))
        nodes |= graph.nodes
    found = all_specs(site)
    assert found.keys() == nodes.keys()
    for identity, node in nodes.items():
        assert found[identity]["document"] == json.loads(node.document)
        assert {(one["kind"], one["value"]) for one in found[identity]["hashes"]} == set(node.hashes)
        children = {edge.child for edge in node.edges}
        assert {edge["child"]["hash"] for edge in found[identity]["dependencies"]["nodes"]} == children
    for identity, node in list(nodes.items())[:10]:
        for _, value in node.hashes:
            (answer,) = site.ask(
                "query($h: String!) { spec(hash: $h) { hashes { value } } }", h=value
            ).values()
            assert {"value": value} in answer["hashes"], identity
    if FORMATS[name] == 5:
        recomputed = [
            spec_json.node_hash(json.dumps(found[identity]["document"], separators=(",", ":"))) == identity
            for identity, node in nodes.items()
            if json.loads(node.document)["annotations"] == {"original_specfile_version": 5}
            and "build_spec" not in node.document
        ]
        assert recomputed
        assert all(recomputed)
