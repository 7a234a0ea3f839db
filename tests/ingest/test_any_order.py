"""Documents of the same specs give the same database, whatever they leave out, in whatever order."""

import dataclasses
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spackmon.formats.submission import SpecReport
from spackmon.graph.spec import Deptype, Edge, SpecGraph, SpecNode
from tests.ingest.reports import Site, build_report, spec

QUESTIONS = {
    "spec": """
        SELECT s.hash_kind, s.hash, p.name, v.version, s.namespace, s.names_compiler, c.name, c.version,
            s.package_hash, s.external, s.format_version, s.spack_version
        FROM spec s JOIN package_version v ON v.id = s.package_version_id
        JOIN package p ON p.id = v.package_id
        LEFT JOIN compiler c ON c.id = s.compiler_id
    """,
    "hashes": "SELECT s.hash, h.kind, h.value FROM spec_hash h JOIN spec s ON s.id = h.spec_id",
    "documents": """
        SELECT s.hash, d.hashes, d.edges, d.states_all_edges, d.document, d.spack_version
        FROM spec_document d JOIN spec s ON s.id = d.spec_id
    """,
    "edges": """
        SELECT p.hash, c.hash, d.virtuals, d.deptypes FROM dependency d
        JOIN spec p ON p.id = d.parent_id JOIN spec c ON c.id = d.child_id
    """,
    "closure": """
        SELECT a.hash, d.hash, c.by_caret FROM closure c
        JOIN spec a ON a.id = c.ancestor_id JOIN spec d ON d.id = c.descendant_id
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
        SELECT s.hash, v.version, p.name FROM build_package_version b
        JOIN build o ON o.id = b.build_id JOIN spec s ON s.id = o.spec_id
        JOIN package_version v ON v.id = b.package_version_id JOIN package p ON p.id = b.package_id
    """,
}
TABLES = [
    "build_package_version", "build_source", "attempt", "build", "closure", "provided_virtual", "dependency",
    "spec_compiler", "spec_hash", "spec_document", "spec",
]  # fmt: skip


def contents(site: Site) -> dict[str, list[Any]]:
    """What the database says about specs, without numbers of rows."""
    return {name: sorted(site.rows(question), key=repr) for name, question in QUESTIONS.items()}


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


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents(), st.data())
def test_the_order_of_documents_does_not_matter(
    site: Site, graphs: list[SpecGraph], data: st.DataObject
) -> None:
    reports = [(graph, f"0.1{6 + position % 3}.0") for position, graph in enumerate(graphs)]
    first = _after(site, reports)
    again = data.draw(st.permutations(reports + data.draw(st.lists(st.sampled_from(reports), max_size=2))))
    second = _after(site, again)
    for name, rows in first.items():
        assert second[name] == rows, name


def _after(site: Site, reports: list[tuple[SpecGraph, str]]) -> dict[str, list[Any]]:
    site.database.write_once(lambda c: [c.exec_driver_sql(f"DELETE FROM {table}") for table in TABLES])
    for graph, version in reports:
        site.apply(SpecReport(graph, version))
        if graph.nodes[graph.root].hash_kind == "full_hash":
            site.apply(build_report(graph.root))
    return contents(site)
