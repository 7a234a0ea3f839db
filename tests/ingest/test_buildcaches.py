"""What a buildcache has is what it had when it was read last, in whatever order that comes in."""

from datetime import UTC, datetime, timedelta

from spackmon.formats.bytes.text_documents import json_value
from spackmon.formats.reports import report_json
from spackmon.formats.reports.report_line import write
from spackmon.submission import BuildcacheEntry, BuildcacheReport
from tests.ingest.reports import Site, spec, spec_report

ENTRIES = """
    SELECT b.name, e.spec_hash, e.disagreement, s.hash FROM buildcache b
    JOIN buildcache_entry e ON e.buildcache_id = b.id LEFT JOIN spec s ON s.id = e.spec_id
    ORDER BY b.id, e.spec_hash
"""
NOW = datetime(2024, 4, 1, tzinfo=UTC)
ZLIB = spec("zlib", "1.3")
WHOLE = BuildcacheEntry(3, ZLIB.hash, True, True, True)


def cache(minutes: int, *entries: BuildcacheEntry, name: str = "/mirror") -> BuildcacheReport:
    report = BuildcacheReport(name, NOW - timedelta(hours=1, minutes=-minutes), True, entries)
    assert list(report_json.read(json_value(write(report)))) == [report]
    return report


def test_what_is_read_again_takes_the_place_of_what_was_read_before(site: Site) -> None:
    other = BuildcacheEntry(2, "x" * 32, False, True, None, "y" * 32)
    first, second = cache(1, WHOLE, other), cache(2, BuildcacheEntry(3, ZLIB.hash, True, True, False))
    assert (site.apply(first).created, site.apply(first).changed) == (True, False)
    assert site.rows(ENTRIES) == [
        ("/mirror", *one) for one in sorted([(ZLIB.hash, None, None), ("x" * 32, "HASH_DIFFERS", None)])
    ]
    site.apply(spec_report(ZLIB))
    assert site.apply(second).changed
    newest = [("/mirror", ZLIB.hash, "ARCHIVE_MISSING", ZLIB.hash)]
    assert site.rows(ENTRIES) == newest
    # What was read before that comes late, as out of a spool.
    assert not site.apply(first).changed
    assert site.rows(ENTRIES) == newest
    assert site.apply(cache(3)).changed
    assert site.rows(ENTRIES) == []


def test_a_clock_that_is_ahead_keeps_nothing_out(site: Site) -> None:
    site.apply(cache(10**6, WHOLE), arrived_at=NOW)
    site.apply(cache(61), arrived_at=NOW + timedelta(minutes=2))
    assert site.rows(ENTRIES) == []


def test_what_somebody_else_reads_is_theirs_and_passwords_are_nobodys(site: Site) -> None:
    report = cache(1, WHOLE, name="https://ada:secretpassword@mirror.example/cache")
    assert [site.apply(report, owner).created for owner in (site.ada, site.bob, site.ada)] == [
        True, True, False,
    ]  # fmt: skip
    assert all("secretpassword" not in row[0] for row in site.rows(ENTRIES))
