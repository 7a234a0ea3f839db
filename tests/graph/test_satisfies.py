"""What satisfies what, node by node, against Spack 1.2's own answers."""

from collections.abc import Mapping
from functools import cache

import pytest

from spackmon.formats.specs.spec_json import read
from spackmon.graph.satisfies import Satisfaction
from spackmon.graph.spec import SpecNode
from spackmon.graph.spec_syntax import parse_spec
from tests.graph.spec_language import rows


@cache
def nodes() -> Mapping[str, SpecNode]:
    (document,) = rows("document")
    return read(document).nodes


@cache
def satisfaction() -> Satisfaction:
    return Satisfaction(nodes(), frozenset(hash_ for hash_, node in nodes().items() if node.compiler))


@pytest.mark.parametrize("answer", rows("matches"), ids=lambda answer: answer["query"])
def test_the_same_nodes_satisfy_as_in_spack(answer):
    spec = parse_spec(answer["query"])
    found = [hash_[:7] for hash_ in sorted(nodes()) if satisfaction().satisfies(hash_, spec)]
    assert found == answer["match"]
