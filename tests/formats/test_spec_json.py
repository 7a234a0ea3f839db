"""Every format of spec JSON, on real documents."""

import copy
import json
from typing import Any

import pytest

from spackmon.errors import Refused
from spackmon.formats.specs import spec_json
from spackmon.graph.spec import Deptype
from tests.formats.corpus import FORMATS, documents, elements

# Not the plain SHA-1: a spliced spec keeps the end of its build_spec's hash, and specs that a later Spack
# read from a v4 file keep the hash they had there.
OTHER_HASHES = {
    "z4t62jugxsfatnrbvpel45iulhkjkzbk": "spliced",
    "75b4t5rehtewc6bh4sj3aqwpli7tah3f": "re-read",
    "o6a3cwhnprfwt6michm5sbkyvo7tltol": "re-read",
    "ziod6esmv3vfo2ryihpekjf3zu6v5p4a": "re-read",
    "zeo2bhrpaksw66tjnymafzhms3o2qkqp": "re-read",
}


def fields(node: Any) -> dict[str, Any]:
    return node if "name" in node else next(iter(node.values()))


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_of_a_document_is_lost(name):
    for document in documents(name):
        graph = spec_json.read(document)
        assert graph.format_version == FORMATS[name]
        kept = [json.loads(node.document) for node in graph.nodes.values()]
        assert [json.dumps(node) for node in kept] == [json.dumps(node) for node in elements(document)]
        assert graph.root == next(iter(graph.nodes))


@pytest.mark.parametrize("name", FORMATS)
def test_every_edge_ends_at_the_node_it_names_with_its_types(name):
    edges = 0
    for document in documents(name):
        nodes = spec_json.read(document).nodes
        for node in nodes.values():
            stated = fields(json.loads(node.document)).get("dependencies", [])
            if isinstance(stated, dict):
                stated = [{"name": child, **entry} for child, entry in stated.items()]
            found = []
            for edge in node.edges:
                types = [deptype.name.lower() for deptype in Deptype if deptype in edge.deptypes]
                found.append((nodes[edge.child].name, types, list(edge.virtuals)))
            assert found == [
                (
                    entry["name"],
                    sorted(entry.get("type") or entry["parameters"]["deptypes"]),
                    entry.get("parameters", {}).get("virtuals", []),
                )
                for entry in stated
            ]
            edges += len(found)
    assert edges > 200


@pytest.mark.parametrize("name", FORMATS)
def test_a_spec_is_known_by_all_its_hashes_and_identified_by_the_strongest(name):
    kind = "full_hash" if FORMATS[name] < 3 else "hash"
    for document in documents(name):
        for node in spec_json.read(document).nodes.values():
            shown = fields(json.loads(node.document))
            assert node.hash_kind == kind
            assert node.hash == shown[kind]
            assert dict(node.hashes) == {
                k: shown[k] for k in ("full_hash", "build_hash", "hash") if k in shown
            }


def test_a_v5_node_hashes_to_its_own_hash_except_where_spack_says_otherwise():
    other = {}
    for document in documents("nodes-v5-1.2"):
        for node in spec_json.read(document).nodes.values():
            if spec_json.node_hash(node.document) != node.hash:
                content = json.loads(node.document)
                re_read = content["annotations"]["original_specfile_version"] == 4
                other[node.hash] = "re-read" if re_read else "spliced" if "build_spec" in content else "?"
    assert other == OTHER_HASHES


def test_compilers_are_named_before_v5_and_depended_on_since():
    v4 = spec_json.read(documents("nodes-v4-0.23")[0])
    assert {node.compiler for node in v4.nodes.values()} == {("gcc", "12.2.0")}
    for document in documents("nodes-v5-1.2"):
        for node in spec_json.read(document).nodes.values():
            assert node.compiler == (
                ("gcc", "12.2.0") if node.hash in OTHER_HASHES and node.compiler else None
            )
    re_read = [g for d in documents("nodes-v5-1.2") for g in spec_json.read(d).nodes.values() if g.compiler]
    assert len({node.hash for node in re_read}) == 4


@pytest.mark.parametrize(
    ("written", "version"),
    [
        ({"versions": ["9.4.0"]}, "9.4.0"),
        ({"versions": ["=9.4.0"]}, "9.4.0"),
        ({"versions": "9.4.0:9.5"}, "9.4.0:9.5"),
        ({"versions": ["9.4.0", "10.1:"]}, "9.4.0,10.1:"),
        ({"version": "9.4.0", "versions": [":"]}, "9.4.0"),
    ],
)
def test_a_version_may_stand_in_a_list_as_spack_reads_it(written, version):
    (element,) = elements(documents("nodes-v4-0.23")[0])[-1:]
    element = {key: value for key, value in element.items() if key not in ("version", "dependencies")}
    node = {**element, **written, "compiler": {"name": "gcc", **written}}
    (read,) = spec_json.read({"_meta": {"version": 4}, "nodes": [node]}).nodes.values()
    assert (read.version, read.compiler) == (version, ("gcc", version))


def test_targets_are_names_or_descriptions():
    targets = {
        node.target.name: node.target
        for document in documents("nodes-v5-1.2")
        for node in spec_json.read(document).nodes.values()
    }
    generic = [target for target in targets.values() if target.document.startswith('"')]
    described = [target for target in targets.values() if target.document.startswith("{")]
    assert generic
    assert described
    for target in generic:
        assert (target.vendor, target.generation, target.features) == (None, None, ())
    for target in described:
        stated = json.loads(target.document)
        assert target.vendor == stated["vendor"]
        assert list(target.features) == stated["features"]
        assert list(target.parents) == stated["parents"]


def test_a_document_may_be_wrapped_in_spec_up_to_twice():
    bare = elements(documents("list-0.16")[3])
    graph = spec_json.read(bare)
    assert spec_json.read({"spec": bare}) == graph
    assert spec_json.read({"spec": {"spec": bare}}) == graph


def disk_file(document: Any, kind: str) -> Any:
    """The document as 0.16 and 0.17 keep it on disk: nodes without full_hash, edges by another hash."""
    nodes = copy.deepcopy(elements(document))
    value = {node["full_hash"]: node[kind] for node in nodes}
    for node in nodes:
        for edge in node.get("dependencies", []):
            edge[kind] = value[edge.pop("full_hash")]
        for other in {"full_hash", "build_hash", "hash"} - {kind, "hash"}:
            del node[other]
    return {"spec": {"_meta": {"version": 2}, "nodes": nodes}}


@pytest.mark.parametrize("kind", ["build_hash", "hash"])
def test_a_file_from_disk_is_resolved_and_identified_by_the_hashes_it_has(kind):
    posted = documents("nodes-v2-0.17")[1]
    on_disk = spec_json.read(disk_file(posted, kind))
    assert {node.hash_kind for node in on_disk.nodes.values()} == {kind}
    names = [[on_disk.nodes[e.child].name for e in node.edges] for node in on_disk.nodes.values()]
    graph = spec_json.read(posted)
    assert names == [[graph.nodes[e.child].name for e in node.edges] for node in graph.nodes.values()]


def v5_node(name: str, hash: str, *dependencies: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: A002
    arch = {"platform": "linux", "platform_os": "debian12", "target": "x86_64"}
    node = {"name": name, "version": "1.0", "arch": arch, "parameters": {}, "hash": hash * 8, **more}
    return {**node, "dependencies": list(dependencies)} if dependencies else node


def v5_edge(name: str, hash: str, *deptypes: str, virtuals: tuple[str, ...] = ()) -> dict[str, Any]:  # noqa: A002
    parameters = {"deptypes": list(deptypes), "virtuals": list(virtuals)}
    return {"name": name, "hash": hash * 8, "parameters": parameters}


def v5(*nodes: Any) -> dict[str, Any]:
    return {"spec": {"_meta": {"version": 5}, "nodes": list(nodes)}}


def test_two_edges_to_one_package_name_go_to_two_nodes():
    root = v5_node("app", "a", v5_edge("zlib", "b", "link"), v5_edge("zlib", "c", "build"))
    graph = spec_json.read(v5(root, v5_node("zlib", "b"), v5_node("zlib", "c")))
    assert [(e.child, e.deptypes) for e in graph.nodes["a" * 8].edges] == [
        ("b" * 8, Deptype.LINK),
        ("c" * 8, Deptype.BUILD),
    ]


def test_edges_that_differ_only_in_types_are_one():
    twice = v5_edge("gcc", "b", "build", virtuals=("c",)), v5_edge("gcc", "b", "run", virtuals=("c",))
    root = v5_node("app", "a", *twice, v5_edge("gcc", "b", "build", virtuals=("cxx",)))
    edges = spec_json.read(v5(root, v5_node("gcc", "b"))).nodes["a" * 8].edges
    assert [(e.deptypes, e.virtuals) for e in edges] == [
        (Deptype.BUILD | Deptype.RUN, ("c",)),
        (Deptype.BUILD, ("cxx",)),
    ]


def test_a_node_given_twice_counts_once_but_not_with_two_contents():
    root, child = v5_node("app", "a", v5_edge("zlib", "b", "link")), v5_node("zlib", "b")
    assert len(spec_json.read(v5(root, child, child)).nodes) == 2
    with pytest.raises(Refused, match=r"node 2 \(zlib\): another node has the same hash"):
        spec_json.read(v5(root, child, {**child, "version": "2.0"}))


def test_a_failed_concretization_is_told_from_a_spec_and_kept_whole():
    nodes = [
        {"name": "app", "versions": [":"], "concrete": False, "full_hash": "FAILED_CONCRETIZATION"},
        {"name": "impossible", "versions": ["9"], "concrete": False, "full_hash": "FAILED_CONCRETIZATION"},
    ]
    document = {"_meta": {"version": 3}, "nodes": nodes}
    assert spec_json.is_abstract({"spec": document})
    report = spec_json.read_failure({"spec": document}, "0.18.1")
    assert (report.name, json.loads(report.document), report.spack_version) == ("app", document, "0.18.1")
    assert not any(spec_json.is_abstract(d) for name in FORMATS for d in documents(name))
    with pytest.raises(Refused, match=r"node 1 \(impossible\): full_hash must be"):
        spec_json.read(v5(v5_node("app", "a"), nodes[1]))


ROOT, CHILD = v5_node("app", "a", v5_edge("zlib", "b", "link")), v5_node("zlib", "b")


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (None, "a list of nodes or an object"),
        ({"spec": {"spec": {"spec": {"spec": []}}}}, "a list of nodes"),
        ([], "it has no nodes"),
        ([{"zlib": {}, "bzip2": {}}], "node 0: the node must be an object of one key"),
        ([{"zlib": []}], "node 0 .zlib.: the node must be an object, not a list"),
        ({"_meta": {"version": 1}, "nodes": [CHILD]}, "_meta.version must be a number, from 2"),
        ({"_meta": {"version": True}, "nodes": [CHILD]}, "_meta.version must be a number, from 2"),
        (v5(ROOT), "node 0 .app.: dependencies: no node of the document has the hash b{8} of zlib"),
        (v5(ROOT, {**CHILD, "dependencies": [v5_edge("app", "a", "run")]}), "depends on itself"),
        (v5({**CHILD, "name": 3}), "node 0: name must be a string, not a number"),
        (v5({**CHILD, "name": "z" * 501}), "node 0: name must be at most 500 bytes long"),
        (v5({**CHILD, "version": None}), "node 0 .zlib.: version is missing"),
        (v5({**CHILD, "version": "1" * 501}), "version must be at most 500 bytes"),
        (v5({**CHILD, "hash": ""}), "hash must be 7 to 64 lowercase letters and digits"),
        (v5({**CHILD, "arch": "linux"}), "arch must be an object, not a string"),
        (v5({**CHILD, "arch": {"platform": "linux", "platform_os": "x"}}), "arch.target is missing"),
        (v5({**CHILD, "parameters": {"x": "a\0b"}}), "the node must not contain a NUL character"),
        (v5({**CHILD, "parameters": {"\ud800": 1}}), "half of a surrogate pair"),
        (v5({**CHILD, "parameters": {"x": float("nan")}}), "NaN"),
        (v5({**CHILD, "external": "/usr"}), "external must be an object"),
        (v5({**CHILD, "compiler": {"name": "gcc"}}), "compiler.version is missing"),
        (v5({**CHILD, "annotations": {"compiler": "gcc"}}), "annotations.compiler must be written"),
        (v5({**CHILD, "dependencies": [{"name": "x"}]}), "dependencies.x: hash is missing"),
        (
            v5({**ROOT, "dependencies": [v5_edge("zlib", "b", virtuals=("\U0001f600",) * 150)]}),
            "virtuals must",
        ),
        (v5({**ROOT, "dependencies": [v5_edge("zlib", "b", "want")]}), "must name build, link, run or test"),
        (
            v5({**CHILD, "arch": {**CHILD["arch"], "target": {"name": "zen", "generation": 1 << 31}}}),
            "32 bits",
        ),
    ],
)
def test_a_malformed_document_is_refused_with_the_node_and_the_field(document, sentence):
    with pytest.raises(Refused, match=sentence) as caught:
        spec_json.read(document)
    assert (caught.value.code, caught.value.status) == ("SPEC_MALFORMED", 400)
    assert caught.value.sentence.isprintable()


def test_a_surrogate_pair_and_escaped_backslashes_are_fine():
    odd = {"emoji": "\U0001f600", "windows": "C:\\u0000", "text": "\\ud800"}
    graph = spec_json.read(v5({**CHILD, "parameters": odd}))
    assert json.loads(graph.nodes[graph.root].parameters) == odd


def test_a_document_nested_beyond_pythons_stack_is_refused():
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Refused, match="nested too deeply"):
        spec_json.read(v5({**CHILD, "parameters": {"x": deep}}))
    while deep:
        deep = deep[0]  # freed one by one: dropping the whole would recurse


def chain(length: int) -> dict[str, Any]:
    hashes = [f"{i:08}" for i in range(length)]
    below = [[v5_edge("p", "x", "link") | {"hash": child}] for child in hashes[1:]] + [[]]
    return v5(*({**v5_node("p", "a", *b), "hash": own} for own, b in zip(hashes, below, strict=True)))


def test_a_chain_of_specs_deeper_than_pythons_stack_is_read():
    assert len(spec_json.read(chain(1_900)).nodes) == 1_900


def test_a_graph_too_large_for_the_closure_is_refused():
    with pytest.raises(Refused, match="more than 2000000 descendants"):
        spec_json.read(chain(3_000))
