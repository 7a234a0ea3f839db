"""A random site, the same one in every run: few values, so that many rows share them, and odd ones."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, func, insert, select, text, update

from spackmon.database import Database
from spackmon.formats.advisories import defect_of, read_advisories
from spackmon.graph.spec import Deptype, Edge, SpecNode, TargetDescription
from spackmon.history.rounded_durations import microseconds_of, rounded
from spackmon.ingest.grouping import rule
from spackmon.ingest.tables import error_groups, facets
from spackmon.ingest.tables.advisories import put_defect
from spackmon.models import (
    Attempt,
    Base,
    Build,
    BuildFacetChange,
    CiJob,
    CiRun,
    ErrorGroup,
    MergedBuild,
    NotificationChannel,
    NotificationDelivery,
    NotificationRule,
)
from spackmon.models.columns import UtcDateTime
from spackmon.status import GroupAction
from spackmon.submission import (
    AnalysisReport,
    AttributeValue,
    BuildcacheEntry,
    BuildcacheReport,
    ConcretizationFailureReport,
    EnvironmentReport,
    EnvironmentRoot,
    InstalledFile,
)
from tests.closures import insert_all
from tests.ingest.reports import Site, build_report, hash_of, spec, spec_report
from tests.query.installs import install_report

SPECS, BUILDS, INSTALLS, FAILURES, ENVIRONMENTS = 34, 48, 24, 6, 7
MERGED = 900
"""The first of the numbers that are another build's now."""

_PACKAGES = ["zlib", "hdf5", "mpich", "openmpi", "gcc", "libc", "éclair", "Zoo"]
_VERSIONS = ["1.2.11", "1.2", "1.10", "1.9", "1-10", "2.0rc1", "develop", "main", "1.2.11-é", "=odd"]
_TEXTS = [
    "",
    "%",
    "_",
    "a",
    "A",
    "ab",
    "é",
    "Z",
    "\U0001f40d",
    "'",
    '"',
    "a\\b",
    "l1\nl2\t",
    "null",
    "\x7f\u2028",
]
_TARGETS = [
    TargetDescription("x86_64", '"x86_64"'),
    TargetDescription("zen3", '{"name":"zen3"}', "AuthenticAMD", 0, ("avx", "avx2", 'a",b'), ("zen2",)),
    TargetDescription("zen3", '{"name":"zen3","x":1}', "AuthenticAMD", 0, ("avx",), ("zen2", "x86_64_v3")),
    TargetDescription("power9le", '{"name":"power9le"}', "IBM", 9, ("é",), ("power8le", "ppc64le")),
]
_VALUES: list[Any] = [True, False, "true", "shared", "", "é", 3, 1.5, "3", [], ["a", "b"], ["true", "3"]]
_STATUSES = ["NOTRUN", "RUNNING", "SUCCESS", "FAILED", "CANCELLED"]
_CHECKING = b"checking\n"
_LOGS = [None, None, b"", _CHECKING, '‘x’ \x00 \x1b[31m\t\\ "quoted"\n'.encode(), b"\xed\xa0\x80 lone\n"]
_FAILURES = [
    _CHECKING,
    b"a.c:3:1: error: 'x' undeclared\nb.c:4:2: warning: unused 'y'\nmake: *** [Makefile:6: a.o] Error 1\n",
    b"/usr/bin/ld: cannot find -lfoo\ncollect2: error: ld returned 1 exit status\n",
]
_GROUPS = [(None, None), ("default", None), ("", "/env/é")]
ADVISORIES = [
    {"id": "SITE-1", "affects": ["zlib@:1.10", "libc"], "summary": "é of zlib"},
    {"id": "SITE-2", "affects": "hdf5+mpi", "withdrawn": "2026-01-01T00:00:00Z"},
    {"id": "SITE-3", "affects": ["hdf5 ~mpi", "mpich@1.9:1.10,develop level=3", "Zoo %gcc", "éclair"]},
    {
        "id": "CVE-1",
        "aliases": ["GHSA-1", "é"],
        "affected": [
            {
                "package": {"ecosystem": "OSS-Fuzz", "name": "gcc"},
                "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"last_affected": "1.10"}]}],
            }
        ],
    },
]
_BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def furnish(database: Database, seed: int = 7) -> None:
    """Fill an empty database."""
    fill(Site(database), seed)


def fill(site: Site, seed: int = 7) -> None:
    """Fill a site that has its people and nothing else."""
    dice, database = random.Random(seed), site.database
    known: list[SpecNode] = []
    for number in range(SPECS):
        node = _spec(dice, number, known)
        known.append(node)
        report = spec_report(*_graph(node, known), spack_version=dice.choice(["0.17.0", "1.0.0"]))
        site.apply(replace(report, graph=replace(report.graph, format_version=_format_version(node))))
    for node in dice.choices(known[:-4], k=BUILDS):
        _build(site, dice, node)
    for number in range(INSTALLS):
        spec_hash = dice.choice([None, dice.choice(known[:-4]).hash])
        site.apply(install_report(dice, number, spec_hash), dice.choice([site.ada, site.bob]))
    for number in range(FAILURES):
        document = json.dumps({"nodes": [number], "text": dice.choice(_TEXTS), "number": 1e100})
        report = ConcretizationFailureReport(dice.choice([*_PACKAGES, "nothing"]), document, "0.19")
        site.apply(report, dice.choice([1, 2]))
    for asked in ("hdf5@99", "é +mpi"):
        site.apply(ConcretizationFailureReport(None, None, "1.2.0", asked, dice.choice(_TEXTS)))
    for node in known[: FAILURES * 2]:
        asked = random.Random(node.hash).choice(["@={} %gcc@12.2.0", "@{} os=debian12", "@{}: %llvm"])
        request = node.name + asked.format(node.version)
        site.apply(ConcretizationFailureReport(node.name, None, "1.2.0", request, "no way"))
    _lock(site, random.Random(seed), known)
    _cache(site, random.Random(seed), known)
    database.write_once(lambda connection: _run_in_ci(connection, random.Random(seed)))
    database.write_once(lambda connection: _tell(connection, random.Random(seed)))
    for content in ADVISORIES:
        (advisory,) = read_advisories(json.dumps(content).encode(), {})
        database.write_once(partial(put_defect, defect=defect_of(advisory), now=_BEGIN))
    database.write_once(lambda connection: _set_clocks(connection, dice))
    database.write_once(_count)
    database.write_once(_merge)
    database.write_once(_say)


def _lock(site: Site, dice: random.Random, known: Sequence[SpecNode]) -> None:
    """Environments with several lock files, roots that nobody reported, and the same again."""
    for number in range(ENVIRONMENTS):
        asked = [(f"{node.name} +é", node.hash) for node in dice.sample(known, 3)] + [("", "0" * 32)]
        roots = [EnvironmentRoot(words, hash_, *dice.choice(_GROUPS)) for words, hash_ in asked]
        report = EnvironmentReport(f"env-{number % 3}", number, dice.choice([None, "1.2.0"]), tuple(roots))
        for _ in range(dice.choice([1, 2])):
            site.apply(report, dice.choice([site.ada, site.bob]))


def _cache(site: Site, dice: random.Random, known: Sequence[SpecNode]) -> None:
    """Buildcaches in which this and that is missing, read once and again."""
    maybe = [None, True, True, False]
    for number in range(5):
        hashes = [node.hash for node in dice.sample(known, 6)] + ["0" * 32]
        entries = tuple(
            BuildcacheEntry(
                dice.choice([2, 3]), hash_, *dice.choices(maybe, k=3), dice.choice([None, None, "é"])
            )
            for hash_ in hashes
        )
        name = f"/mirror/{dice.choice(['a', 'é'])}"
        report = BuildcacheReport(name, _BEGIN + timedelta(days=number), dice.choice([True, False]), entries)
        site.apply(report, dice.choice([site.ada, site.bob]))


def _run_in_ci(connection: Connection, dice: random.Random) -> None:
    """Some runs were part of jobs of CI runs, builds of several of them."""
    for number in range(4):
        run = {
            "provider": dice.choice(["GITLAB", "GITHUB"]), "project": dice.choice(["a/b", "é"]),
            "pipeline_id": str(number), "stack": dice.choice(["", "e4s", "é"]), "created_at": _BEGIN,
            "url": dice.choice([None, "https://x/1"]), "ref": dice.choice([None, "main"]), "commit_sha": None,
        }  # fmt: skip
        run_id = connection.scalar(insert(CiRun).values(run).returning(CiRun.id))
        for job in range(3):
            names = {"job_id": str(job), "name": dice.choice([None, "é %"]), "url": None}
            connection.execute(insert(CiJob).values(ci_run_id=run_id, **names))
    jobs = connection.scalars(select(CiJob.id).order_by(CiJob.id)).all()
    for attempt_id in connection.scalars(select(Attempt.id).order_by(Attempt.id)).all():
        job_id = dice.choice([None, *jobs])
        connection.execute(update(Attempt).where(Attempt.id == attempt_id).values(ci_job_id=job_id))


def _tell(connection: Connection, dice: random.Random) -> None:
    """Rules of what is told, and what became of some messages."""
    for number in range(4):
        told = {
            "name": f"r-{number}", "owner_id": 1, "event": dice.choice(["FIXED", "ROOT_FAILED"]),
            "condition": '{"tags":{"some":{"name":{"eq":"é"}}}}', "messages_per_hour": 20, "position": 0,
            "environment_name": dice.choice([None, "é"]), "trouble": dice.choice([None, "%"]),
            "created_at": _BEGIN, "tells_since": _BEGIN, "muted_at": dice.choice([None, _BEGIN]),
        }  # fmt: skip
        rule_id = connection.scalar(insert(NotificationRule).values(told).returning(NotificationRule.id))
        for kind, shown in (("EMAIL", "é@example.org"), ("WEBHOOK", "https://example.org/…")):
            way = {"rule_id": rule_id, "kind": kind, "address": "secret", "shown_address": shown}
            channel = insert(NotificationChannel).values(**way, key_salt="").returning(NotificationChannel.id)
            _messages(connection, dice, connection.scalar(channel))


def _messages(connection: Connection, dice: random.Random, channel_id: int | None) -> None:
    for number in range(dice.choice([0, 3])):
        status, answer_status = dice.choice([("DEAD", 500), ("WAITING", None), ("DELIVERED", 200)])
        message = {
            "channel_id": channel_id, "key": f"msg_{channel_id}_{number}", "subject": str(number),
            "content": '{"title":"é"}', "status": status, "tries": dice.choice([0, 2]),
            "answer_status": answer_status, "answer": dice.choice([None, "no"]),
            "ended_at": None if status == "WAITING" else _BEGIN,
        }  # fmt: skip
        times = dict.fromkeys(("created_at", "give_up_at", "next_try_at"), _BEGIN)
        connection.execute(insert(NotificationDelivery).values(**message, **times))


def _count(connection: Connection) -> None:
    """What is counted; of every other group and facet it stands in changes that are yet to be folded."""
    error_groups.count_errors(connection, connection.scalars(select(Build.id)).all())
    error_groups.recount(connection, connection.scalars(select(ErrorGroup.id)).all())
    for statement in (
        "INSERT INTO error_group_change (error_group_id, event_count, run_count, build_count, first_seen,"
        " last_seen, seen_less) SELECT error_group_id, event_count, run_count, 1, first_seen, last_seen,"
        " error_group_id % 4 = 0 FROM error_group_build WHERE error_group_id % 2 = 0",
        "UPDATE error_group SET event_count = 0, run_count = 0, build_count = 0, first_seen = NULL"
        " WHERE id % 2 = 0",
    ):
        connection.execute(text(statement))
    facets.count_builds(connection, connection.scalars(select(Build.id)).all())
    facets.recount_days(connection)
    waiting = select(Build.facet_id, Build.started_at, Build.duration_seconds).where(Build.facet_id % 2 == 0)
    builds = connection.execute(waiting.order_by(Build.id)).all()
    facets.change(connection, [(*build, -1) for build in builds])
    facets.recount(connection, [])
    waiting_for = [
        {
            "facet_id": facet_id, "day": facets.day_of(started_at), "build_count": 1,
            "rounded_seconds": None if seconds is None else rounded(seconds),
            "microseconds": microseconds_of(seconds or 0.0),
        }
        for facet_id, started_at, seconds in builds
    ]  # fmt: skip
    connection.execute(insert(BuildFacetChange), waiting_for)


def _merge(connection: Connection) -> None:
    """Some builds had another number before."""
    builds = connection.scalars(select(Build.id).order_by(Build.id).limit(3)).all()
    merged = [{"id": MERGED + number, "build_id": build_id} for number, build_id in enumerate(builds)]
    connection.execute(insert(MergedBuild), merged)


def _say(connection: Connection) -> None:
    """People have said something of some groups of errors."""
    groups = connection.scalars(select(ErrorGroup.fingerprint).order_by(ErrorGroup.id).limit(4)).all()
    said = [
        (groups[0], GroupAction.NOTE, "é %"),
        (groups[0], GroupAction.KNOWN_ISSUE, "https://example.org/1"),
        (groups[1], GroupAction.MUTE, None),
        (groups[2], GroupAction.MERGE, groups[1]),
        (groups[3], GroupAction.SPLIT, "a"),
    ]
    for fingerprint, action, value in said:
        rule(connection, fingerprint, action, value, Site.ada, _BEGIN)


def copy(source: Database, target: Database) -> None:
    """Give an empty database the same rows, ids included; new ones get later ids."""

    def rows(connection: Connection) -> dict[Any, list[dict[str, Any]]]:
        tables = Base.metadata.sorted_tables
        return {table: [dict(row._mapping) for row in connection.execute(select(table))] for table in tables}

    found = source.read_once(rows)

    def write(connection: Connection) -> None:
        for table, content in found.items():
            insert_all(connection, table, content)
            if content and "id" in table.columns and connection.dialect.name == "postgresql":
                sequence = func.pg_get_serial_sequence(table.name, "id")
                connection.execute(select(func.setval(sequence, func.max(table.c.id))))
        if connection.dialect.name == "postgresql":
            # SQLite has no lists: there a row's `place` says it alone.
            connection.execute(text("UPDATE build_content SET places = ARRAY[place]"))
            connection.execute(text("ANALYZE"))

    target.write_once(write)


def _spec(dice: random.Random, number: int, known: list[SpecNode]) -> SpecNode:
    children = dice.sample(known, min(len(known), dice.choice([0, 0, 1, 2, 3])))
    parameters = {dice.choice(["mpi", "libs", "é", "level"]): dice.choice(_VALUES) for _ in range(3)}
    old = dice.random() < 0.3
    # Some whole hashes are the beginning of nothing else, some begin alike.
    dag_hash = dice.choice(["", "samesame"]) + hash_of(number)
    hashes = [("hash", dag_hash), ("build_hash", hash_of(number // 3))]
    if old:
        hashes.append(("full_hash", hash_of(["full", number])))
    edges: list[Edge] = []
    for child in children:
        edges.append(
            Edge(child.hash, Deptype(dice.randint(1, 15)), dice.choice([(), (), ("mpi",), ("c", 'o",x')]))
        )
    if children and dice.random() < 0.3:
        edges.append(Edge(children[0].hash, Deptype.RUN, ("blas",)))
    node = spec(
        dice.choice(_PACKAGES),
        dice.choice(_VERSIONS),
        hash=hashes[-1][1] if old else dag_hash,
        hash_kind="full_hash" if old else "hash",
        hashes=tuple(hashes),
        document=json.dumps({"number": number, "text": dice.choice(_TEXTS), "real": 1.5e-7}),
        compiler=dice.choice([None, ("gcc", "9.4.0"), ("gcc", "12.2.0"), ("clang", "9.4")]),
        namespace=dice.choice([None, "builtin", "site"]),
        package_hash=dice.choice([None, "p1", "P2"]),
        external=dice.choice([None, None, *_EXTERNALS]),
        parameters=json.dumps({**parameters, "cflags": dice.sample(["-O2", "-g"], dice.randint(0, 2))}),
        operating_system=dice.choice(["debian12", "rhel8"]),
    )
    return replace(node, target=dice.choice(_TARGETS), edges=tuple(edges), built_as=_built_as(dice, known))


_EXTERNALS = (
    '{"path":"/usr","extra":[1.0,null]}',
    '{"path":"/opt/\\u00fc","module":["x\\u0000"]}',
    '{"path":null}',
)


def _built_as(dice: random.Random, known: list[SpecNode]) -> str | None:
    """Some hash of a spec, which may be that of others, too; or one that nobody has."""
    if not known or dice.random() < 0.6:
        return None
    return dice.choice([hash_of("unknown"), *(value for _, value in dice.choice(known).hashes)])


def _format_version(node: SpecNode) -> int:
    return 2 if node.hash_kind == "full_hash" else 4


def _graph(root: SpecNode, known: list[SpecNode]) -> list[SpecNode]:
    by_hash = {node.hash: node for node in known}
    found, waiting = {root.hash: root}, [root]
    while waiting:
        for edge in waiting.pop().edges:
            if edge.child not in found:
                found[edge.child] = by_hash[edge.child]
                waiting.append(by_hash[edge.child])
    return list(found.values())


def _build(site: Site, dice: random.Random, node: SpecNode) -> None:
    person = dice.choice([site.ada, site.bob])
    tags = tuple(dice.sample(["nightly", "ci", "é", "never mind"], dice.randint(0, 2)))
    report = build_report(node.hash, host=dice.choice(["node-1", "node-2", "NODE%"]), tags=tags)
    build_id = site.apply(report, person).build_id
    for _ in range(dice.choice([0, 1, 1, 2])):
        for name in dice.sample(["configure", "build", "install", "é"], dice.randint(0, 3)):
            status, log = dice.choice(["SUCCESS", "ERROR"]), dice.choice(_LOGS)
            site.phase(build_id, name, status, _FAILURES[build_id % 3] if log == _CHECKING else log, person)
        site.status(build_id, dice.choice(_STATUSES), person)
        site.apply(report, person)
    if dice.random() < 0.6:
        for _ in range(dice.choice([1, 1, 2])):
            site.apply(_analysis(dice, build_id), person)


def _analysis(dice: random.Random, build_id: int) -> AnalysisReport:
    files = (
        InstalledFile(
            "/opt/lib.so", "file", 0o100755, 0, 0, "ABC", dice.choice([17, 2**40]), 1795337792.0731182
        ),
        InstalledFile("/opt/lib", "link", destination=dice.choice(["lib.so", "é"])),
        InstalledFile(f"/opt/{dice.choice(['x', 'é', 'Y'])}", None, None, size_bytes=dice.choice([None, 0])),
    )
    results = (
        AttributeValue("text", None, value=dice.choice(_TEXTS)),
        AttributeValue("json", "/opt/lib.so", json_value='{"b":[1.50,null],"a":"é"}'),
        AttributeValue("bytes", dice.choice([None, "/opt/lib"]), binary_value=b"\0\xff"),
    )
    return AnalysisReport(
        build_id,
        install_files=files,
        environment_variables={"CC": "gcc", dice.choice(["PATH", "é"]): dice.choice(_TEXTS)},
        configure_arguments=dice.choice([None, "--prefix=/opt", *_TEXTS[:4]]),
        has_configure_arguments=True,
        attributes=dict.fromkeys(dice.sample(["abi", "symbolator", "é"], dice.randint(1, 2)), results),
    )


def _set_clocks(connection: Connection, dice: random.Random) -> None:
    """Moments that are the same in every run; several rows share one."""
    moments = [_BEGIN + timedelta(hours=7 * n, microseconds=n % 3) for n in range(24)]
    for table in Base.metadata.sorted_tables:
        clocks = [column for column in table.columns if isinstance(column.type, UtcDateTime)]
        for row in connection.execute(select(table)).all() if clocks else ():
            known = [column for column in clocks if row._mapping[column] is not None]
            its = [column == row._mapping[column] for column in table.primary_key]
            changed = {column.name: dice.choice(moments) for column in known}
            if (
                "duration_seconds" in table.columns
                and row._mapping[table.columns["duration_seconds"]] is not None
            ):
                changed["duration_seconds"] = dice.choice([0.0, 0.1, 12.25, 1e-9, 86400.0])
            if "peak_memory_bytes" in table.columns:
                changed["cpu_seconds"] = dice.choice([None, 0.0, 0.3, 7200.5])
                changed["peak_memory_bytes"] = dice.choice([None, 4096, 3 << 29, 2**62])
            if changed:
                connection.execute(update(table).where(*its).values(changed))
