"""Whatever comes in, the formats answer with a report or with Refused; nothing else leaves them."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spackmon.errors import Refused
from spackmon.formats import ms1
from spackmon.formats.specs import spec_json
from spackmon.graph.closure import children_first
from tests import player
from tests.formats.corpus import FORMATS, documents

READERS = [ms1.read_spec, ms1.read_build, ms1.read_phase, ms1.read_status, ms1.read_analysis]

texts = st.text(st.characters(codec=None), max_size=20) | st.sampled_from(
    ["\0", "\ud800", "x" * 600, "name", "hash", "FAILED_CONCRETIZATION", "build", "1", "gcc@=1", "[[", "NaN"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.just(1 << 70)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)

FIELDS = [
    "spec", "_meta", "version", "nodes", "name", "arch", "target", "dependencies", "hash", "full_hash",
    "type", "parameters", "deptypes", "virtuals", "compiler", "external", "annotations", "concrete",
    "versions", "build_id", "status", "phase_name", "output", "metadata", "install_files",
    "environment_variables", "config_args", "abi", "value", "binary_value", "json_value", "tags",
    "hostname", "spack_version",
]  # fmt: skip
bodies = st.recursive(
    st.dictionaries(st.sampled_from(FIELDS), scalars, max_size=5),
    lambda inner: st.dictionaries(st.sampled_from(FIELDS), inner | st.lists(inner, max_size=3), max_size=5),
    max_leaves=10,
)


def small_documents() -> list[Any]:
    found = []
    for name in FORMATS:
        found += sorted((json.dumps(document) for document in documents(name)), key=len)[:3]
    return [json.loads(text) for text in found]


def recorded_bodies() -> list[Any]:
    names = ["0.16-analyze", "0.16-libabigail", "0.17-fail", "0.19dev-failconc"]
    writes = [e for name in names for e in player.exchanges(name) if e["method"] == "POST"]
    return [json.loads(write["request_body"]) for write in writes]


DOCUMENTS, BODIES = small_documents(), recorded_bodies()


@st.composite
def mutated(draw, originals: list[Any]) -> Any:
    """One of `originals` with up to three of its values, at any depth, removed, replaced or renamed."""
    document = copy.deepcopy(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 3))):
        place = document
        while True:
            keys = list(place) if isinstance(place, dict) else range(len(place))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and draw(st.integers(0, 5)):
                place = place[key]
                continue
            change = draw(st.sampled_from(["remove", "replace", "rename", "move"]))
            if change == "replace":
                place[key] = draw(values)
            elif change == "move":
                place[key] = copy.deepcopy(draw(st.sampled_from(originals)))
            elif change == "rename" and isinstance(place, dict):
                place[draw(texts)] = place.pop(key)
            else:
                del place[key]
            break
    return document


def refusal(read: Callable[[Any], Any], given: Any) -> Refused | None:
    try:
        read(given)
    except Refused as refused:
        return refused
    return None


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in strings(part)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


def check_spec(document: Any) -> None:
    if spec_json.is_abstract(document):
        kept = json.loads(spec_json.read_failure(document, "1").document)
        assert not any("\0" in text for text in strings(kept))
        return
    graph = spec_json.read(document)
    assert next(iter(graph.nodes)) == graph.root
    assert len(children_first(graph.nodes)) == len(graph.nodes)
    for node in graph.nodes.values():
        for text in strings(json.loads(node.document)):
            assert "\0" not in text
            text.encode()
        assert max(len(text.encode()) for text in (node.name, node.version, node.target.name)) <= 500


def read_spec_or_refuse(document: Any) -> None:
    refused = refusal(check_spec, document)
    if refused is not None:
        assert (refused.code, refused.status) == ("SPEC_MALFORMED", 400)
        assert refused.sentence.isprintable()


def read_body_or_refuse(body: dict[str, Any]) -> None:
    for read in READERS:
        refused = refusal(read, body)
        if refused is not None:
            assert refused.code in {"FIELD_MISSING", "FIELD_INVALID", "SPEC_MALFORMED"}
            assert refused.status == 400
            assert refused.sentence.isprintable()


@settings(max_examples=300)
@given(mutated(DOCUMENTS))
def test_a_damaged_spec_is_read_or_refused(document):
    read_spec_or_refuse(document)


@settings(max_examples=300)
@given(values | bodies)
def test_any_json_is_read_as_a_spec_or_refused(document):
    read_spec_or_refuse(document)


@settings(max_examples=300)
@given(mutated(BODIES) | bodies)
def test_a_damaged_body_is_read_or_refused(body):
    if isinstance(body, dict):
        read_body_or_refuse(body)


@settings(max_examples=200)
@given(st.binary(max_size=50) | values.map(json.dumps).map(str.encode))
def test_any_bytes_are_an_object_or_refused(body):
    refused = refusal(ms1.read_json, body)
    assert isinstance(ms1.read_json(body), dict) if refused is None else refused.code == "BODY_NOT_JSON"


@pytest.mark.parametrize(
    "body", [b for b in BODIES if len(json.dumps(b)) < 2_000], ids=lambda b: next(iter(b))
)
def test_a_truncated_body_is_refused(body):
    text = json.dumps(body).encode()
    for end in range(len(text)):
        with pytest.raises(Refused):
            ms1.read_json(text[:end])
