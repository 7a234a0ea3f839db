"""Analysis results: a re-run replaces what the same analyzer had said of the same build."""

from typing import Any

from spackmon.abi.reader.packed import pack
from spackmon.status import SourceKind
from spackmon.submission import AttributeValue, InstalledFile
from tests.abi.packing import NEED, elf, packed_first
from tests.ingest.installs import install
from tests.ingest.reports import Site, build_report, spec, spec_report

ZLIB = spec("zlib", "1.2.11")
LIBRARY = InstalledFile("/opt/lib/libz.so", "file", 0o100755, 0, 0, "abc", 2**40, 1666000000.25)
LINK = InstalledFile("/opt/lib/libz.so.1", "link", 0o120777, 0, 0, destination="libz.so")
FOUND = {
    "libabigail": (
        AttributeValue("xml", LIBRARY.path, binary_value=b"\0\xff"),
        AttributeValue("symbols", "/opt/lib/unlisted.so", json_value='{"a": [1]}'),
    ),
    "note": (AttributeValue("text", None, value="ünï"),),
}

ATTRIBUTES = """
    SELECT y.analyzer, a.name, a.path, a.value, a.binary_value, a.json_value
    FROM attribute a JOIN analysis y ON y.id = a.analysis_id ORDER BY a.id
"""


def test_a_manifest_is_stored_whole_and_a_rerun_replaces_it(site: Site) -> None:
    build_id = site.build(ZLIB)
    site.analysis(build_id, install_files=(LIBRARY, LINK))
    stored = site.rows(
        'SELECT path, type, mode, owner, "group", hash, size_bytes, modified_at_seconds, destination '
        "FROM install_file ORDER BY path"
    )
    assert stored == [
        (LIBRARY.path, "file", 0o100755, 0, 0, "abc", 2**40, 1666000000.25, None),
        (LINK.path, "link", 0o120777, 0, 0, None, None, None, "libz.so"),
    ]
    site.analysis(build_id, attributes=FOUND)
    site.analysis(build_id, install_files=(InstalledFile(LIBRARY.path, "file", 0o100644),))
    assert site.rows("SELECT path, mode, hash FROM install_file") == [(LIBRARY.path, 0o100644, None)]
    listed = """SELECT f.path FROM attribute a
        LEFT JOIN install_file f ON f.id = a.install_file_id ORDER BY a.id"""
    assert site.rows(listed) == [(LIBRARY.path,), (None,), (None,)]
    site.analysis(build_id, install_files=())
    assert site.rows("SELECT count(*) FROM install_file") == [(0,)]


def test_attributes_are_replaced_analyzer_by_analyzer(site: Site) -> None:
    build_id = site.build(ZLIB)
    site.analysis(build_id, attributes=FOUND)
    expected = [
        ("libabigail", "xml", LIBRARY.path, None, b"\0\xff", None),
        ("libabigail", "symbols", "/opt/lib/unlisted.so", None, None, '{"a": [1]}'),
        ("note", "text", None, "ünï", None, None),
    ]
    assert site.rows(ATTRIBUTES) == expected
    site.analysis(build_id, attributes=FOUND)
    assert site.rows(ATTRIBUTES) == expected
    site.analysis(build_id, attributes={"note": ()})
    assert site.rows(ATTRIBUTES) == expected[:2]


def test_variables_and_configure_arguments_are_replaced_and_absent_parts_stay(site: Site) -> None:
    build_id = site.build(ZLIB)
    site.analysis(
        build_id, environment_variables={"CC": "gcc", "OLD": "1"}, configure_arguments="--x",
        has_configure_arguments=True,
    )  # fmt: skip
    site.analysis(build_id, environment_variables={"CC": "clang"})
    assert site.rows("SELECT name, value FROM environment_variable") == [("CC", "clang")]
    arguments = (
        "SELECT g.text FROM build b LEFT JOIN configure_arguments g ON g.id = b.configure_arguments_id"
    )
    assert site.rows(arguments) == [("--x",)]
    site.analysis(build_id, has_configure_arguments=True)
    assert site.rows(arguments) == [(None,)]


def test_an_analysis_of_a_finished_build_is_no_run(site: Site) -> None:
    build_id = site.build(ZLIB)
    site.phase(build_id, "build")
    site.status(build_id, "SUCCESS")
    site.apply(build_report(ZLIB.hash, announces_run=False))
    site.analysis(build_id, attributes=FOUND)
    site.status(build_id, "SUCCESS")
    assert site.attempts(build_id) == [("SUCCESS", ["build"])]


def test_an_elf_file_is_stored_once_and_ends_with_its_last_build(site: Site) -> None:
    here, there = (pack(elf(prefix)) for prefix in ("/opt/a", "/opt/b"))
    first, second = site.build(ZLIB), site.build(spec("hdf5", "1.14"))

    def put(build_id: int, *contents: bytes) -> None:
        values = (AttributeValue("elf", f"/opt/{n}.so", binary_value=one) for n, one in enumerate(contents))
        site.analysis(build_id, attributes={"elf": tuple(values)})

    def counts() -> list[Any]:
        return [site.rows(f"SELECT count(*) FROM {table}")[0][0] for table in ("elf_file", "symbol_set")]

    put(first, here, packed_first(elf("/opt/a")), there)
    put(second, here)
    assert counts() == [2, 1]
    assert site.rows("SELECT count(*) FROM attribute WHERE binary_value IS NOT NULL") == [(0,)]
    put(first)
    put(first, b"no packed file")
    assert counts() == [1, 1]
    put(second, pack(elf("/opt/c", NEED)))
    assert counts() == [1, 1]
    assert site.rows("SELECT binary_value FROM attribute WHERE elf_file_id IS NULL") == [(b"no packed file",)]


def test_a_rerun_replaces_by_file_and_what_it_replaces_stays_as_history(site: Site) -> None:
    build_id = site.build(ZLIB)
    other = AttributeValue("symbols", "/opt/bin/z", value="main")
    for symbols in ("inflate", "inflate deflate"):
        site.analysis(
            build_id, attributes={"abigail": (AttributeValue("symbols", LIBRARY.path, value=symbols),)}
        )
        site.analysis(build_id, attributes={"abigail": (other,)})
    listed = "SELECT path, kind, size_bytes, value FROM {} ORDER BY path"
    assert site.rows(listed.format("attribute")) == [
        ("/opt/bin/z", "TEXT", 4, "main"), (LIBRARY.path, "TEXT", 15, "inflate deflate"),
    ]  # fmt: skip
    assert site.rows(listed.format("earlier_attribute")) == [(LIBRARY.path, "TEXT", 7, "inflate")]
    site.analysis(build_id, attributes={"abigail": ()})
    assert site.rows(listed.format("attribute")) == []
    earlier = "SELECT value FROM earlier_attribute WHERE reported_at < replaced_at ORDER BY id"
    assert site.rows(earlier) == [("inflate",), ("main",), ("inflate deflate",)]


def test_an_import_of_a_prefix_lists_all_that_an_analyzer_found(site: Site) -> None:
    site.apply(spec_report(ZLIB))
    for found in (FOUND, {"libabigail": FOUND["libabigail"][:1]}):
        site.apply(install(SourceKind.EXTENSION, "run-1", attributes=found))
    assert site.rows("SELECT name, kind, size_bytes FROM attribute ORDER BY id") == [
        ("xml", "BINARY", 2), ("text", "TEXT", 5),
    ]  # fmt: skip
    assert site.rows("SELECT name, kind FROM earlier_attribute") == [("symbols", "JSON")]
