"""Documents of the same specs give the same database, whatever they leave out, in whatever order."""

import dataclasses
import json
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spackmon.formats.detect import read_document
from spackmon.graph.spec import Deptype, Edge, SpecGraph, SpecNode
from spackmon.ingest.checking import check_database
from spackmon.ingest.specs.moving import references
from spackmon.models import Base, Spec
from spackmon.status import BuildStatus, SourceKind
from spackmon.submission import InstallReport, SpecReport
from tests.ingest.installs import HERE, after, install
from tests.ingest.reports import Site, build_report, graph, spec
from tests.properties import examples

PARTS = Path(__file__).parent.parent / "data" / "in-parts"

QUESTIONS = {
    "spec": """
        SELECT s.hash_kind, s.hash, p.name, v.version, s.namespace, s.names_compiler, c.name, c.version,
            r.value, s.external, s.external_path, s.built_as,
            s.format_version, s.spack_version
        FROM spec s JOIN package_version v ON v.id = s.package_version_id
        JOIN package p ON p.id = v.package_id
        LEFT JOIN compiler c ON c.id = s.compiler_id LEFT JOIN package_hash r ON r.id = s.package_hash_id
    """,
    "hashes": "SELECT s.hash, h.kind, h.value FROM spec_hash h JOIN spec s ON s.id = h.spec_id",
    "documents": """
        SELECT s.hash, d.hashes, d.packed, d.dictionary, d.states_all_edges, d.built_as, d.spack_version
        FROM spec_document d JOIN spec s ON s.id = d.spec_id
    """,
    "edges": """
        SELECT p.hash, c.hash, d.virtuals, d.deptypes FROM dependency d
        JOIN spec p ON p.id = d.parent_id JOIN spec c ON c.id = d.child_id
    """,
    "closure": """
        SELECT a.hash, d.hash, c.by_caret, c.by_link_run, c.by_build, c.depth FROM closure c
        JOIN spec a ON a.id = c.ancestor_id JOIN spec d ON d.id = c.descendant_id
    """,
    "packages below": """
        SELECT s.hash, s.hash_kind, p.name FROM spec s
        LEFT JOIN package_set_member m ON m.package_set_id = s.package_set_id
        LEFT JOIN package p ON p.id = m.package_id
    """,
    "packages of the closure": """
        SELECT DISTINCT s.hash, s.hash_kind, p.name FROM spec s
        LEFT JOIN closure c ON c.ancestor_id = s.id LEFT JOIN spec d ON d.id = c.descendant_id
        LEFT JOIN package_version v ON v.id = d.package_version_id LEFT JOIN package p ON p.id = v.package_id
    """,
    "virtuals": """
        SELECT v.virtual, s.hash, c.hash, v.deptypes, v.by_caret FROM provided_virtual v
        JOIN spec s ON s.id = v.spec_id JOIN spec c ON c.id = v.child_id
    """,
    "compilers": """
        SELECT s.hash, k.language, c.name, c.version FROM spec_compiler k
        JOIN spec s ON s.id = k.spec_id JOIN compiler c ON c.id = k.compiler_id
    """,
    "contained": """
        SELECT s.hash, v.version, p.name FROM build_content b
        JOIN build o ON o.id = b.chunk * 256 + b.place JOIN spec s ON s.id = o.spec_id
        JOIN package_version v ON v.id = b.package_version_id JOIN package p ON p.id = b.package_id
    """,
}
RUNS = """
    SELECT s.hash, e.hostname, a.number, a.started_at, b.newest_attempt_id = a.id, c.kind, c.key, o.hash
    FROM build b LEFT JOIN spec s ON s.id = b.spec_id
    JOIN attempt a ON a.build_id = b.id JOIN build_environment e ON e.id = a.environment_id
    JOIN claim c ON c.attempt_id = a.id LEFT JOIN spec o ON o.id = c.spec_id
"""
TABLES = [
    "build_content", "merged_build", "claim_log", "claim", "attempt", "build", "build_total",
    "build_total_change", "build_facet_change",
    "build_facet", "build_facet_duration", "build_facet_total", "build_day", "closure", "provided_virtual",
    "dependency", "other_compiler", "spec_hash", "spec_document", "spec",
]  # fmt: skip


def stored(site: Site) -> dict[str, list[Any]]:
    """What the database says about specs, without numbers of rows."""
    return {name: sorted(site.rows(question), key=repr) for name, question in QUESTIONS.items()}


def contents(site: Site) -> dict[str, list[Any]]:
    """The same, of which one part follows from another."""
    found = stored(site)
    assert found["packages below"] == found["packages of the closure"]
    return found


@st.composite
def documents(draw: st.DrawFn) -> list[SpecGraph]:
    """Partial documents of specs of before Spack 0.18, some with one DAG hash and several full hashes."""
    count = draw(st.integers(2, 5))
    truth: list[tuple[str, dict[str, str], list[tuple[int, Deptype, tuple[str, ...]]]]] = []
    for number in range(count):
        name = f"p{number}"
        edges = []
        for child in range(number):
            if draw(st.booleans()):
                virtuals = draw(st.sampled_from([(), ("c",), ("c", "cxx"), ("mpi",)]))
                deptype = draw(st.sampled_from([Deptype.BUILD, Deptype.LINK, Deptype.LINK | Deptype.RUN]))
                edges.append((child, deptype, virtuals))
        variants = draw(st.integers(1, 2))
        builds = draw(st.integers(1, 2))
        hashes = {"hash": f"{name}dag", "build_hash": f"{name}build{builds}"}
        for variant in range(variants):
            truth.append((name, {**hashes, "full_hash": f"{name}full{variant}"}, edges))
    stated: list[SpecGraph] = []
    for _ in range(draw(st.integers(1, 6))):
        stated.append(_document(draw, truth))
    return stated


def _document(draw: st.DrawFn, truth: list[Any]) -> SpecGraph:
    names = sorted({name for name, _, _ in truth})
    chosen = {name: draw(st.sampled_from([one for one in truth if one[0] == name])) for name in names}
    kinds = draw(
        st.sampled_from(
            [("full_hash", "build_hash", "hash"), ("full_hash", "hash"), ("build_hash", "hash"), ("hash",)]
        )
    )
    without_build = draw(st.booleans())
    compiler = draw(st.sampled_from([None, ("gcc", "9.3.0")]))
    nodes: dict[str, SpecNode] = {}
    for name in names:
        _, hashes, edges = chosen[name]
        shown = tuple((kind, hashes[kind]) for kind in kinds)
        kept = tuple(
            Edge(chosen[f"p{child}"][1][kinds[0]], deptypes, virtuals)
            for child, deptypes, virtuals in edges
            if not (without_build and deptypes == Deptype.BUILD)
        )
        edges_stated = [[edge.child, int(edge.deptypes), edge.virtuals] for edge in kept]
        document = json.dumps([name, compiler, edges_stated])
        nodes[hashes[kinds[0]]] = dataclasses.replace(
            spec(name, "1.0", document=document, compiler=compiler),
            hash=hashes[kinds[0]], hash_kind=kinds[0], hashes=shown, edges=kept,
        )  # fmt: skip
    root = draw(st.sampled_from(sorted(nodes)))
    ordered = {root: nodes[root], **nodes}
    return SpecGraph(root, draw(st.sampled_from([1, 2])), ordered)


@pytest.mark.hypothesis
def test_the_order_of_documents_does_not_matter(site: Site) -> None:
    @examples(40, is_sqlite=site.database.is_sqlite)
    @given(documents(), st.data())
    def check(graphs: list[SpecGraph], data: st.DataObject) -> None:
        reports = [(graph, f"0.1{6 + position % 3}.0") for position, graph in enumerate(graphs)]
        first = _after(site, reports)
        twice = data.draw(st.lists(st.sampled_from(reports), max_size=2))
        second = _after(site, data.draw(st.permutations(reports + twice)))
        for name, rows in first.items():
            assert second[name] == rows, name

    check()


@st.composite
def documents_and_runs(draw: st.DrawFn) -> list[SpecReport | InstallReport]:
    """Documents, and runs of their specs: by a document or by one of its hashes, with times or without."""
    graphs = draw(documents())
    reports: list[SpecReport | InstallReport] = [SpecReport(document, "0.17.0") for document in graphs]
    for number in range(draw(st.integers(1, 5))):
        document = draw(st.sampled_from(graphs))
        _, shown = draw(st.sampled_from(document.nodes[document.root].hashes))
        named = draw(st.sampled_from([{"graph": document}, {"graph": None, "spec_hash": shown}]))
        began_at = draw(st.sampled_from([None, None, after(0), after(7200)]))
        ended_at = None if began_at is None else began_at + timedelta(seconds=90)
        kind = draw(st.sampled_from([SourceKind.EXTENSION, SourceKind.STAGE, SourceKind.INSTALL_DATABASE]))
        reports.append(install(
            kind, f"run-{number}", **named, environment=draw(st.sampled_from([HERE, None])),
            started_at=began_at, finished_at=ended_at, status=BuildStatus.SUCCESS,
        ))  # fmt: skip
    return reports


@pytest.mark.hypothesis
def test_which_spec_a_hash_means_and_what_number_a_run_has_do_not_depend_on_the_order(site: Site) -> None:
    @examples(30, is_sqlite=site.database.is_sqlite)
    @given(documents_and_runs(), st.data())
    def check(reports: list[SpecReport | InstallReport], data: st.DataObject) -> None:
        first = _runs_after(site, reports)
        twice = data.draw(st.lists(st.sampled_from(reports), max_size=2))
        assert _runs_after(site, data.draw(st.permutations(reports + twice))) == first
        for progress in check_database(site.database, repair=False):
            assert not sum(progress.differences.values()), progress.differences

    check()


def _runs_after(site: Site, reports: list[SpecReport | InstallReport]) -> dict[str, list[Any]]:
    site.delete_all(TABLES)
    for report in reports:
        site.apply(report, arrived_at=after(90000))
    return {**contents(site), "runs": sorted(site.rows(RUNS), key=repr)}


def test_a_run_finds_its_machine_when_two_specs_turn_out_to_be_one(site: Site) -> None:
    def document(*kinds: str) -> SpecGraph:
        hashes = tuple((kind, f"zlib-{kind}") for kind in kinds)
        node = spec("zlib", "1.0", document=json.dumps(kinds))
        node = dataclasses.replace(node, hash=hashes[0][1], hash_kind=kinds[0], hashes=hashes)
        return SpecGraph(node.hash, 2, {node.hash: node})

    one, other = document("full_hash", "hash"), document("build_hash", "hash")
    reports = [
        SpecReport(document("full_hash", "build_hash", "hash"), "0.17.0"),
        install(SourceKind.EXTENSION, "here", graph=one, environment=HERE, started_at=None, finished_at=None),
        install(
            SourceKind.EXTENSION, "nowhere", graph=other, environment=None, started_at=None, finished_at=None
        ),
    ]
    first, *others = [_runs_after(site, list(order)) for order in permutations(reports)]
    assert len(first["runs"]) == 2
    assert len({row[2] for row in first["runs"]}) == 2
    assert all(one == first for one in others)


def test_files_of_one_spec_complete_each_other_in_both_orders(site: Site) -> None:
    for names, edges in (
        (("0.16-index.json", "0.16.spec.yaml"), 1),
        (("spack-v2.lock", "0.16.spec.json"), 0),
    ):
        read = [
            [
                (report.graph, "0.16.0")
                for report in read_document(name, (PARTS / name).read_bytes(), "0.16.0")
            ]
            for name in names
        ]
        first, second = _after(site, read[0] + read[1]), _after(site, read[1] + read[0])
        assert first == second
        assert len(first["spec"]) == len({row[2] for row in first["spec"]}) == edges + 1
        assert len(first["edges"]) == len(first["closure"]) == edges


def test_every_reference_to_a_spec_follows_when_two_are_one(site: Site) -> None:
    columns = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if column.references(Spec.__table__.c.id)
    }
    moved = {f"{table.name}.{column.name}" for table, column in references()}
    anew = {
        "dependency.child_id", "dependency.parent_id", "provided_virtual.child_id",
        "provided_virtual.spec_id", "other_compiler.spec_id", "spec_document.spec_id", "spec_hash.spec_id",
    }  # fmt: skip
    assert moved | anew == columns
    assert "build.spec_id" in moved


def test_a_spec_that_another_document_names_by_a_weaker_hash_is_new_once(site: Site) -> None:
    shown = (("full_hash", "f" * 32), ("build_hash", "d" * 32))
    strong = spec("zlib", "1", hash="f" * 32, hash_kind="full_hash", hashes=shown)
    weak = dataclasses.replace(strong, hash="d" * 32, hash_kind="build_hash", hashes=shown[1:], document="{}")
    for nodes in ((weak, strong), (strong, weak)):
        site.delete_all(TABLES)
        receipts = [site.apply(SpecReport(graph(one, format_version=1), "0.16.0")) for one in nodes]
        assert [(one.created, one.specs_created) for one in receipts] == [(True, 1), (False, 0)]


def test_builds_of_two_specs_that_are_one_are_of_that_one(site: Site) -> None:
    weak = spec("zlib", "1", hash="d" * 32, hash_kind="build_hash", hashes=(("build_hash", "d" * 32),))
    strong = dataclasses.replace(
        weak, hash="f" * 32, hash_kind="full_hash", document="{}",
        hashes=(("full_hash", "f" * 32), ("build_hash", "e" * 32)),
    )  # fmt: skip
    link = dataclasses.replace(
        strong, document="[]", hashes=(("full_hash", "f" * 32), ("build_hash", "d" * 32))
    )
    site.apply(SpecReport(graph(weak, format_version=1), "0.16.0"))
    site.apply(SpecReport(graph(strong, format_version=1), "0.16.0"))
    ids = [
        site.apply(build_report(shown, host=host)).build_id
        for shown, host in (("d" * 32, "a"), ("f" * 32, "a"), ("d" * 32, "b"))
    ]
    site.apply(SpecReport(graph(link, format_version=1), "0.16.0"))
    assert site.rows("SELECT hash FROM spec") == [("f" * 32,)]
    builds = site.rows("SELECT id FROM build")
    assert len(builds) == 2
    for shown in ("d" * 32, "e" * 32, "f" * 32):
        again = site.apply(build_report(shown, host="b"))
        assert (again.build_created, again.build_id) == (False, ids[2])


def _after(site: Site, reports: list[tuple[SpecGraph, str]]) -> dict[str, list[Any]]:
    site.delete_all(TABLES)
    for document, version in reports:
        site.apply(SpecReport(document, version))
        if document.nodes[document.root].hash_kind == "full_hash":
            site.apply(build_report(document.root))
    return contents(site)
