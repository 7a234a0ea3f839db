"""Reports that are written by the same statements leave what they leave one after the other."""

import dataclasses
from functools import partial
from itertools import chain as joined
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spackmon.errors import Refused
from spackmon.graph.spec import SpecGraph, SpecNode
from spackmon.ingest.batches import apply_each
from spackmon.ingest.specs.together import together
from spackmon.submission import SpecReport
from tests.ingest.reports import Site, spec, spec_report
from tests.ingest.test_any_order import TABLES, contents
from tests.properties import examples

_REFUSED = "a NUL \0, which no database takes"


@st.composite
def reports(draw: st.DrawFn) -> list[SpecReport]:
    """Specs that depend on each other, in documents that share them or say other things of them."""
    specs: list[SpecNode] = []
    below: dict[str, list[SpecNode]] = {}
    for number in range(draw(st.integers(2, 6))):
        children = [child for child in specs if draw(st.booleans())]
        namespace = draw(st.sampled_from(["builtin"] * 9 + [_REFUSED]))
        parameters = draw(st.sampled_from(["{}", '{"mpi":true}', '{"mpi":"TRUE","cflags":["-g","-g"]}']))
        node = spec(f"p{number}", "1.0", *children, namespace=namespace, parameters=parameters)
        deeper = [one for child in children for one in below[child.hash]]
        specs.append(node)
        below[node.hash] = list({one.hash: one for one in (node, *children, *deeper)}.values())
    return [_report(draw, below[draw(st.sampled_from(specs)).hash]) for _ in range(draw(st.integers(2, 7)))]


def _report(draw: st.DrawFn, nodes: list[SpecNode]) -> SpecReport:
    version = draw(st.sampled_from(["0.19.0"] * 4 + ["0.18.1", "0.20.0"]))
    way = draw(st.sampled_from(["same"] * 5 + ["other words", "more hashes"]))
    if way == "other words":
        last = nodes[-1]
        nodes = [*nodes[:-1], dataclasses.replace(last, document=last.document.replace("{", '{"more":1,'))]
    if way != "more hashes":
        return spec_report(*nodes, spack_version=version)
    full = {node.hash: f"{node.hash}full" for node in nodes}
    older = [
        dataclasses.replace(
            node, hash=full[node.hash], hash_kind="full_hash",
            hashes=(("full_hash", full[node.hash]), ("hash", node.hash)),
            edges=tuple(dataclasses.replace(edge, child=full[edge.child]) for edge in node.edges),
        )
        for node in nodes
    ]  # fmt: skip
    return SpecReport(SpecGraph(older[0].hash, 2, {node.hash: node for node in older}), version)


@pytest.mark.hypothesis
def test_together_is_as_one_after_the_other(site: Site) -> None:
    @examples(40, is_sqlite=site.database.is_sqlite)
    @given(reports(), st.integers(0, 2))
    def check(following: list[SpecReport], before: int) -> None:
        alone = _after(site, following[:before], [[report] for report in following])
        assert _after(site, following[:before], [following]) == alone

    check()


def _after(site: Site, before: list[SpecReport], transactions: list[list[SpecReport]]) -> Any:
    site.delete_all(TABLES)
    outcomes = []
    for some in [[report] for report in before] + transactions:
        write = partial(apply_each, reports=some, person_id=Site.ada, across_owners=False)
        outcomes += site.database.write_once(write)
    answers = [
        one.code if isinstance(one, Refused) else (one.created, one.hash, one.specs_created)
        for one in outcomes
    ]
    elements = "SELECT s.hash, p.name, p.value FROM spec s JOIN parameter p USING (parameter_set_id)"
    return answers, contents(site), sorted(site.rows(elements))


def test_what_is_joined_is_of_bounded_size_and_of_one_kind() -> None:
    chain = [spec("p0", "1.0")]
    for number in range(1, 600):
        chain.append(spec(f"p{number}", "1.0", chain[-1]))
    small = [spec_report(chain[number], *chain[:number]) for number in range(400, 440)]
    large = spec_report(chain[-1], *chain[:-1])
    other = spec_report(chain[0], spack_version="0.18.1")
    found = [[len(report.graph.nodes) for report in some] for some in together([*small, large, other])]
    assert [len(some) for some in found] == [13, 12, 12, 3, 1, 1]
    assert list(joined.from_iterable(found)) == [*range(401, 441), 600, 1]
