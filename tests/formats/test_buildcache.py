"""Buildcaches of both layouts, whole and damaged, read as from a directory or a server."""

import gzip
import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from spackmon.errors import Refused
from spackmon.formats.specs.buildcache import read_buildcache
from spackmon.graph.spec import SpecGraph
from spackmon.submission import BuildcacheReport
from tests.formats import documents as files
from tests.formats.corpus import documents, elements

INDEX = "v3/manifests/index/index.manifest.json"
LIBGREET = "v3/manifests/spec/libgreet/libgreet-1.0-ykiu3gqx76tjk7amyzbwx5fu4h53als2.spec.manifest.json"

Files = dict[str, bytes]


def layout_3() -> Files:
    found = (path for path in files.BUILDCACHE.rglob("*") if path.is_file())
    return {path.relative_to(files.BUILDCACHE).as_posix(): path.read_bytes() for path in found}


def layout_2() -> Files:
    """Derived: specs of 0.23 and 0.16 under the names and in the wrapping that those Spacks gave them."""
    extra = {"binary_cache_checksum": {"hash_algorithm": "sha256", "hash": "0"}, "buildinfo": {}}
    unsigned, signed = (json.dumps({**document, **extra}).encode() for document in two_documents())
    return {
        "build_cache/linux-debian12-x86_64_v3-gcc-12.2.0-a-1-" + "a" * 32 + ".spec.json": unsigned,
        "build_cache/linux-debian12-x86_64_v3-gcc-12.2.0-b-1-" + "b" * 32 + ".spec.json.sig": files.signed(
            signed
        ),
        "build_cache/linux-debian12-x86_64_v3-gcc-12.2.0-c-1-" + "c" * 32 + ".spec.yaml": files.spec_yaml()[
            1
        ],
        "build_cache/_pgp/index.json": b"{}",
        "build_cache/linux-debian12-x86_64_v3/gcc-12.2.0/a-1/a.spack": b"\x1f\x8b no spec",
    }


def two_documents() -> list[Any]:
    return [{"spec": document["spec"]} for document in documents("nodes-v4-0.23")[:2]]


def fetcher(cache: Files) -> Callable[[str], bytes]:
    def fetch(path: str) -> bytes:
        if path not in cache:
            raise FileNotFoundError(path)
        return cache[path]

    return fetch


def had(cache: Files, *, listed: bool = True) -> dict[str, tuple[Any, ...]]:
    """What is said of each entry by the end of its hash: index, spec, archive, and how they disagree."""
    reports: list[Any] = []
    with suppress(Refused):
        reports.extend(read_buildcache(fetcher(cache), cache if listed else None, "1.0", "/mirror"))
    (report,) = (one for one in reports if isinstance(one, BuildcacheReport))
    assert (report.name, report.is_listed) == ("/mirror", listed)
    assert {one.layout_version for one in report.entries} <= {2, 3}
    return {
        one.spec_hash[:4]: (one.in_index, one.has_spec_file, one.has_archive, one.disagreement)
        for one in report.entries
    }


def read(cache: Files, *, listed: bool = True) -> tuple[list[SpecGraph], str]:
    """The graphs of a cache, and what was said at the end."""
    found = []
    try:
        for report in read_buildcache(fetcher(cache), cache if listed else (), "1.0"):
            found.append(report.graph)
    except Refused as refused:
        return found, refused.sentence
    return found, ""


def without_index(cache: Files) -> Files:
    return {path: content for path, content in cache.items() if path != INDEX}


def replaced(cache: Files, path: str, **entry: Any) -> Files:
    """The cache with the last blob of a manifest described otherwise."""
    manifest = json.loads(cache[path])
    manifest["data"][-1].update(entry)
    return {**cache, path: json.dumps(manifest).encode()}


def test_the_index_gives_every_spec_with_no_other_file_asked_for():
    cache = layout_3()
    found, said = read(cache, listed=False)
    rows = json.loads(next(content for path, content in cache.items() if "d03f0153" in path))
    nodes = {key: json.loads(node.document) for graph in found for key, node in graph.nodes.items()}
    assert nodes == {key: row["spec"] for key, row in rows["database"]["installs"].items()}
    assert said == ""
    # What the index has is not read again, even where its blob is missing.
    assert read(cache) == (found, "")


def test_without_an_index_the_specs_themselves_are_read_and_a_missing_blob_is_named():
    found, said = read(without_index(layout_3()))
    assert [graph.nodes[graph.root].name for graph in found] == ["demo-top", "libgreet", "libgreet"]
    assert said.startswith("a part of it cannot be read: v3/manifests/spec/demo-base/demo-base-1.2-e2r5aei4")
    assert said.endswith("is not there")


def test_an_index_that_is_older_than_a_spec_is_completed_by_it():
    cache = layout_3()
    path = "v3/manifests/spec/libgreet/libgreet-9-" + "z" * 32 + ".spec.manifest.json"
    cache[path] = cache[LIBGREET]
    found, _ = read(cache)
    assert found[-1].root == "ykiu3gqx76tjk7amyzbwx5fu4h53als2"


def test_layout_2_is_read_signed_and_unsigned_in_json_and_yaml():
    found, said = read(layout_2())
    assert said == ""
    wanted = [elements(document) for document in two_documents()] + [files.spec_yaml()[0]]
    assert [[json.loads(node.document) for node in graph.nodes.values()] for graph in found] == wanted


def test_the_index_of_layout_2_is_read():
    index = next(content for path, content in layout_3().items() if "d03f0153" in path)
    assert read({"build_cache/index.json": index})[0] == read(layout_3())[0]


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"checksum": "0" * 64}, "its blob blobs/sha256/00/" + "0" * 64 + " is not there"),
        ({"checksum": "../../../../../../etc/passwd"}, "data.1.checksum must be 64 hexadecimal digits"),
        ({"checksum": "5DF097D7" * 8}, "data.1.checksum must be 64 hexadecimal digits"),
        ({"checksum": None}, "data.1.checksum must be 64 hexadecimal digits"),
        ({"checksumAlgorithm": "../md5"}, "data.1.checksumAlgorithm must be sha256"),
        ({"compression": "lzma"}, "data.1.compression must be gzip or none"),
        ({"compression": "none"}, "it is not JSON: byte 1 is not UTF-8"),
        ({"mediaType": "text/plain"}, "it names no spec nor index among its blobs"),
    ],
)
def test_a_manifest_leads_nowhere_but_to_the_blob_that_it_describes(entry, sentence):
    asked = []
    cache = replaced(without_index(layout_3()), LIBGREET, **entry)

    def fetch(path: str) -> bytes:
        asked.append(path)
        return fetcher(cache)(path)

    with pytest.raises(Refused) as refused:
        list(read_buildcache(fetch, [LIBGREET]))
    assert refused.value.sentence.endswith(sentence)
    assert not any(".." in path for path in asked)


def test_a_blob_that_is_not_what_its_name_says_is_named():
    cache = without_index(layout_3())
    blob = next(path for path in cache if "/5df097" in path)
    cache[blob] = gzip.compress(gzip.decompress(cache[blob]).replace(b"1.0", b"6.6"))
    found, said = read(cache)
    assert len(found) == 2
    assert f"its blob {blob} has another SHA-256 than its name says" in said


def test_an_index_that_is_no_index_is_named_and_the_specs_are_read():
    cache = layout_3()
    for content, sentence in (
        (files.data("index-1.2.json"), "it is an install database, and no index of a buildcache"),
        (b'{"database": {"version": "4", "installs": {}}}', "database.version must be '5', '6', '7', '8'"),
        (b'{"keys": []}', 'an index, an object with the key "database", was expected'),
        (b"<html>moved</html>", "it is not JSON"),
    ):
        digest = hashlib.sha256(content).hexdigest()
        path = f"blobs/sha256/{digest[:2]}/{digest}"
        found, said = read(replaced({**cache, path: content}, INDEX, checksum=digest))
        assert len(found) == 3
        assert sentence in said


def test_what_a_buildcache_has_is_what_its_index_and_its_files_say():
    cache = layout_3()
    # Of demo-base the spec is missing; of what is only needed nobody says that there is a binary.
    has_no_archive, has_no_spec = (True, True, False, "ARCHIVE_MISSING"), (True, False, None, "SPEC_MISSING")
    found = had(cache)
    assert len(found) == 10
    assert found["ykiu"] == found["6rcm"] == has_no_archive
    assert found["e2r5"] == (True, False, False, "SPEC_MISSING")
    assert found["bjnr"] == has_no_spec
    archive = json.loads(cache[LIBGREET])["data"][0]["checksum"]
    cache[f"blobs/sha256/{archive[:2]}/{archive}"] = b"\x1f\x8b"
    assert had(cache)["ykiu"] == (True, True, True, None)
    assert had(cache, listed=False)["ykiu"] == (True, None, None, None)
    cache[LIBGREET.replace("ykiu3gqx", "zzzzzzzz")] = cache[LIBGREET]
    assert had(cache)["zzzz"] == (False, True, True, "HASH_DIFFERS")
    del cache[INDEX]
    assert had(cache)["ykiu"] == (None, True, True, None)


def test_what_a_buildcache_of_layout_2_has():
    index = next(content for path, content in layout_3().items() if "d03f0153" in path)
    cache = {**layout_2(), "build_cache/index.json": index}
    name = "build_cache/linux-debian12-x86_64_v3/gcc-12.2.0/x-1/linux-x-1-{}.spack"
    cache |= {name.format(hash_): b"" for hash_ in ("o" * 32, two_documents()[0]["spec"]["nodes"][0]["hash"])}
    found = had(cache)
    assert found["aaaa"] == (False, True, False, "HASH_DIFFERS")
    assert found["oooo"] == (False, False, True, "SPEC_MISSING")
    assert found["bjnr"] == (True, False, False, "SPEC_MISSING")
    own = two_documents()[0]["spec"]["nodes"][0]["hash"]
    cache[f"build_cache/linux-a-1-{own}.spec.json"] = json.dumps(two_documents()[0]).encode()
    assert had(cache)[own[:4]] == (False, True, True, "NOT_IN_INDEX")


def test_a_directory_that_is_no_buildcache_is_refused():
    found, said = read({"README.md": b"hello"})
    assert found == []
    assert said.startswith(
        "neither v3/manifests/index/index.manifest.json nor build_cache/index.json is there"
    )
