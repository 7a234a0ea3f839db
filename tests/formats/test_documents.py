"""What goes in comes out, of every format, and is told by its content alone."""

import bz2
import gzip
import json
import lzma
from typing import Any

import pytest
import yaml
import zstandard

from spackmon.errors import Refused
from spackmon.formats.detect import read_document
from spackmon.graph.spec import SpecGraph
from spackmon.status import SourceKind
from spackmon.submission import (
    ConcretizationFailureReport,
    EnvironmentReport,
    EnvironmentRoot,
    InstallReport,
    SpecReport,
)
from tests.formats import documents as files
from tests.formats.corpus import FORMATS, documents, elements

ABSTRACT = json.loads(files.data("abstract-specs.json"))


def fields(element: Any) -> dict[str, Any]:
    return element if "name" in element else next(iter(element.values()))


def edges(stated: Any) -> list[tuple[str, str]]:
    """The dependencies that a node states: names and whichever hash there is."""
    listed = (
        stated.items() if isinstance(stated, dict) else [(entry["name"], entry) for entry in stated or ()]
    )
    kinds = ("full_hash", "build_hash", "hash")
    return [(name, next(entry[kind] for kind in kinds if kind in entry)) for name, entry in listed]


def check_graph(graph: SpecGraph, kept: dict[str, Any], root: str) -> None:
    """The graph of a root is what the file, nodes by key, states: the same nodes, edge for edge."""
    wanted, pending = {}, [(root, graph.root)]
    while pending:
        key, identity = pending.pop()
        if wanted.setdefault(identity, key) != key or identity not in graph.nodes:
            raise AssertionError(f"{key} and {wanted[identity]} are one")
        node = graph.nodes[identity]
        assert json.loads(node.document) == kept[key]
        stated = edges(fields(kept[key]).get("dependencies"))
        assert [graph.nodes[edge.child].name for edge in node.edges] == [name for name, _ in stated]
        built_as = fields(kept[key]).get("build_spec")
        below = [(child, edge.child) for (_, child), edge in zip(stated, node.edges, strict=True)]
        if built_as is not None and built_as["hash"] in graph.nodes:
            below.append((built_as["hash"], built_as["hash"]))
        pending += [step for step in below if step[1] not in wanted]
    assert set(wanted) == set(graph.nodes)


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_of_lines_gives_every_document_whole(name):
    originals = documents(name)
    lines = "\n".join(json.dumps(document) for document in originals).encode()
    found = files.graphs(files.read(lines))
    assert [[json.loads(node.document) for node in graph.nodes.values()] for graph in found] == [
        elements(document) for document in originals
    ]


@pytest.mark.parametrize("version", range(1, 8))
def test_a_lock_file_gives_the_graph_of_every_root_in_its_order(version):
    document = files.any_lock(version)
    found = files.graphs(files.read(document))
    assert len(found) == len(document["roots"])
    for root, graph in zip(document["roots"], found, strict=True):
        check_graph(graph, document["concrete_specs"], root["hash"])
    assert {graph.format_version for graph in found} == {{1: 1, 2: 1, 3: 2, 4: 3, 5: 4}.get(version, 5)}


@pytest.mark.parametrize(("version", "kind"), [(1, "hash"), (2, "build_hash"), (3, "build_hash")])
def test_specs_of_an_old_lock_file_are_known_by_the_key_that_they_do_not_repeat(version, kind):
    document = files.any_lock(version)
    (graph,) = files.graphs(files.read(document))
    assert {node.hash_kind for node in graph.nodes.values()} == {kind}
    assert set(graph.nodes) == set(document["concrete_specs"])


def test_specs_built_differently_may_share_an_old_dag_hash():
    document = files.any_lock(2)
    keys = list(document["concrete_specs"])
    for element in document["concrete_specs"].values():
        fields(element)["hash"] = keys[0][::-1]
    (graph,) = files.graphs(files.read(document))
    check_graph(graph, document["concrete_specs"], keys[0])


def test_environments_that_are_included_bring_their_roots_and_theirs_in_turn():
    document = files.any_lock(6)
    inner, outer = files.any_lock(7), files.lock(7, [], {})
    inner["include_concrete"] = {"/deeper": {"roots": document["roots"][1:2]}}
    inner["roots"] = inner["roots"][:1]
    outer["include_concrete"] = {"/inner": inner}
    roots = [graph.root for graph in files.graphs(files.read(outer))]
    # The third is of no root's graph: it comes last, but it comes.
    assert roots == [root["hash"] for root in document["roots"]]


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("/opt/spack/var/spack/environments/site/spack.lock", "site"),
        ("./project/spack.lock.gz", "project"),
        ("nightly.lock", "nightly"),
        ("spack.lock", None),
        ("/spack.lock", None),
        ("", None),
    ],
)
def test_an_environment_is_called_as_the_folder_of_its_lock_file(place, name):
    reports = read_document("file", json.dumps(files.any_lock(6)).encode(), None, place=place)
    assert [one.name for one in reports if isinstance(one, EnvironmentReport)] == [name] * (name is not None)


def test_an_environment_keeps_its_roots_in_its_users_words_and_groups():
    inner, outer = files.any_lock(6), files.any_lock(7)
    outer["roots"][0] |= {"spec": "hdf5@1.14 +mpi", "group": "default"}
    outer["roots"][1]["hash"] = "0" * 32
    outer["include_concrete"] = {"/inner": inner}
    found = []
    with pytest.raises(Refused, match="no spec with the hash 0000"):
        found.extend(read_document("file", json.dumps(outer).encode(), None, place="site/spack.lock"))
    asked = [(root["spec"], root["hash"], root.get("group"), None) for root in outer["roots"]]
    asked += [(root["spec"], root["hash"], None, "/inner") for root in inner["roots"]]
    assert found[-1] == EnvironmentReport(
        "site", 7, "1.2.0.dev0", tuple(EnvironmentRoot(*root) for root in asked)
    )


def test_the_spack_of_a_lock_file_is_the_one_that_it_names():
    assert {report.spack_version for report in files.read(files.data("spack-1.2.lock"), "9")} == {
        "1.2.0.dev0"
    }
    assert {report.spack_version for report in files.read(files.any_lock(1), "0.13")} == {"0.13"}


@pytest.mark.parametrize(
    ("name", "version"), [("index-0.17.json", 2), ("index-0.23.json", 4), ("index-1.2.json", 5)]
)
def test_a_database_gives_an_install_for_every_row_and_says_which_are_externals(name, version):
    document = json.loads(files.data(name))
    rows = document["database"]["installs"]
    kept = {key: row["spec"] for key, row in rows.items()}
    reports = files.read(files.data(name))
    assert all(isinstance(report, InstallReport) for report in reports)
    found = {report.source.key.split("#")[1].split("@")[0]: report for report in reports}
    assert set(found) == set(rows)
    for key, report in found.items():
        assert report.installed_from == ("EXTERNAL" if rows[key]["spec"].get("external") else None)
        check_graph(report.graph, kept, key)
        assert report.graph.format_version == version
        assert (report.prefix, report.status) == (rows[key]["path"], "SUCCESS")
        assert report.finished_at.timestamp() == pytest.approx(rows[key]["installation_time"], abs=1e-5)
        assert report.source.key.endswith(f"#{key}@{rows[key]['installation_time']}")


def test_an_external_without_a_path_is_an_install_of_the_database_too():
    document = json.loads(files.data("index-0.23.json"))
    rows = document["database"]["installs"].values()
    external = next(row for row in rows if row["spec"].get("external"))
    external["path"] = None
    (report,) = (
        r for r in files.read(document) if r.graph.nodes[r.graph.root].name == external["spec"]["name"]
    )
    assert (report.prefix, report.installed_from) == (None, "EXTERNAL")


def test_a_database_of_0_16_is_read_though_its_specs_have_no_hash():
    document = files.old_database()
    kept = {key: row["spec"] for key, row in document["database"]["installs"].items()}
    reports = files.read(document)
    assert len(reports) == len(kept)
    for report in reports:
        check_graph(report.graph, kept, report.graph.root)


def test_rows_that_are_not_installed_are_specs_unless_they_came_with_an_install():
    document = json.loads(files.data("index-1.2.json"))
    rows = document["database"]["installs"]
    names = {"greet-cli", "libgreet"}
    for row in rows.values():
        row["installed"] = row["spec"]["name"] not in names
    reports = files.read(document)
    specs = [r.graph.nodes[r.graph.root].name for r in reports if isinstance(r, SpecReport)]
    # Both libgreets hang below a greet-cli.
    assert specs == ["greet-cli", "greet-cli"]
    covered = {key for report in reports for key in report.graph.nodes}
    assert covered == set(rows)


def test_parents_come_first_and_graphs_share_their_nodes():
    reports = files.read(files.data("index-1.2.json"))
    seen: dict[str, Any] = {}
    for report in reports:
        for key, node in report.graph.nodes.items():
            assert seen.setdefault(key, node) is node
            if key != report.graph.root:
                assert all(other.graph.root != key for other in reports[: reports.index(report)])


def test_a_long_padded_path_leaves_room_for_what_tells_installs_apart():
    document = files.old_database()
    for row in document["database"]["installs"].values():
        row["path"] = "/opt/" + "__spack_path_placeholder__/" * 20 + row["path"]
    keys = {report.source.key for report in files.read(document)}
    assert len(keys) == len(document["database"]["installs"])
    assert max(map(len, keys)) < 250


def test_what_spack_find_prints_gives_graphs_that_hold_every_spec():
    printed = json.loads(files.data("find-0.23.json"))
    kept = {node["hash"]: node for node in printed}
    found = files.graphs(files.read(files.data("find-0.23.json")))
    for graph in found:
        check_graph(graph, kept, graph.root)
    assert {key for graph in found for key in graph.nodes} == set(kept)


def test_spec_yaml_states_what_the_json_of_the_same_spec_states():
    nodes, text = files.spec_yaml()
    (graph,) = files.graphs(files.read(text))
    assert [json.loads(node.document) for node in graph.nodes.values()] == nodes
    assert files.read(text) == files.read({"spec": nodes})


def test_an_unquoted_version_in_yaml_stays_as_it_is_written():
    _, text = files.spec_yaml()
    for written in ("1.10", "2022-05-01", "1e3", "0x10", "007", "1_000", "yes", ".5", "12:30:00"):
        lines = text.split(b"\n")
        position = next(number for number, line in enumerate(lines) if b" version:" in line)
        lines[position] = lines[position].split(b":")[0] + b": " + written.encode()
        (graph,) = files.graphs(files.read(b"\n".join(lines)))
        assert graph.nodes[graph.root].version == written


def test_a_spliced_spec_comes_with_what_it_was_built_as():
    nodes = elements(json.loads(files.data("spliced.json")))
    (graph,) = files.graphs(files.read(files.data("spliced.json")))
    assert [json.loads(node.document) for node in graph.nodes.values()] == nodes
    as_lock = files.lock(6, [nodes[0]["hash"]], {node["hash"]: node for node in nodes})
    (from_lock,) = files.graphs(files.read(as_lock))
    check_graph(from_lock, as_lock["concrete_specs"], nodes[0]["hash"])
    assert set(from_lock.nodes) == set(graph.nodes)
    assert nodes[0]["build_spec"]["hash"] in from_lock.nodes


def test_a_spec_read_again_by_a_later_spack_is_the_same_spec_with_its_compiler():
    (before,) = files.graphs(files.read(files.data("v4-from-0.23.json")))
    (after,) = files.graphs(files.read(files.data("v4-reread-by-1.2.json")))
    assert list(before.nodes) == list(after.nodes)
    assert (before.format_version, after.format_version) == (4, 5)
    for old, new in zip(before.nodes.values(), after.nodes.values(), strict=True):
        assert (old.compiler, old.edges, old.version) == (new.compiler, new.edges, new.version)
        assert old.compiler == ("gcc", "12.2.0")


@pytest.mark.parametrize("asked", ABSTRACT)
def test_an_abstract_spec_is_no_report_unless_it_says_that_it_failed(asked):
    with pytest.raises(
        Refused, match="is abstract, and does not say that it could not be concretized"
    ) as found:
        files.read(ABSTRACT[asked], "1.2.0")
    assert found.value.code == "SPEC_ABSTRACT"


def test_an_abstract_spec_that_failed_is_a_concretization_failure():
    document = ABSTRACT["hdf5+mpi"]
    (failure,) = files.read({**document, "spack_version": "1.2.0"})
    assert isinstance(failure, ConcretizationFailureReport)
    assert json.loads(failure.document) == document["spec"]
    (root,) = document["spec"]["nodes"]
    failed = {"_meta": {"version": 3}, "nodes": [{**root, "full_hash": "FAILED_CONCRETIZATION"}]}
    assert isinstance(files.read(failed, "0.18.0")[0], ConcretizationFailureReport)
    with pytest.raises(Refused, match="say by which Spack"):
        files.read(failed)


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress, bz2.compress, lzma.compress])
def test_any_file_may_be_compressed_in_pieces_and_twice(compress):
    written = files.data("spack-1.2.lock")
    plain = files.read(written)
    assert files.read(compress(written)) == plain
    assert files.read(compress(written[:999]) + compress(written[999:])) == plain
    assert files.read(gzip.compress(compress(written))) == plain


def test_every_format_is_told_by_its_content():
    for name, written in files.every_file():
        assert files.read(written), name
        assert len(files.read(gzip.compress(written))) == len(files.read(written))


def test_keys_have_no_order() -> None:
    document = yaml.safe_dump({"spec": files.smallest("list-0.16")}, sort_keys=False)
    first = "buildinfo:\n  relative_prefix: linux/gcc/zlib\n"
    last = "binary_cache_checksum: {hash_algorithm: sha256}\n"
    (expected,) = files.graphs(files.read(document.encode()))
    for written in (first + document + last, f"# a comment\n---\n{last}{first}{document}"):
        assert files.graphs(files.read(written.encode())) == [expected]


def test_text_with_a_key_in_it_is_no_yaml() -> None:
    for text in ("==> zlib: building\nspec: this\n", "a log\nnodes:\n", "key: value\n"):
        with pytest.raises(Refused, match="neither JSON nor XML"):
            files.read(text.encode())


def test_a_comment_before_a_document_names_no_element() -> None:
    comment = f"<?xml version='1.0'?>\n<!-- see <testsuites> {'x' * 5000} -->\n"
    site = "<Site Name='a' BuildStamp='b' BuildName='c'><Build/></Site>"
    (report,) = files.read((comment + site).encode())
    assert isinstance(report, InstallReport)
    assert report.source.kind is SourceKind.CDASH


def newer(document: dict[str, Any]) -> tuple[list[Any], str]:
    """What a document reports before the sentence that names its version."""
    found: list[Any] = []
    with pytest.raises(Refused) as refused:
        found.extend(read_document("file", json.dumps(document).encode(), "9.9"))
    assert refused.value.code == "DOCUMENT_NEWER"
    return found, refused.value.sentence


def test_what_is_newer_is_named_and_read_as_far_as_it_can_be() -> None:
    lock = json.loads(files.data("spack-1.2.lock"))
    known = files.read(lock)
    lock["_meta"] |= {"lockfile-version": 8, "specfile-version": 6}
    lock["guide"] = {"new": True}
    found, sentence = newer(lock)
    assert [report.graph.nodes.keys() for report in found] == [report.graph.nodes.keys() for report in known]
    assert "lockfile-version 8 is newer than 7" in sentence
    assert "specfile-version 6 is newer than 5" in sentence
    database = json.loads(files.data("index-1.2.json"))
    known = files.read(database)
    database["database"]["version"] = "9"
    found, sentence = newer(database)
    assert (len(found), "database.version 9 is newer than 8" in sentence) == (len(known), True)
    (document,) = documents("nodes-v5-1.2")[:1]
    found, sentence = newer({"_meta": {"version": 6}, "nodes": elements(document)})
    assert len(found[0].graph.nodes) == len(elements(document))
    assert "_meta.version 6 is newer than 5" in sentence


def test_a_newer_document_that_cannot_be_read_says_that_it_is_newer() -> None:
    node = {"name": "zlib", "arch": "new", "version": "1", "hash": "a" * 32}
    with pytest.raises(Refused, match=r"_meta.version 6 is newer than 5.*arch must be an object"):
        files.read({"_meta": {"version": 6}, "nodes": [node]})
