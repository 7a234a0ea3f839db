"""Spec graphs in the tables: once, whole, found by every hash."""

import dataclasses
import json

import pytest

from spackmon.database import Database
from spackmon.errors import Refused
from spackmon.graph.packed_claims import NEWEST, unpack
from spackmon.graph.spec import Deptype, Edge
from spackmon.submission import ConcretizationFailureReport, SpecReport
from tests.ingest.reports import Site, build_report, graph, hash_of, spec, spec_report

ZLIB = spec("zlib", "1.2.11")
HDF5 = spec("hdf5", "1.12.2", ZLIB)
CMAKE = spec("cmake", "3.24.2", ZLIB)
NETCDF = spec("netcdf-c", "4.9.0", HDF5, CMAKE)

CLOSURE = """
    SELECT a.hash, d.hash FROM closure c
    JOIN spec a ON a.id = c.ancestor_id JOIN spec d ON d.id = c.descendant_id
"""


def test_a_graph_is_stored_with_all_that_lies_below_each_spec(site: Site) -> None:
    receipt = site.apply(spec_report(NETCDF, HDF5, CMAKE, ZLIB))
    assert (receipt.created, receipt.hash, receipt.name, receipt.version) == (
        True, NETCDF.hash, "netcdf-c", "4.9.0",
    )  # fmt: skip
    below = {(NETCDF.hash, x.hash) for x in (HDF5, CMAKE, ZLIB)} | {
        (HDF5.hash, ZLIB.hash),
        (CMAKE.hash, ZLIB.hash),
    }
    assert set(site.rows(CLOSURE)) == below
    assert site.rows("SELECT count(*) FROM dependency") == [(4,)]
    assert site.rows("SELECT count(*) FROM architecture") == [(1,)]


def test_a_known_graph_again_changes_nothing(site: Site) -> None:
    assert site.apply(spec_report(NETCDF, HDF5, CMAKE, ZLIB)).created
    before = site.dump()
    receipt = site.apply(spec_report(NETCDF, HDF5, CMAKE, ZLIB, spack_version="0.19.1"))
    assert not receipt.created
    assert site.dump() == before


def test_a_graph_over_known_specs_adds_only_what_is_new(site: Site) -> None:
    zlib = site.apply(spec_report(ZLIB))
    hdf5 = site.apply(spec_report(HDF5, ZLIB))
    assert (zlib.created, hdf5.created) == (True, True)
    assert site.rows(CLOSURE) == [(HDF5.hash, ZLIB.hash)]
    assert site.rows("SELECT count(*) FROM spec") == [(2,)]


def test_a_later_document_adds_its_hashes_and_changes_no_spec(site: Site) -> None:
    site.apply(spec_report(ZLIB))
    full_hash = hash_of("as a later Spack computes it")
    later = dataclasses.replace(
        ZLIB, hashes=(*ZLIB.hashes, ("full_hash", full_hash)), document='{"name":"zlib","later":1}', edges=()
    )
    assert not site.apply(SpecReport(graph(later, format_version=4), "0.20.0")).created
    assert not site.apply(SpecReport(graph(later, format_version=4), "0.20.0")).created
    rows = site.rows("SELECT packed, dictionary, format_version FROM spec_document ORDER BY id")
    documents = [(unpack(packed, dictionary)[0], version) for packed, dictionary, version in rows]
    assert documents == [(ZLIB.document, 3), (later.document, 4)]
    assert site.rows("SELECT spack_version, format_version FROM spec") == [("0.19.0.dev0", 3)]
    assert site.apply(build_report(full_hash)).spec_hash == ZLIB.hash


def test_a_hash_finds_the_spec_that_it_identifies_before_one_that_only_shows_it(site: Site) -> None:
    shared = hash_of("0.17: one hash, two full hashes")
    other = hash_of("a full hash")
    first = dataclasses.replace(
        ZLIB, hash=shared, hash_kind="full_hash", hashes=(("full_hash", shared),), document="{}"
    )
    second = dataclasses.replace(
        ZLIB,
        hash=other,
        hash_kind="full_hash",
        hashes=(("full_hash", other), ("hash", shared)),
        document="[]",
    )
    third = dataclasses.replace(second, hash=hash_of("newer"), document="[1]")
    for node in (first, second, third):
        site.apply(SpecReport(graph(node, format_version=2), "0.17.0"))
    assert site.apply(build_report(shared)).spec_hash == first.hash
    site.apply(
        SpecReport(
            graph(dataclasses.replace(third, hashes=(("hash", "only-shown"),), document="2")), "0.17.0"
        )
    )
    assert site.apply(build_report("only-shown")).spec_hash == third.hash


def test_every_value_of_a_node_comes_back_as_it_was(site: Site) -> None:
    node = spec(
        "zlib", "1.3", parameters='{"z":1,"a":[]}', external='{"path":"/usr"}', package_hash="x====",
        namespace=None, compiler=None, document='{"b":1,"a":"\\u0000 \\u00fc \\ud83d"}',
    )  # fmt: skip
    site.apply(spec_report(node, spack_version="1.0"))
    (row,) = site.rows(
        "SELECT ps.document, s.external, h.value, s.namespace, s.compiler_id, d.packed FROM spec s "
        "JOIN spec_document d ON d.spec_id = s.id JOIN parameter_set ps ON ps.id = s.parameter_set_id "
        "JOIN package_hash h ON h.id = s.package_hash_id"
    )
    assert row[:-1] == (node.parameters, node.external, node.package_hash, None, None)
    assert unpack(row[-1], NEWEST) == (node.document, "[]")


@pytest.mark.parametrize(
    ("external", "path"),
    [
        ('{"module":["gcc/12\\u0000"],"path":"/opt/\\u00fc"}', "/opt/\u00fc"),
        ('{"path":"/\\u0000"}', None),
        ('{"path":"/\\ud800"}', None),
        ('{"path":["/usr"]}', None),
        ('{"path":""}', None),
        ('{"module":"gcc"}', None),
        (None, None),
    ],
)
def test_the_path_of_an_external_is_a_text_that_a_database_can_hold(
    site: Site, external: str | None, path: str | None
) -> None:
    site.apply(spec_report(spec("gcc", "12", external=external)))
    assert site.rows("SELECT external, external_path FROM spec") == [(external, path)]


def test_equal_parameters_are_stored_once_and_each_element_can_be_found(site: Site) -> None:
    parameters = json.dumps(
        {"shared": True, "pic": "False", "languages": ["c", "c"], "fabrics": [], "cflags": ["-O3", "-g"],
         "cxxflags": [], "odd\u0000": "\u0000", "long": "x" * 9000,
         "many": [f"{number:0>100}" for number in range(300)]},
    )  # fmt: skip
    site.apply(spec_report(spec("zlib", "1.3", parameters=parameters)))
    site.apply(spec_report(spec("zlib", "1.4", parameters=parameters)))
    assert site.rows("SELECT count(*) FROM parameter_set") == [(1,)]
    rows = site.rows("SELECT name, value FROM parameter WHERE length(value) < 100 ORDER BY name, value")
    assert rows == [
        ('"odd\\u0000"', '"\\u0000"'), ("cflags", '"-O3"'), ("cflags", '"-g"'), ("fabrics", "[]"),
        ("languages", '"c"'), ("pic", "false"), ("shared", "true"),
    ]  # fmt: skip
    assert site.rows("SELECT count(*) FROM parameter WHERE name = 'long'") == [(1,)]
    many = site.rows("SELECT value FROM parameter WHERE name = 'many' ORDER BY value")
    assert many == [(f'"{number:0>100}"',) for number in range(300)]


def test_what_a_caret_sees_is_told_apart(site: Site) -> None:
    glibc = spec("glibc", "2.36")
    libxml = dataclasses.replace(spec("libxml2", "2.12"), edges=(Edge(glibc.hash, Deptype.LINK, ("libc",)),))
    m4 = spec("m4", "1.4")
    gcc = dataclasses.replace(
        spec("gcc", "13"), edges=(Edge(glibc.hash, Deptype.LINK), Edge(m4.hash, Deptype.BUILD, ("awk",)))
    )
    edges = (
        Edge(gcc.hash, Deptype.BUILD, ("c", "cxx")), Edge(libxml.hash, Deptype.RUN),
        Edge(m4.hash, Deptype.TEST),
    )  # fmt: skip
    top = dataclasses.replace(spec("top", "1"), edges=edges)
    site.apply(spec_report(top, gcc, libxml, glibc, m4))
    seen = site.rows(f"{CLOSURE} WHERE c.by_caret AND a.hash = :top", top=top.hash)
    assert {child for _, child in seen} == {gcc.hash, libxml.hash, glibc.hash}
    virtuals = site.rows(
        "SELECT v.virtual, v.deptypes, v.by_caret FROM provided_virtual v JOIN spec s ON s.id = v.spec_id "
        "WHERE s.hash = :top ORDER BY v.virtual",
        top=top.hash,
    )
    assert virtuals == [("c", Deptype.BUILD, True), ("cxx", Deptype.BUILD, True), ("libc", 0, True)]
    assert site.rows("SELECT deptypes, by_caret FROM provided_virtual WHERE virtual = 'awk'") == [
        (Deptype.BUILD, True)
    ]


def test_versions_sort_in_the_database_as_spack_sorts_them(site: Site) -> None:
    versions = ["1.2.11", "develop", "1.10", "1.9", "1.10rc1"]
    for version in versions:
        site.apply(spec_report(spec("zlib", version)))
    ordered = site.rows("SELECT version FROM package_version ORDER BY version_key")
    assert [version for (version,) in ordered] == ["1.2.11", "1.9", "1.10rc1", "1.10", "develop"]


def test_edges_keep_their_virtuals_and_merge_their_deptypes(site: Site) -> None:
    edges = (
        Edge(ZLIB.hash, Deptype.BUILD, ("zlib-api",)),
        Edge(ZLIB.hash, Deptype.RUN, ("zlib-api",)),
        Edge(ZLIB.hash, Deptype.TEST),
    )
    parent = dataclasses.replace(HDF5, edges=edges)
    site.apply(spec_report(parent, ZLIB))
    stored = site.rows("SELECT virtuals, deptypes FROM dependency ORDER BY deptypes")
    assert [(json.loads(virtuals), deptypes) for virtuals, deptypes in stored] == [(["zlib-api"], 5), ([], 8)]


def test_a_text_that_no_database_holds_is_refused_and_leaves_nothing_behind(site: Site) -> None:
    before = site.dump()
    for bad in ("nul \0", "lone surrogate \ud800"):
        with pytest.raises(Refused) as refused:
            site.apply(spec_report(dataclasses.replace(ZLIB, version=bad)))
        assert (refused.value.code, refused.value.status) == ("VALUE_REFUSED", 400)
        with pytest.raises(Refused) as refused:
            site.apply(
                spec_report(dataclasses.replace(HDF5, edges=(Edge(ZLIB.hash, Deptype.BUILD, (bad,)),)), ZLIB)
            )
        assert (refused.value.code, refused.value.status) == ("VALUE_REFUSED", 400)
    assert site.dump() == before


def test_a_text_too_long_for_an_index_is_refused_by_postgresql(postgresql_url: str) -> None:
    site = Site(Database(postgresql_url))
    random = "".join(hash_of(number) for number in range(300))
    with pytest.raises(Refused) as refused:
        site.apply(spec_report(spec("zlib", random)))
    assert (refused.value.code, refused.value.status) == ("VALUE_REFUSED", 400)
    site.database.close()


def test_the_same_failed_concretization_is_kept_once_for_each_person(site: Site) -> None:
    failure = ConcretizationFailureReport("hdf5", '{"nodes":[]}', "0.19.0.dev0")
    assert site.apply(failure).created
    before = site.dump()
    assert not site.apply(failure).created
    assert site.dump() == before
    assert site.apply(failure, Site.bob).created
