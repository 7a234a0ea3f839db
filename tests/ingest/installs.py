"""Reports of one run of one build, as the sources of today tell about it, and what the tables say then."""

from datetime import UTC, datetime, timedelta
from typing import Any

from spackmon.graph.spec import SpecNode
from spackmon.logs import chunks
from spackmon.status import BuildStatus, EventKind, SourceKind
from spackmon.submission import (
    AttributeValue,
    Environment,
    Event,
    InstalledFile,
    InstallPhase,
    InstallReport,
    Source,
)
from tests.ingest.reports import Site, graph, spec

START = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
HERE = Environment("node-1", "linux", "debian12", "zen2", "#1 SMP")
SITE = Environment("the-cluster", "", "Linux", "zen2", "")
ZLIB = spec("zlib", "1.2.11")


def after(seconds: float) -> datetime:
    """A moment of the run."""
    return START + timedelta(seconds=seconds)


EVERYTHING: dict[str, Any] = {
    "status": BuildStatus.FAILED,
    "started_at": START,
    "finished_at": after(90),
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
"""All that a report can have."""
SOURCES = "SELECT kind FROM claim ORDER BY kind"
FAILED, SUCCESS = BuildStatus.FAILED, BuildStatus.SUCCESS


def count(site: Site, table: str) -> int:
    """How many rows a table has."""
    number: int = site.rows(f"SELECT count(*) FROM {table}")[0][0]
    return number


def install(kind: SourceKind, key: str, **told: Any) -> InstallReport:
    """A report of zlib's build, unless it says otherwise."""
    values = {"graph": graph(ZLIB), "environment": HERE, **told}
    return InstallReport(Source(kind, key), **values)


def prefix(node: SpecNode = ZLIB, **told: Any) -> InstallReport:
    """What an installed prefix tells."""
    values = {
        "graph": graph(node), "status": BuildStatus.SUCCESS, "started_at": START, "finished_at": after(90),
        "prefix": f"/opt/{node.name}", **told,
    }  # fmt: skip
    return install(SourceKind.PREFIX, f"/opt/{node.name}#1", **values)


def cdash(node: SpecNode = ZLIB, name: str = "nightly", **told: Any) -> InstallReport:
    """What one upload to a CDash tells: no spec, and a site that need not be a machine."""
    values = {
        "graph": None, "package_name": node.name, "environment": SITE, "started_at": START,
        "finished_at": after(100), **told,
    }  # fmt: skip
    return install(SourceKind.CDASH, f"spack/the-cluster/stamp-{node.name}/{name}", **values)


def live(node: SpecNode = ZLIB, run: str = "run-1", **told: Any) -> InstallReport:
    """What the extension tells: the spec by its hash, where it does not say otherwise."""
    values = {"graph": None, "spec_hash": node.hash, "package_name": node.name, **told}
    return install(SourceKind.EXTENSION, f"{run}/{node.hash}", **values)


def parts_of_one_run(node: SpecNode) -> list[InstallReport]:
    """Nine reports of three sources."""
    error = Event(EventKind.WARNING, "unused variable 'x'", 12, "main.c", 7, "before", "after")
    configure = InstallPhase("configure", "SUCCESS", output=b"checking for gcc\n")
    return [
        live(node, status=BuildStatus.RUNNING, started_at=START),
        live(node, phases=(InstallPhase("configure", "SUCCESS", 3, b"checking for gcc\n"),)),
        live(node, phases=(InstallPhase("install", "SUCCESS", 5),), tags=("live",)),
        live(node, status=BuildStatus.SUCCESS, finished_at=after(90), duration_seconds=90, graph=graph(node)),
        cdash(node, package_name=None, spack_revision="abc"),
        cdash(node, status=BuildStatus.SUCCESS, events=(error,)),
        cdash(node, phases=(configure,)),
        prefix(node, log=b"checking for gcc\n", configure_arguments="--x", spack_version="1.2.0"),
        prefix(node, environment_variables={"CC": "gcc"}, environment=None),
    ]


def told_about(site: Site, node: SpecNode) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that the tables say of a package's builds, but for row numbers and arrivals."""
    of_package = """
        FROM build b
        JOIN package p ON p.id = b.package_id AND p.name = :name
        JOIN build_environment e ON e.id = b.environment_id
        LEFT JOIN spec s ON s.id = b.spec_id
        LEFT JOIN attempt a ON a.build_id = b.id
    """
    questions = {
        "build": f"""SELECT DISTINCT s.hash, e.hostname, e.platform, e.operating_system, e.target,
            e.kernel_version, b.status, b.started_at, b.finished_at, b.duration_seconds, b.prefix,
            (SELECT g.text FROM configure_arguments g WHERE g.id = b.configure_arguments_id) {of_package}""",
        "attempt": f"""SELECT a.number, a.status, a.started_at, a.finished_at, a.duration_seconds,
            a.spack_version, a.spack_revision, a.prefix,
            (SELECT g.text FROM configure_arguments g WHERE g.id = a.configure_arguments_id) {of_package}""",
        "phase": f"""SELECT k.position, k.name, k.status, h.duration_seconds, c.content {of_package}
            JOIN phase h ON h.attempt_id = a.id JOIN phase_kind k ON k.id = h.kind_id
            LEFT JOIN log_chunk c ON c.log_id = h.log_id""",
        "event": f"""SELECT v.position, v.kind, v.text, v.log_line, v.source_file, l.pre_context
            {of_package} JOIN build_event v ON v.attempt_id = a.id
            LEFT JOIN event_context l ON l.id = v.context_id""",
        "claim": f"""SELECT c.kind, c.key, c.spec_hash, c.status, c.started_at, c.finished_at {of_package}
            JOIN claim c ON c.attempt_id = a.id""",
        "variable": f"""SELECT v.name, v.value {of_package}
            JOIN environment_variable v ON v.environment_set_id = a.environment_set_id""",
        "tag": f"""SELECT t.name {of_package} JOIN tag_set_member g ON g.tag_set_id = a.tag_set_id
            JOIN tag t ON t.id = g.tag_id""",
    }
    return {
        table: sorted((tuple(map(_plain, row)) for row in site.rows(q, name=node.name)), key=repr)
        for table, q in questions.items()
    }


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return chunks.join([bytes(value)])
    return value.isoformat() if isinstance(value, datetime) else value
