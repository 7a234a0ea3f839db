"""Whatever comes in as a file, one sentence says what is wrong with it, and the rest of it goes in."""

import bz2
import gzip
import json
import lzma
import random
from functools import partial
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from spackmon.errors import Refused
from spackmon.formats.bytes import compression
from spackmon.formats.detect import read_document
from spackmon.formats.specs import spec_pool
from spackmon.submission import Submission
from tests.counting import allocated_bytes, calls
from tests.formats import documents as files
from tests.formats.test_bad_input import mutated

FILES = dict(files.every_file())
VALUES = [json.loads(written) for written in FILES.values() if written[:1] in b"[{" and b"\n{" not in written]
COMPRESSIONS = [gzip.compress, zstandard.compress, bz2.compress, lzma.compress]


def refusal(written: bytes, **limits: int) -> tuple[list[Submission], Refused]:
    """What was read before the refusal, and the refusal."""
    found: list[Submission] = []
    with pytest.raises(Refused) as refused:
        found.extend(read_document("the file", written, "1.2.0", **limits))
    assert refused.value.sentence.startswith("the file: ")
    assert refused.value.sentence.isprintable()
    return found, refused.value


def chain(specs: int) -> dict[str, Any]:
    """A database in which each spec depends on the one before."""
    node = json.loads(files.data("index-1.2.json"))["database"]["installs"][
        "qggmgd43aeio7nlqwjdua7qykkygiboj"
    ]["spec"]
    rows = {}
    for number in range(specs):
        spec = {**node, "name": f"p{number}", "hash": f"{number:032d}", "external": None}
        if number:
            child = {
                "name": f"p{number - 1}",
                "hash": f"{number - 1:032d}",
                "parameters": {"deptypes": ["link"]},
            }
            spec["dependencies"] = [child]
        rows[spec["hash"]] = {"spec": spec, "path": "/opt", "installed": True, "installation_time": 1.5e9}
    return {"database": {"version": "8", "installs": rows}}


@pytest.mark.parametrize(
    ("written", "code", "sentence"),
    [
        (b"", "DOCUMENT_UNKNOWN", "it is empty"),
        (b"\n \n", "DOCUMENT_UNKNOWN", "it is empty"),
        (b"==> Installing zlib", "DOCUMENT_UNKNOWN", "it is neither JSON nor XML nor a spec in YAML"),
        (b"\x7fELF\0\0", "DOCUMENT_UNKNOWN", "it is neither JSON nor XML nor a spec in YAML"),
        (b"{}", "DOCUMENT_UNKNOWN", "it is JSON of another kind"),
        (b'{"signing": "gpg"}', "DOCUMENT_UNKNOWN", "the directory that holds v3 and blobs was expected"),
        (b"<html></html>", "DOCUMENT_UNKNOWN", "its outermost element is of neither CDash nor JUnit"),
        (b'<!DOCTYPE a [<!ENTITY a "b">]><Site>&a;</Site>', "XML_UNSAFE", "entities of its own are not read"),
        (b'{"spec": {', "DOCUMENT_DAMAGED", "it is not JSON: Expecting property name"),
        (b'{"spec": "\xff"}', "DOCUMENT_DAMAGED", "byte 10 is not UTF-8"),
        (b'{"spec": 1, "spec": 2}', "DOCUMENT_DAMAGED", "an object in it has a key twice"),
        (b'{"spec": NaN}', "DOCUMENT_DAMAGED", "NaN is no JSON"),
        (b'{"spec": %s}' % (b"1" * 5000), "DOCUMENT_DAMAGED", "an integer in it has too many digits"),
        (b'{"spec": ' + b"[" * 100_000, "DOCUMENT_DAMAGED", "it is nested too deeply"),
        (b"[[]]", "SPEC_MALFORMED", "the node must be an object, not a list"),
        (b'{"spec": null}', "SPEC_MALFORMED", "a list of nodes or an object"),
        (b"spec: [", "DOCUMENT_DAMAGED", "nor YAML: did not find expected node content in line 2"),
        (b"spec:\n" + b"- " * 200, "DOCUMENT_DAMAGED", "it is nested too deeply"),
        (b"spec: &a [1]\nnodes: *a\n", "DOCUMENT_DAMAGED", "it has an anchor or an alias"),
        (b"spec: !!python/object/apply:os.system [x]\n", "DOCUMENT_DAMAGED", "it has a tag"),
        (b"spec: 1\nspec: 2\n", "DOCUMENT_DAMAGED", "it has the key 'spec' twice"),
        (b"spec: {[1]: 2}\n", "DOCUMENT_DAMAGED", "a key of it is no string"),
        (b"spec: \0\n", "DOCUMENT_DAMAGED", "control characters are not allowed"),
        (b"spec: \xff\n", "DOCUMENT_DAMAGED", "it is neither JSON nor YAML"),
        (b'{"_meta": 1, "roots": [], "concrete_specs": {}}', "DOCUMENT_DAMAGED", "_meta must be an object"),
        (b'{"database": {}}', "DOCUMENT_DAMAGED", "database.installs is missing"),
        (b'{"database": {"version": 8, "installs": {}}}', "DOCUMENT_DAMAGED", "database.version must be '5'"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_document_is_refused_in_a_sentence(written, code, sentence):
    found, refused = refusal(written)
    assert found == []
    assert (refused.code, sentence in refused.sentence) == (code, True), refused.sentence


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"_meta": {"lockfile-version": 0}}, "_meta.lockfile-version must be a number, from 1"),
        ({"_meta": {"lockfile-version": True}}, "_meta.lockfile-version must be a number, from 1"),
        (
            {"_meta": {"lockfile-version": 6, "specfile-version": 0}},
            "_meta.specfile-version must be a number, from 1",
        ),
        ({"roots": {}}, "roots must be a list, not an object"),
        ({"roots": [{"hash": 1}]}, "roots.0.hash must be a string"),
        ({"concrete_specs": []}, "the lock file cannot be read: roots.0: it has no spec"),
        ({"concrete_specs": [1]}, "concrete_specs must be an object, not a list"),
        ({"spack": {"version": 1}}, "spack.version must be a string"),
        ({"include_concrete": {"/e": 1}}, "include_concrete./e must be an object"),
    ],
)
def test_a_lock_file_with_a_field_unfit_is_refused_by_its_name(change, sentence):
    _, refused = refusal(json.dumps({**files.any_lock(6), **change}).encode())
    assert sentence.split(": ")[-1] in refused.sentence


def test_a_row_whose_dependency_is_missing_is_named_and_the_rest_goes_in():
    document = json.loads(files.data("index-1.2.json"))
    rows = document["database"]["installs"]
    whole = len(files.read(document))
    del rows["ykiu3gqx76tjk7amyzbwx5fu4h53als2"]  # libgreet 1.0, which greet-cli 1.0 needs
    found, refused = refusal(json.dumps(document).encode())
    assert len(found) == whole - 2
    assert refused.code == "DOCUMENT_INCOMPLETE"
    assert refused.sentence == (
        "the file: a part of it cannot be read: greet-cli/cpl7p5theojojtpcsyg53m5fmhkjkzbk: "
        "it has no spec libgreet/ykiu3gqx76tjk7amyzbwx5fu4h53als2, a dependency"
    )


def test_specs_that_depend_on_themselves_are_left_out_with_all_above_them():
    document = chain(10)
    rows = list(document["database"]["installs"].values())
    rows[3]["spec"]["dependencies"].append(
        {**rows[6]["spec"]["dependencies"][0], "hash": rows[5]["spec"]["hash"]}
    )
    found, refused = refusal(json.dumps(document).encode())
    assert {submission.graph.nodes[submission.graph.root].name for submission in found} == {"p0", "p1", "p2"}
    assert "7 parts of it cannot be read: p3/" in refused.sentence
    assert "depends on itself or on what cannot be read" in refused.sentence


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("installation_time", "noon", "installation_time must be seconds since 1970"),
        ("installation_time", 10**400, "installation_time must be seconds since 1970"),
        ("path", None, "path is missing"),
        ("path", "/opt/\0", "path must not contain a NUL character"),
        ("path", "/opt/\ud800", "path must not contain half of a surrogate pair"),
    ],
)
def test_a_row_with_a_field_unfit_is_named_and_still_a_spec(field, value, sentence):
    document = chain(3)
    document["database"]["installs"][f"{2:032d}"][field] = value
    found, refused = refusal(json.dumps(document).encode())
    assert [type(submission).__name__ for submission in found] == [
        "InstallReport",
        "InstallReport",
        "SpecReport",
    ]
    assert sentence in refused.sentence


def test_a_node_under_another_hash_than_its_own_is_named():
    document = chain(2)
    document["database"]["installs"]["z" * 32] = document["database"]["installs"].pop(f"{0:032d}")
    found, refused = refusal(json.dumps(document).encode())
    assert found == []
    assert "p0: its hash must be the one that it is kept under" in refused.sentence


def test_a_damaged_line_is_named_and_the_others_go_in():
    line = json.dumps(json.loads(files.data("v4-from-0.23.json")))
    lines = [line[:-9], "", line, '{"spec": 1}', '{"spec": NaN}', line, "nonsense"]
    found, refused = refusal("\n".join(lines).encode())
    assert len(found) == 2
    assert refused.sentence.startswith("the file: 4 parts of it cannot be read: line 1: it is not JSON")
    assert "line 4: the spec cannot be read" in refused.sentence


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_a_compressed_file_that_is_cut_short_gives_the_lines_that_are_whole(compress):
    line = json.dumps(json.loads(files.data("v4-from-0.23.json"))).encode()
    # Members of their own, so that the first lines are whole in what is left.
    pieces = [compress(line + b"\n") for _ in range(3)]
    found, refused = refusal(b"".join(pieces)[:-100])
    assert len(found) == 2
    assert refused.code == "DOCUMENT_DAMAGED"
    assert "is cut short" in refused.sentence
    found, refused = refusal(compress(line)[:-20])
    assert (found, refused.code) == ([], "DOCUMENT_DAMAGED")


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_a_bomb_is_refused_before_it_is_unpacked(compress):
    bomb = compress(b'{"spec": [' + b" " * (40 << 20))
    for written in (bomb, compress(bomb)):
        found, refused = refusal(written, maximum_bytes=2 << 20)
        assert found == []
        assert (refused.code, refused.status) == ("DOCUMENT_TOO_LARGE", 413)
        assert "it must be at most 2 MiB" in refused.sentence


def test_more_values_than_memory_holds_are_counted_before_they_are_read():
    def read() -> None:
        found, refused = refusal(written)
        assert (found, refused.code) == ([], "DOCUMENT_DAMAGED")
        assert refused.sentence.endswith("it is not JSON: it has more than 24,000,000 values")

    for around in (b'{"a":[%s[]]}', b"[%s0]"):
        written = around % (b"[]," * 13_000_000)
        # As many empty lists would take 56 bytes each.
        assert allocated_bytes(read) < 2 * len(written)


@pytest.mark.parametrize(
    "head", [b"", b"{", b"[1,\n", b"<", b"spec:\n", b"-----BEGIN PGP SIGNED MESSAGE-----\n"]
)
@pytest.mark.parametrize("filling", [b" ", b"\n", b"\t\n", b"# a\n", b"---\n", b"a\n", b"<", b"- "])
def test_twice_as_much_of_nothing_is_no_more_than_twice_the_work(head, filling):
    def work(size):
        return calls(
            lambda: refusal(head + filling * (size // len(filling))), after=lambda: refusal(head + filling)
        )

    assert work(8_000) <= 2 * work(4_000) + 100
    # Nor does one call, such as the search for an expression, take the square of it: that would be hours.
    refusal(head + filling * (2_000_000 // len(filling)))


def test_yaml_larger_than_any_spec_is_refused():
    _, refused = refusal(b"spec:\n" + b"- a\n" * (5 << 20))
    assert (refused.code, refused.status) == ("DOCUMENT_TOO_LARGE", 413)


def test_a_file_of_a_million_empty_members_takes_no_longer_than_it_is():
    # Were the rest of the file copied for each member, these would be 10 TB.
    assert compression.unpacked(gzip.compress(b"") * 1_000_000) == (b"", None)


def test_a_database_deeper_than_any_real_graph_is_read_in_linear_time(monkeypatch):
    found, refused = refusal(json.dumps(chain(4_000)).encode())
    assert len(found) == 2_000
    assert "2000 parts of it cannot be read" in refused.sentence
    assert "has over 2000 specs" in refused.sentence
    monkeypatch.setattr(spec_pool, "_MAXIMUM_GRAPH_SPECS", 100)
    short, long = (json.dumps(chain(specs)).encode() for specs in (400, 800))
    longer, shorter = (
        calls(partial(refusal, written), after=partial(refusal, short)) for written in (long, short)
    )
    assert longer <= 2.2 * shorter


def test_more_specs_than_a_file_may_hold_are_refused():
    many = {f"{number:032d}": {} for number in range(100_001)}
    found, refused = refusal(json.dumps({"database": {"version": "8", "installs": many}}).encode())
    assert found == []
    assert "it has more than 100000 specs" in refused.sentence


def read_or_refuse(written: bytes) -> None:
    """Nothing but a Submission or a Refused may come out."""
    refused = None
    try:
        for submission in read_document("the file", written, "1.2.0"):
            assert isinstance(submission, Submission)
    except Refused as raised:
        refused = raised
    if refused is not None:
        assert refused.sentence.startswith("the file: ")
        assert refused.sentence.isprintable()
        assert refused.status in (400, 413)


@settings(max_examples=300)
@given(mutated(VALUES))
def test_a_document_with_other_values_is_read_or_refused(document):
    read_or_refuse(json.dumps(document).encode())


@settings(max_examples=300)
@given(
    st.sampled_from(sorted(FILES)), st.randoms(use_true_random=False), st.integers(1, 4), st.integers(0, 4)
)
def test_damaged_bytes_are_read_or_refused(name: str, chance: random.Random, times: int, packed: int):
    written = bytearray(FILES[name] if packed == 4 else COMPRESSIONS[packed](FILES[name]))
    for _ in range(times):
        start = chance.randrange(len(written) + 1)
        end = min(len(written), start + chance.choice([0, 1, 5, 100, 10_000]))
        written[start:end] = chance.choice([b"", b"\0", b"{", b"]", b'"', b"&a ", b"\xff\xfe", written[:50]])
    read_or_refuse(bytes(written))


@settings(max_examples=200)
@given(
    st.binary(max_size=60),
    st.sampled_from([b"", b"{", b"[", b"<", b"spec:", b"\x1f\x8b", b"BZh9", b"\x28\xb5\x2f\xfd"]),
)
def test_any_bytes_are_read_or_refused(tail, head):
    read_or_refuse(head + tail)
