"""What a site has of what is affected, against what its graphs say edge by edge."""

from collections.abc import Iterator

from spackmon.client import Client
from spackmon.client.advisories import match
from spackmon.formats.advisories import Affected
from tests.examples import ROOT
from tests.server import Server
from tests.web.reading import report

ASKED = """{ specs(first: 500) { nodes { hash name version dependencies(first: 100) {
  nodes { child { hash } } } builds(first: 100) { nodes { id } } } } }"""
# The same versions in Spack's words and in an advisory's.
ZLIB = [Affected(spec="zlib@:1.2.12"), Affected(package="zlib", conditions=({"lt": "1.2.13"},))]


def test_a_match_has_whatever_contains_it_and_the_step_that_leads_there(server: Server) -> None:
    report(server, (ROOT / "examples" / "nightly.jsonl").read_bytes())
    nodes = {node["hash"]: node for node in server.ask(ASKED)["specs"]["nodes"]}
    below = {
        hash_: [edge["child"]["hash"] for edge in node["dependencies"]["nodes"]]
        for hash_, node in nodes.items()
    }

    def contained(hash_: str) -> Iterator[str]:
        yield hash_
        for child in below[hash_]:
            yield from contained(child)

    old = {hash_ for hash_, node in nodes.items() if (node["name"], node["version"]) == ("zlib", "1.2.11")}
    concerned = {hash_ for hash_ in nodes if old & set(contained(hash_))}
    assert old < concerned < nodes.keys()
    roots = concerned - {child for children in below.values() for child in children}
    for affected in ZLIB:
        found = match(Client(server.url), affected)
        assert {spec.hash for spec in found.specs} == old
        assert sum(found.builds.values()) == sum(len(nodes[one]["builds"]["nodes"]) for one in concerned)
        assert {root.spec.hash: {spec.hash for spec in root.change} for root in found.roots} == {
            root: {child for child in below[root] if child in concerned} for root in roots
        }
    assert match(Client(server.url), Affected(package="zlib", conditions=({"ge": "99"},))).roots == ()
