"""What old builds contain is put together, and reads and changes as before."""

import dataclasses
from functools import partial

from spackmon.graph.spec import Edge
from spackmon.ingest.checking import check_database
from spackmon.ingest.tables.build_contents import add_contents, forget_contents
from spackmon.ingest.tables.closure_pairs import how, insert_pairs
from spackmon.ingest.tables.sealing import full_chunks, seal
from spackmon.submission import SpecReport
from tests.ingest.reports import LINK, Site, build_report, graph, spec, spec_report

ZLIB, CURL = spec("zlib", "1.3"), spec("curl", "8.4")
HDF5 = spec("hdf5", "1.14", ZLIB)
TOP = spec("top", "1", HDF5)

OPEN = """
    SELECT c.chunk * 256 + c.place, p.name FROM build_content c JOIN package p ON p.id = c.package_id
"""
LISTED = """
    SELECT c.chunk * 256 + l, p.name FROM build_content c JOIN package p ON p.id = c.package_id
    CROSS JOIN unnest(c.places) l
"""


def contained(site: Site) -> list[tuple[int, str]]:
    return sorted(site.rows(OPEN if site.database.is_sqlite else LISTED))


def seal_all(site: Site) -> None:
    """Seal what may be, or the only chunk there is; SQLite is not sealed."""
    if not site.database.is_sqlite:
        site.database.write_once(partial(seal, chunk=0))
        assert site.rows("SELECT count(*) FROM build_content WHERE place >= 0") == [(0,)]


def filled(site: Site) -> tuple[int, int, int]:
    site.apply(spec_report(TOP, HDF5, ZLIB))
    one, other, third = (
        site.apply(build_report(node.hash, host=host)).build_id
        for node, host in ((TOP, "a"), (TOP, "b"), (HDF5, "a"))
    )
    return one, other, third


def test_sealed_contents_gain_and_lose_what_open_ones_do(site: Site) -> None:
    one, other, third = filled(site)
    before = contained(site)
    assert before == sorted([*((b, n) for b in (one, other) for n in ("hdf5", "zlib")), (third, "zlib")])
    for _ in range(2):
        seal_all(site)
        assert contained(site) == before
    site.database.write_once(partial(forget_contents, build_id=other))
    assert contained(site) == [row for row in before if row[0] != other]
    top = site.rows("SELECT id FROM spec WHERE hash = :hash", hash=TOP.hash)[0][0]
    site.database.write_once(partial(add_contents, build_id=other, spec_id=top))
    assert contained(site) == before
    seal_all(site)
    more = dataclasses.replace(HDF5, document='{"later":1}', edges=(*HDF5.edges, Edge(CURL.hash, LINK)))
    site.apply(SpecReport(graph(TOP, more, ZLIB, CURL), "0.20.0"))
    assert contained(site) == sorted([*before, *((build, "curl") for build in (one, other, third))])
    assert not any(sum(found.differences.values()) for found in check_database(site.database, repair=False))


def test_a_check_finds_what_sealed_builds_do_not_contain(site: Site) -> None:
    filled(site)
    site.apply(spec_report(CURL))
    before = contained(site)
    top, curl = (
        site.rows("SELECT id FROM spec WHERE hash = :hash", hash=node.hash)[0][0] for node in (TOP, CURL)
    )
    site.database.write_once(partial(insert_pairs, rows=[(top, curl, how(1, True, True, True))]))
    for build, spec_id in site.rows("SELECT id, spec_id FROM build"):
        site.database.write_once(partial(add_contents, build_id=build, spec_id=spec_id))
    assert len(contained(site)) == len(before) + 2
    seal_all(site)
    for _ in check_database(site.database, repair=True):
        pass
    assert contained(site) == before
    nobody = (
        "INSERT INTO build_content (package_version_id, chunk, place, package_id) VALUES (1, 0, 99, 1)"
        if site.database.is_sqlite
        else "UPDATE build_content SET places = places || CAST(99 AS smallint)"
    )
    site.database.write_once(lambda c: c.exec_driver_sql(nobody))
    for _ in check_database(site.database, repair=True):
        pass
    assert contained(site) == before


def test_a_chunk_is_full_when_two_others_have_begun(site: Site) -> None:
    filled(site)
    copies = """
        INSERT INTO build (id, spec_id, environment_id, owner_id, status, created_at, updated_at)
        SELECT {}, NULL, environment_id, owner_id, status, created_at, updated_at FROM build WHERE id = 1
    """
    chunks = []
    for number in (511, 512, 1250):
        site.database.write_once(lambda c, n=number: c.exec_driver_sql(copies.format(n)))
        chunks.append(list(site.database.read_once(full_chunks)))
    seal_all(site)
    chunks.append(list(site.database.read_once(full_chunks)))
    assert chunks == ([[]] * 4 if site.database.is_sqlite else [[], [0], [0, 1, 2], [1, 2]])
