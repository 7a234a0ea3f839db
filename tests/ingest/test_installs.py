"""One build, many sources: the same install seen live, by CDash and by an import is one build."""

from datetime import UTC, datetime, timedelta
from typing import Any

from spackmon.formats.submission import (
    AttributeValue,
    Environment,
    Event,
    InstalledFile,
    InstallPhase,
    InstallReport,
    Source,
)
from spackmon.status import BuildStatus, EventKind, SourceKind
from tests.ingest.reports import Site, graph, spec

HERE = Environment("node-1", "linux", "debian12", "zen2", "#1 SMP")
START = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
ZLIB = spec("zlib", "1.2.11")
EVERYTHING: dict[str, Any] = {
    "status": BuildStatus.FAILED,
    "started_at": START,
    "finished_at": START + timedelta(seconds=90),
    "prefix": "/opt/zlib",
    "spack_version": "1.2.0",
    "spack_revision": "abc",
    "phases": (InstallPhase("configure", "SUCCESS", 3, b"checking\n"), InstallPhase("build", "ERROR", 4.5)),
    "events": (
        Event(EventKind.ERROR, "/tmp/a/main.c:7: error: 'x' undeclared", 12, "main.c", 7, "before", "after"),
        Event(EventKind.WARNING, "unused"),
    ),
    "configure_arguments": "--prefix=/opt/zlib",
    "environment_variables": {"CC": "gcc"},
    "install_files": (InstalledFile("/opt/zlib/lib/libz.so"),),
    "attributes": {"symbols": (AttributeValue("symbol", "/opt/zlib/lib/libz.so", value="inflate"),)},
    "tags": ("nightly",),
}


def install(kind: SourceKind, key: str, **told: Any) -> InstallReport:
    """A report of zlib's build, unless it says otherwise."""
    values = {"graph": graph(ZLIB), "environment": HERE, **told}
    return InstallReport(Source(kind, key), **values)


def test_everything_that_a_report_tells_is_kept(site: Site) -> None:
    receipt = site.apply(install(SourceKind.PREFIX, "/opt/zlib#1", **EVERYTHING))
    assert (receipt.build_created, receipt.attempt_created, receipt.changed) == (True, True, True)
    assert (receipt.spec_hash, receipt.specs_created) == (ZLIB.hash, 1)
    assert (receipt.phases_created, receipt.events_created) == (2, 2)
    assert site.attempts(receipt.build_id) == [("FAILED", ["configure", "build"])]
    assert site.rows("SELECT prefix, status, duration_seconds, configure_arguments FROM build") == [
        ("/opt/zlib", "FAILED", 90.0, "--prefix=/opt/zlib")
    ]
    assert site.rows("SELECT name, value FROM environment_variable") == [("CC", "gcc")]
    assert site.rows("SELECT path, value FROM install_file f JOIN attribute a ON a.install_file_id = f.id") == [
        ("/opt/zlib/lib/libz.so", "inflate")
    ]
    assert site.rows("SELECT kind, key FROM build_source") == [("PREFIX", "/opt/zlib#1")]
    assert site.rows("SELECT fingerprint FROM error_group") == [("main.c:#: error: 'x' undeclared",)]
    assert site.rows("SELECT name FROM tag") == [("nightly",)]


def test_the_same_report_again_changes_nothing(site: Site) -> None:
    report = install(SourceKind.PREFIX, "/opt/zlib#1", log=b"all of it\n" * 9, **EVERYTHING)
    site.apply(report)
    before = site.dump()
    receipt = site.apply(report)
    assert not receipt.changed
    assert site.dump() == before
