"""What many transactions share is taken in one order, so that no two wait for each other."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from spackmon.database import Database
from spackmon.errors import Code, Refused
from spackmon.ingest import inbox
from spackmon.status import BuildStatus, EventKind
from spackmon.submission import AttributeValue, Event, InstalledFile, InstallPhase
from tests.ingest.installs import START, ZLIB, after, cdash, live, prefix
from tests.ingest.reports import Site, build_report, spec, spec_report

ORDER = (
    ("spec_revision",), ("package_version", "spec", "spec_document", "package"),
    ("log", "environment_set", "manifest", "event_context"), ("error_group",), ("locked packages",),
    ("build_environment",), ("tag", "tag_set"), ("configure_arguments",),
)  # fmt: skip
"""As `spackmon.ingest.locks` states it, after the graphs; tables of one place have one of their own."""
RANKS = {name: rank for rank, names in enumerate(ORDER) for name in names}
# What is counted of errors is folded at the end of a report in SQLite alone, which has one writer.
_WRITTEN = re.compile(
    r"\s*(?:INSERT INTO|UPDATE) (?!error_group SET\s+event_count)(\w+)"
    r"|\s*SELECT p.id FROM (package) p WHERE p.id IN"
)
FILES = (InstalledFile("/opt/zlib/lib/libz.so", "file"),)


@contextmanager
def taken(site: Site) -> Iterator[list[list[str]]]:
    """What each transaction writes or locks, in its order."""
    transactions: list[list[str]] = []

    def begun(_: Any) -> None:
        transactions.append([])

    def executed(_: Any, __: Any, statement: str, *___: Any) -> None:
        if (match := _WRITTEN.match(statement)) is not None:
            transactions[-1].append(match[1] or "locked packages")

    engine = site.database.engine
    event.listen(engine, "begin", begun)
    event.listen(engine, "before_cursor_execute", executed)
    try:
        yield transactions
    finally:
        event.remove(engine, "begin", begun)
        event.remove(engine, "before_cursor_execute", executed)


def test_every_kind_of_report_takes_what_others_share_in_the_order_that_is_declared(site: Site) -> None:
    error = Event(EventKind.ERROR, "fatal error: zeta.h: No such file or directory", pre_context="make\n")
    hdf5 = spec("hdf5", "1.14", ZLIB)
    with taken(site) as transactions:
        site.apply(spec_report(hdf5, ZLIB))
        build_id = site.apply(build_report(hdf5.hash, tags=("nightly", "ci"))).build_id
        site.phase(build_id, "configure", output=b"checking for gcc\n")
        site.status(build_id, "SUCCESS")
        configured = {"configure_arguments": "--x", "has_configure_arguments": True}
        found = {"abi": (AttributeValue("soname", None, value="libhdf5.so"),)}
        site.analysis(
            build_id, install_files=FILES, environment_variables={"CC": "gcc"}, attributes=found, **configured
        )
        site.apply(build_report(hdf5.hash, tags=("again",)))
        site.phase(build_id, "configure", "ERROR", output=b"checking for cc\n")
        site.apply(
            live(phases=(InstallPhase("build", "ERROR", 3, b"make\n"),), tags=("live",), started_at=START)
        )
        site.apply(cdash(events=(error,), status=BuildStatus.FAILED, tags=("dash",)))
        for began_at, path in ((after(9000), "/opt/a"), (after(18000), "/opt/b")):
            site.apply(prefix(
                started_at=began_at, finished_at=None, prefix=path, log=b"log of " + path.encode(),
                tags=(path,), install_files=FILES, environment_variables={"A": path}, events=(error,),
            ))  # fmt: skip
    shared = [[name for name in names if name in RANKS] for names in transactions]
    assert {name for names in shared for name in names} >= RANKS.keys() - {"package"}
    for names in shared:
        assert [RANKS[name] for name in names] == sorted(RANKS[name] for name in names), names


def test_a_replayed_body_with_several_reports_takes_its_turn_before_anything_else(
    postgresql_url: str,
) -> None:
    """The first of them shares the graphs, which the next may have to own: two such bodies would wait."""
    site = Site(Database(postgresql_url))
    locks: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        locks.extend(re.findall(r"pg_advisory_xact_lock\w*\(\d+\)", statement))

    refused = Refused(Code.INTERNAL, "a fault")
    entry_id = site.database.write(lambda c: inbox.add(c, "line", b"{}", refused, Site.ada))
    reports = live(started_at=START), spec_report(ZLIB)
    event.listen(site.database.engine, "before_cursor_execute", note)
    assert isinstance(inbox.replay(site.database, entry_id, lambda *_: reports), list)
    site.database.close()
    assert locks[:2] == ["pg_advisory_xact_lock(7311450829166301)", "pg_advisory_xact_lock(7311450829166302)"]
