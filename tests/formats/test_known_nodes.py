"""Nodes that were read before are not read again, and nobody can see the difference."""

import copy
from typing import Any

import pytest

from spackmon.errors import Refused
from spackmon.formats.specs import spec_json
from spackmon.formats.specs.known_nodes import KnownNodes
from tests.formats.corpus import FORMATS, documents, elements


@pytest.mark.parametrize("name", FORMATS)
def test_documents_read_one_after_the_other_are_those_read_alone(name: str) -> None:
    known = KnownNodes()
    for document in [*documents(name), *documents(name)]:
        assert spec_json.read(document, known) == spec_json.read(document)


def test_a_node_with_a_known_hash_and_other_content_is_read_anew() -> None:
    document = documents("nodes-v5-1.2")[0]
    known = KnownNodes()
    spec_json.read(document, known)
    other: Any = copy.deepcopy(document)
    elements(other)[-1]["namespace"] = "site"
    assert [node.namespace for node in spec_json.read(other, known).nodes.values()][-1] == "site"
    unfit: Any = copy.deepcopy(document)
    elements(unfit)[-1]["version"] = 7
    with pytest.raises(Refused, match="version must be a string"):
        spec_json.read(unfit, known)


def test_a_known_node_does_not_hide_that_its_dependency_is_missing() -> None:
    document = next(found for found in documents("nodes-v5-1.2") if len(elements(found)) > 3)
    known = KnownNodes()
    spec_json.read(document, known)
    cut: Any = copy.deepcopy(document)
    child = elements(cut)[0]["dependencies"][0]["hash"]
    elements(cut)[:] = [node for node in elements(cut) if node["hash"] != child]
    with pytest.raises(Refused, match=f"no node of the document has the hash {child}"):
        spec_json.read(cut, known)
