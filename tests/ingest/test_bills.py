"""A bill of materials is kept with the build that it is of, and in its place only a later one."""

import pytest

from spackmon.errors import Refused
from spackmon.submission import BillReport
from tests.ingest.reports import Site, spec

KEPT = """
    SELECT r.build_id, t.json_value FROM attribute t JOIN analysis a ON a.id = t.analysis_id
    JOIN attempt r ON r.id = a.attempt_id WHERE a.analyzer = 'spdx' ORDER BY r.build_id
"""
ZLIB = spec("zlib", "1.3")


def bill(document: str = "{}", build_id: int | None = None) -> BillReport:
    return BillReport("spdx", document, ("a" * 32, ZLIB.hash), build_id)


def test_a_bill_is_of_the_build_that_it_names_else_of_the_newest(site: Site) -> None:
    first, second = (site.build(ZLIB, host=host) for host in ("node-1", "node-2"))
    theirs = site.build(ZLIB, person=site.bob, host="node-3")
    assert site.apply(bill(build_id=first)).build_id == first
    for of_nobody_here in (None, theirs, 10**18 - 1):
        receipt = site.apply(bill(build_id=of_nobody_here))
        assert (receipt.build_id, receipt.changed) == (second, of_nobody_here is None)
    assert site.rows(KEPT) == [(first, "{}"), (second, "{}")]
    assert site.apply(bill(), across_owners=True).build_id == theirs
    assert site.apply(bill('{"a":1}')).changed
    assert site.rows(KEPT) == [(first, "{}"), (second, '{"a":1}'), (theirs, "{}")]
    assert site.rows("SELECT json_value FROM earlier_attribute") == [("{}",)]


def test_nobody_adds_to_builds_of_others(site: Site) -> None:
    site.build(ZLIB)
    with pytest.raises(Refused, match="no build of yours") as caught:
        site.apply(bill(), site.bob)
    assert caught.value.code == "BUILD_UNKNOWN"
    assert site.rows(KEPT) == []
