"""What goes in comes out: every node of every real document, by its identity and by each other hash."""

import json
from typing import Any

import pytest

from spackmon.formats import spec_json
from spackmon.formats.submission import SpecReport
from spackmon.graph.spec import SpecNode
from tests.formats.corpus import FORMATS, documents
from tests.query.conftest import AskedSite


def asked(site: AskedSite, fields: str, hashes: list[str]) -> dict[str, Any]:
    """`fields` of the spec with each hash, a hundred to an operation."""
    found: dict[str, Any] = {}
    for start in range(0, len(hashes), 100):
        part = hashes[start : start + 100]
        data = site.ask("{" + " ".join(f'h{h}: spec(hash: "{h}") {{ {fields} }}' for h in part) + "}")
        found |= {h: data[f"h{h}"] for h in part}
    return found


@pytest.mark.parametrize("name", FORMATS)
def test_every_document_comes_out_as_it_went_in(site: AskedSite, name: str) -> None:
    nodes: dict[str, SpecNode] = {}
    for document in documents(name):
        graph = spec_json.read(document["spec"])
        site.apply(SpecReport(graph, document.get("spack_version")))
        nodes |= graph.nodes
    found = asked(site, "hash document hashes { kind value } dependencies { child { hash } }", list(nodes))
    for identity, node in nodes.items():
        assert found[identity]["document"] == json.loads(node.document)
        assert {(one["kind"], one["value"]) for one in found[identity]["hashes"]} == set(node.hashes)
        children = {edge.child for edge in node.edges}
        assert {edge["child"]["hash"] for edge in found[identity]["dependencies"]} == children
    by_other_hash = asked(site, "hash", [node.hashes[0][1] for node in nodes.values()])
    assert all(answer["hash"] in nodes for answer in by_other_hash.values())
    if FORMATS[name] == 5:
        recomputed = [
            spec_json.node_hash(json.dumps(found[identity]["document"], separators=(",", ":"))) == identity
            for identity, node in nodes.items()
            if json.loads(node.document)["annotations"] == {"original_specfile_version": 5}
            and "build_spec" not in node.document
        ]
        assert recomputed
        assert all(recomputed)
