"""Analysis results: a re-run replaces what the same analyzer had said of the same build."""

from spackmon.submission import AttributeValue, InstalledFile
from tests.ingest.reports import Site, build_report, spec

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
    assert site.rows("SELECT configure_arguments FROM build") == [("--x",)]
    site.analysis(build_id, has_configure_arguments=True)
    assert site.rows("SELECT configure_arguments FROM build") == [(None,)]


def test_an_analysis_of_a_finished_build_is_no_run(site: Site) -> None:
    build_id = site.build(ZLIB)
    site.phase(build_id, "build")
    site.status(build_id, "SUCCESS")
    site.apply(build_report(ZLIB.hash, announces_run=False))
    site.analysis(build_id, attributes=FOUND)
    site.status(build_id, "SUCCESS")
    assert site.attempts(build_id) == [("SUCCESS", ["build"])]
