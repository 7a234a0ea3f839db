"""Real files of Spack (tests/data/formats), and more that real specs make in formats of which we have none.

Lock files of versions 1 to 4 and 7, databases of version 5, spec.yaml and signed files are derived: the specs
in them are those that Spack wrote, the file around them is as Spack's source writes it.
"""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from spackmon.formats.detect import read_document
from spackmon.graph.spec import SpecGraph
from spackmon.submission import Submission
from tests.formats.corpus import documents, elements

DATA = Path(__file__).parent.parent / "data"
FORMATS = DATA / "formats"
BUILDCACHE = FORMATS / "buildcache"


def data(name: str) -> bytes:
    """A real file as Spack wrote it."""
    return gzip.decompress((FORMATS / f"{name}.gz").read_bytes())


def read(content: Any, spack_version: str | None = None) -> list[Submission]:
    """What a document, given as bytes or as what its JSON states, reports."""
    written = content if isinstance(content, bytes) else json.dumps(content).encode()
    return list(read_document("file", written, spack_version))


def graphs(submissions: list[Submission]) -> list[SpecGraph]:
    return [submission.graph for submission in submissions if submission.graph is not None]


def smallest(corpus: str, specs: int = 5) -> list[Any]:
    """The nodes of the smallest document of a corpus that has so many."""
    found = [elements(document) for document in documents(corpus)]
    return min((nodes for nodes in found if len(nodes) >= specs), key=len)


def lock(version: int, roots: list[str], specs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "_meta": {"file-type": "spack-lockfile", "lockfile-version": version, **more.pop("meta", {})},
        "roots": [{"hash": key, "spec": "what was asked for"} for key in roots],
        "concrete_specs": specs,
        **more,
    }


def _fields(element: Any) -> dict[str, Any]:
    return element if "name" in element else next(iter(element.values()))


def named(element: Any, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields in the shape of `element`: alone or under the package's name."""
    return fields if "name" in element else {next(iter(element)): fields}


def _with_dependencies(
    element: Any, kind: str, hashes: dict[str, dict[str, str]], under: str
) -> dict[str, Any]:
    """The fields of a node whose dependencies are named by a hash of `kind`, under the key `under`."""
    fields = dict(_fields(element))
    stated = fields.get("dependencies")
    if isinstance(stated, dict):
        fields["dependencies"] = {
            name: {**entry, "hash": hashes[entry["hash"]][kind]} for name, entry in stated.items()
        }
    elif stated is not None:
        fields["dependencies"] = [
            {"name": entry["name"], under: hashes[entry["full_hash"]][kind], "type": entry["type"]}
            for entry in stated
        ]
    return fields


def old_lock(version: int) -> dict[str, Any]:
    """A lock file of version 1, 2 (of specs of 0.16) or 3 (of 0.17)."""
    nodes = smallest("nodes-v2-0.17" if version == 3 else "list-0.16")
    hashes = {_fields(node)["full_hash"]: _fields(node) for node in nodes}
    kind = "hash" if version == 1 else "build_hash"
    specs = {}
    for node in nodes:
        fields = _with_dependencies(node, kind, hashes, "build_hash")
        dag_hash = fields.pop("hash")
        key = dag_hash if version == 1 else fields["build_hash"]
        del fields["full_hash"], fields["build_hash"]
        specs[key] = named(node, fields if version == 1 else {**fields, "hash": dag_hash})
    meta = {"specfile-version": 2} if version == 3 else {}
    return lock(version, [next(iter(specs))], specs, meta=meta)


def modern_lock(version: int) -> dict[str, Any]:
    """A lock file of version 4 (of specs of 0.18), 5 and 6 as Spack wrote them, or 7."""
    if version in (5, 6):
        return json.loads(data("spack-0.23.lock" if version == 5 else "spack-1.2.lock"))
    if version == 4:
        nodes = smallest("nodes-v3-0.19")
        hashes = {node["full_hash"]: node for node in nodes}
        specs = {node["hash"]: _with_dependencies(node, "hash", hashes, "hash") for node in nodes}
        return lock(4, [nodes[0]["hash"]], specs, meta={"specfile-version": 3})
    grouped = json.loads(data("spack-1.2.lock"))
    grouped["_meta"]["lockfile-version"] = 7
    for root in grouped["roots"]:
        root["group"] = "tools"
    return grouped


def any_lock(version: int) -> dict[str, Any]:
    return old_lock(version) if version < 4 else modern_lock(version)


def old_database() -> dict[str, Any]:
    """A database of version 5, with the specs of a lock file of version 1, as 0.16 keeps them."""
    rows = {
        key: {
            "spec": node, "path": f"/opt/{key}", "installed": True, "ref_count": 1, "explicit": False,
            "installation_time": 1_600_000_000.25, "deprecated_for": None,
        }
        for key, node in old_lock(1)["concrete_specs"].items()
    }  # fmt: skip
    return {"database": {"version": "5", "installs": rows}}


def spec_yaml() -> tuple[list[Any], bytes]:
    """The nodes of a document of 0.16, and its `spec.yaml`."""
    nodes = smallest("list-0.16")
    return nodes, yaml.safe_dump({"spec": nodes}, sort_keys=False, default_flow_style=False).encode()


def signed(text: bytes) -> bytes:
    """A clear signature around a text, as gpg makes it: lines that begin with a dash are escaped."""
    escaped = b"\n".join(b"- " + line if line.startswith(b"-") else line for line in text.split(b"\n"))
    return (
        b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n" + escaped
        + b"\n-----BEGIN PGP SIGNATURE-----\n\niQEzBAEBCgAd\n-----END PGP SIGNATURE-----\n"
    )  # fmt: skip


def every_file() -> Iterator[tuple[str, bytes]]:
    """Something of every format that is read, with a name for it."""
    for path in sorted(FORMATS.glob("*.gz")):
        if path.name != "abstract-specs.json.gz":
            yield path.name, gzip.decompress(path.read_bytes())
    for version in range(1, 8):
        yield f"lock {version}", json.dumps(any_lock(version)).encode()
    yield "database 5", json.dumps(old_database()).encode()
    yield "spec.yaml", spec_yaml()[1]
    yield "spec.json.sig", signed(data("v4-from-0.23.json"))
    yield "lines", b"\n".join(json.dumps(nodes).encode() for nodes in documents("nodes-v4-0.23")[:2])
    yield "junit", gzip.decompress((DATA / "junit" / "1.2.xml.gz").read_bytes())
    with gzip.open(DATA / "captures" / "0.23-cdash-success.jsonl.gz", "rt") as lines:
        exchange = next(json.loads(line) for line in lines if "<Site" in line)
    yield "cdash", exchange["request_body"].encode()
