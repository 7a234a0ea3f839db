"""What satisfies what, node by node, against the answers of Spack 1.2 and 1.3."""

from collections.abc import Mapping
from functools import cache

import pytest

from spackmon.formats.specs.spec_json import read
from spackmon.graph.satisfies import Satisfaction
from spackmon.graph.spack_rules import RULES, SpackVersion
from spackmon.graph.spec import SpecNode
from spackmon.graph.spec_syntax import parse_spec
from tests.graph.spec_language import rows


@cache
def nodes() -> Mapping[str, SpecNode]:
    (document,) = rows("document")
    return read(document).nodes


@cache
def satisfaction(spack: SpackVersion) -> Satisfaction:
    reread = frozenset(hash_ for hash_, node in nodes().items() if node.compiler)
    return Satisfaction(nodes(), reread, RULES[spack])


def satisfied(query: str, spack: SpackVersion) -> list[str]:
    spec = parse_spec(query, RULES[spack])
    return [hash_[:7] for hash_ in sorted(nodes()) if satisfaction(spack).satisfies(hash_, spec)]


@pytest.mark.parametrize("answer", [*rows("matches"), *rows("fuzz")], ids=lambda answer: answer["query"])
def test_the_same_nodes_satisfy_as_in_spack(answer):
    assert satisfied(answer["query"], SpackVersion.SPACK_1_2) == answer["match"]


@pytest.mark.parametrize("answer", rows("matches-1.3"), ids=lambda answer: answer["query"])
def test_what_a_later_spack_judges_otherwise_is_judged_so_by_its_rules(answer):
    assert satisfied(answer["query"], SpackVersion.SPACK_1_3) == answer["match"]
