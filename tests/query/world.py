"""A small site with some of everything, and its rows in Python: what answers are held against.

FIELDS says, apart from the schema, what each field of a filter or an order is of a row.
"""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import select

from spackmon.formats.submission import (
    AnalysisReport,
    AttributeValue,
    ConcretizationFailureReport,
    InstalledFile,
)
from spackmon.graph.spec import Deptype, Edge, SpecNode, TargetDescription
from spackmon.graph.versions import version_key
from spackmon.models import Base
from tests.ingest.reports import Site, build_report, spec, spec_report
from tests.query.installs import install_report

Row = Mapping[str, Any]
Getter = Callable[["World", Row], Any]

TEXTS = ["", "%", "_", "a", "A", "é", "ab%", "\U0001f40d", "'", '"']
TARGETS = [
    TargetDescription("x86_64", '"x86_64"'),
    TargetDescription("zen3", '{"name":"zen3"}', "AuthenticAMD", 0, ("avx", "avx2", 'a",b'), ("zen2",)),
    TargetDescription("power9le", '{"name":"power9le"}', "IBM", 9, (), ("power8le", "ppc64le")),
]
STATUSES = ["NOTRUN", "RUNNING", "SUCCESS", "FAILED", "CANCELLED"]


def furnish(site: Site, seed: int = 3) -> None:
    """A random site; the same one for the same seed."""
    dice = random.Random(seed)
    specs: list[SpecNode] = []
    for number in range(14):
        specs.append(_spec(dice, number, specs))
        site.apply(spec_report(*_graph(specs[-1], specs), spack_version=dice.choice(["0.17.0", "1.0.0"])))
    for node in dice.choices(specs, k=14):
        _build(site, dice, node)
    for number in range(8):
        known = dice.choice([None, dice.choice(specs).hash])
        site.apply(install_report(dice, number, known), dice.choice([1, 2]))
    for number, name in enumerate(["zlib", "mpich", "zlib"]):
        site.apply(ConcretizationFailureReport(name, f'{{"number":{number}}}', "0.19"), dice.choice([1, 2]))
    told = ConcretizationFailureReport(None, None, "1.2.0", "hdf5@99 +é", "no version of hdf5 satisfies 99")
    site.apply(told)


def _spec(dice: random.Random, number: int, known: list[SpecNode]) -> SpecNode:
    children = dice.sample(known, min(len(known), dice.choice([0, 1, 2, 2])))
    name = dice.choice(["zlib", "hdf5", "mpich", "éclair"])
    version = dice.choice(["1.9", "1.10", "1.10", "develop", "2.0rc1", "1-10"])
    node = spec(
        name,
        version,
        target=f"target-{number}",
        compiler=dice.choice([None, ("gcc", "9.4.0"), ("gcc", "12.2.0"), ("clang", "9.4")]),
        namespace=dice.choice([None, "builtin", "site"]),
        package_hash=dice.choice([None, "p1", "P2"]),
        external=dice.choice([None, None, '{"path":"/usr"}']),
        parameters=json.dumps(
            {
                "mpi": dice.choice([True, False]),
                "libs": dice.sample(["shared", "static", "3", "true"], dice.randint(0, 3)),
                "level": dice.choice([3, "3", "é", "True"]),
                "cflags": dice.sample(["-O2", "-g"], dice.randint(0, 2)),
            }
        ),
        operating_system=dice.choice(["debian12", "rhel8"]),
    )
    edges = tuple(
        Edge(
            child.hash,
            Deptype(dice.randint(1, 15)),
            dice.choice([(), (), ("mpi",), ("c", 'odd",x'), ("blas", "mpi")]),
        )
        for child in children
    )
    return replace(node, target=dice.choice(TARGETS), edges=edges)


def _graph(root: SpecNode, known: list[SpecNode]) -> list[SpecNode]:
    by_hash = {node.hash: node for node in known}
    found = {root.hash: root}
    waiting = [root]
    while waiting:
        for edge in waiting.pop().edges:
            if edge.child not in found:
                found[edge.child] = by_hash[edge.child]
                waiting.append(by_hash[edge.child])
    return list(found.values())


def _build(site: Site, dice: random.Random, node: SpecNode) -> None:
    person = dice.choice([site.ada, site.bob])
    tags = tuple(dice.sample(["nightly", "ci", "é"], dice.randint(0, 2)))
    report = build_report(node.hash, host=dice.choice(["node-1", "node-2", "NODE%"]), tags=tags)
    build_id = site.apply(report, person).build_id
    for _ in range(dice.choice([0, 1, 1, 2])):
        for name in dice.sample(["configure", "build", "install"], dice.randint(0, 3)):
            site.phase(build_id, name, dice.choice(["SUCCESS", "SUCCESS", "ERROR"]), person=person)
        site.status(build_id, dice.choice(STATUSES), person=person)
        site.apply(report, person)
    if dice.random() < 0.5:
        files = (
            InstalledFile("/opt/lib.so", "file", 0o100755, 0, 0, "ABC", dice.choice([17, 2**40]), 1.5),
            InstalledFile("/opt/lib", "link", destination=dice.choice(["lib.so", "é"])),
        )
        results = (
            AttributeValue("text", None, value=dice.choice(TEXTS)),
            AttributeValue("json", "/opt/lib.so", json_value="{}"),
        )
        variables = {"CC": "gcc", "PATH": dice.choice(["/bin", "", "%"])}
        site.apply(
            AnalysisReport(
                build_id,
                install_files=files,
                environment_variables=variables,
                configure_arguments=dice.choice([None, "--prefix=/opt"]),
                has_configure_arguments=True,
                attributes={dice.choice(["abi", "symbolator"]): results},
            ),
            person,
        )


class World:
    """Every row of a site."""

    def __init__(self, site: Site) -> None:
        self.tables: dict[str, list[dict[str, Any]]] = site.database.read_once(
            lambda connection: {
                table.name: [
                    dict(row._mapping)
                    for row in connection.execute(select(table))
                    if "counted" not in table.info or row._mapping[table.info["counted"]] is not None
                ]
                for table in Base.metadata.sorted_tables
            }
        )

    def one(self, table: str, row_id: int | None) -> Row | None:
        """The row with an id."""
        return next((row for row in self.tables[table] if row["id"] == row_id), None)

    def some(self, table: str, **values: Any) -> list[Row]:
        """The rows that have these values, newest first."""
        found = [r for r in self.tables[table] if all(r[key] == value for key, value in values.items())]
        identity = [column.key for column in Base.metadata.tables[table].primary_key]
        return sorted(found, key=lambda row: [row[key] for key in identity], reverse=True)

    def below(self, spec_id: int) -> set[int]:
        """The ids of the specs that a spec depends on, at any depth."""
        found: set[int] = set()
        waiting = [spec_id]
        while waiting:
            for edge in self.some("dependency", parent_id=waiting.pop()):
                if edge["child_id"] not in found:
                    found.add(edge["child_id"])
                    waiting.append(edge["child_id"])
        return found


def column(name: str) -> Getter:
    """A column of the row."""
    return lambda world, row: row[name]


def to(table: str, foreign_key: str) -> Getter:
    """The row that a foreign key refers to."""
    return lambda world, row: world.one(table, row[foreign_key])


def of(table: str, foreign_key: str) -> Getter:
    """The rows whose foreign key refers to this one."""
    return lambda world, row: world.some(table, **{foreign_key: row["id"]})


def then(first: Getter, second: Getter) -> Getter:
    """What is found from what is found; None where there is none."""

    def getter(world: World, row: Row) -> Any:
        found = first(world, row)
        if isinstance(found, list):
            return [other for one in found for other in second(world, one)]
        return None if found is None else second(world, found)

    return getter


def _elements(name: str) -> Getter:
    return lambda world, row: json.loads(row[name])


def _deptypes(world: World, row: Row) -> set[str]:
    return {str(type_.name).lower() for type_ in Deptype if row["deptypes"] & type_}


def _parameters(world: World, row: Row) -> list[Row]:
    found: Row | None = world.one("parameter_set", row["parameter_set_id"])
    assert found is not None
    rows: list[Row] = []
    for name, value in json.loads(found["document"]).items():
        elements = value if isinstance(value, list) else [value]
        rows += [{"name": name, "value": element} for element in elements]
        if value == [] and name != "cflags":
            rows.append({"name": name, "value": None})
    return rows


def _newest_attempt(world: World, row: Row) -> Row:
    attempts = world.some("attempt", build_id=row["id"])
    begun = [attempt for attempt in attempts if attempt["status"] != "NOTRUN"]
    return max(begun or attempts, key=lambda attempt: attempt["number"])


def _events(kind: str) -> Getter:
    return lambda world, row: len(world.some("build_event", attempt_id=row["id"], kind=kind))


def _builds_with(world: World, row: Row) -> list[Row]:
    events = world.some("build_event", error_group_id=row["id"])
    attempts = {event["attempt_id"] for event in events}
    ids = {attempt["build_id"] for attempt in world.some("attempt") if attempt["id"] in attempts}
    return [build for build in world.some("build") if build["id"] in ids]


def _tags(world: World, row: Row) -> list[Row]:
    ids = {given["tag_id"] for given in world.some("attempt_tag", attempt_id=row["id"])}
    return [tag for tag in world.some("tag") if tag["id"] in ids]


def _tagged(world: World, row: Row) -> list[Row]:
    ids = {given["attempt_id"] for given in world.some("attempt_tag", tag_id=row["id"])}
    return [build for build in world.some("build") if _newest_attempt(world, build)["id"] in ids]


def _same(table: str, key: str) -> Getter:
    """The rows that refer to what the row refers to."""
    return lambda world, row: [] if row[key] is None else world.some(table, **{key: row[key]})


def _compiled(world: World, row: Row) -> list[Row]:
    ids = {one["spec_id"] for one in world.some("spec_compiler", compiler_id=row["id"])}
    return [spec for spec in world.some("spec") if spec["id"] in ids]


def _compilers(world: World, row: Row) -> list[Row]:
    ids = {one["compiler_id"] for one in world.some("spec_compiler", spec_id=row["id"])}
    return [compiler for compiler in world.some("compiler") if compiler["id"] in ids]


VERSION = column("version")
PACKAGE_VERSION = to("package_version", "package_version_id")
PACKAGE = then(PACKAGE_VERSION, to("package", "package_id"))
SPEC = to("spec", "spec_id")
BUILD = to("build", "build_id")
OF_ATTEMPT = then(to("attempt", "attempt_id"), BUILD)
VARIABLES = _same("environment_variable", "environment_set_id")
FILES = _same("install_file", "manifest_id")
SPECS_OF_PACKAGE = then(of("package_version", "package_id"), of("spec", "package_version_id"))
ANALYSIS = to("analysis", "analysis_id")


def below(world: World, row: Row) -> list[Row]:
    """Name and version of each spec below a spec."""
    specs = [world.one("spec", spec_id) for spec_id in world.below(row["id"])]
    return [
        {"name": PACKAGE(world, spec)["name"], "version": PACKAGE_VERSION(world, spec)["version"]}
        for spec in specs
        if spec is not None
    ]


def _below_build(world: World, row: Row) -> list[Row]:
    spec = SPEC(world, row)
    return [] if spec is None else below(world, spec)


# Each noun's table, and each field of its filter. A relation gives a row or rows of the noun's table.
TABLES = {
    "Analysis": "analysis", "AnalysisResult": "attribute", "Architecture": "architecture",
    "Attempt": "attempt", "Build": "build", "BuildEnvironment": "build_environment",
    "BuildEvent": "build_event", "BuildPhase": "phase", "Claim": "claim",
    "Compiler": "compiler", "ConcretizationFailure": "concretization_failure",
    "Dependency": "dependency", "EnvironmentVariable": "environment_variable",
    "ErrorGroup": "error_group",
    "InstallFile": "install_file", "Package": "package", "PackageVersion": "package_version",
    "Person": "person", "Spec": "spec", "SpecHash": "spec_hash", "Tag": "tag", "Target": "target",
}  # fmt: skip

FIELDS: dict[str, dict[str, Getter]] = {
    "Analysis": {
        "analyzer": column("analyzer"), "reportedAt": column("reported_at"), "build": OF_ATTEMPT,
        "attempt": to("attempt", "attempt_id"), "results": of("attribute", "analysis_id"),
    },
    "AnalysisResult": {
        "name": column("name"), "value": column("value"), "analyzer": then(ANALYSIS, column("analyzer")),
        "installFile": to("install_file", "install_file_id"), "analysis": ANALYSIS,
    },
    "Architecture": {
        "platform": column("platform"), "operatingSystem": column("operating_system"),
        "target": to("target", "target_id"), "specs": of("spec", "architecture_id"),
    },
    "Attempt": {
        "number": column("number"), "status": column("status"), "spackVersion": column("spack_version"),
        "startedAt": column("started_at"), "finishedAt": column("finished_at"),
        "durationSeconds": column("duration_seconds"), "build": BUILD, "phases": of("phase", "attempt_id"),
        "spackRevision": column("spack_revision"), "events": of("build_event", "attempt_id"),
        "errorCount": _events("ERROR"), "warningCount": _events("WARNING"),
        "sources": of("claim", "attempt_id"), "reportedAt": column("reported_at"),
        "installedFrom": column("installed_from"), "prefix": column("prefix"), "tags": _tags,
        "configureArguments": column("configure_arguments"), "environmentVariables": VARIABLES,
        "environment": to("build_environment", "environment_id"), "installFiles": FILES,
        "analyses": of("analysis", "attempt_id"),
    },
    "Build": {
        "status": column("status"), "spec": SPEC, "environment": to("build_environment", "environment_id"),
        "package": to("package", "package_id"), "prefix": column("prefix"),
        "owner": to("person", "owner_id"), "durationSeconds": column("duration_seconds"),
        "createdAt": column("created_at"), "updatedAt": column("updated_at"),
        "configureArguments": column("configure_arguments"),
        "startedAt": column("started_at"), "finishedAt": column("finished_at"),
        "installedFrom": column("installed_from"),
        "tags": then(_newest_attempt, _tags), "attempts": of("attempt", "build_id"),
        "phases": then(_newest_attempt, of("phase", "attempt_id")),
        "events": then(_newest_attempt, of("build_event", "attempt_id")),
        "errorCount": then(_newest_attempt, _events("ERROR")),
        "warningCount": then(_newest_attempt, _events("WARNING")),
        "sources": then(of("attempt", "build_id"), of("claim", "attempt_id")),
        "environmentVariables": VARIABLES, "installFiles": FILES,
        "analyses": then(_newest_attempt, of("analysis", "attempt_id")),
        "dependency": _below_build,
    },
    "BuildEnvironment": {
        "hostname": column("hostname"), "platform": column("platform"),
        "operatingSystem": column("operating_system"), "target": column("target"),
        "kernelVersion": column("kernel_version"), "builds": of("build", "environment_id"),
    },
    "BuildEvent": {
        "kind": column("kind"), "text": column("text"), "position": column("position"),
        "logLine": column("log_line"), "sourceFile": column("source_file"),
        "sourceLine": column("source_line"), "errorGroup": to("error_group", "error_group_id"),
        "attempt": to("attempt", "attempt_id"),
    },
    "Claim": {
        "status": column("status"), "startedAt": column("started_at"), "finishedAt": column("finished_at"),
        "kind": column("kind"), "key": column("key"), "specHash": column("spec_hash"),
        "firstReportedAt": column("first_reported_at"), "lastReportedAt": column("last_reported_at"),
        "owner": to("person", "owner_id"), "build": OF_ATTEMPT, "attempt": to("attempt", "attempt_id"),
    },
    "BuildPhase": {
        "name": column("name"), "status": column("status"), "position": column("position"),
        "durationSeconds": column("duration_seconds"),
        "reportedAt": column("reported_at"), "attempt": to("attempt", "attempt_id"),
    },
    "Compiler": {"name": column("name"), "version": VERSION, "specs": _compiled},
    "ConcretizationFailure": {
        "package": to("package", "package_id"), "owner": to("person", "owner_id"),
        "spackVersion": column("spack_version"), "reportedAt": column("reported_at"),
        "document": column("document"), "abstractSpec": column("abstract_spec"), "message": column("message"),
    },
    "Dependency": {
        "parent": to("spec", "parent_id"), "child": to("spec", "child_id"), "deptypes": _deptypes,
        "virtuals": _elements("virtuals"),
    },
    "EnvironmentVariable": {"name": column("name"), "value": column("value")},
    "ErrorGroup": {
        "fingerprint": column("fingerprint"), "text": column("text"),
        "events": of("build_event", "error_group_id"), "builds": _builds_with,
    },
    "InstallFile": {
        "path": column("path"), "type": column("type"), "mode": column("mode"), "hash": column("hash"),
        "sizeBytes": column("size_bytes"), "destination": column("destination"),
        "builds": _same("build", "manifest_id"), "attempts": _same("attempt", "manifest_id"),
        "analysisResults": of("attribute", "install_file_id"),
    },
    "Package": {
        "name": column("name"), "versions": of("package_version", "package_id"), "specs": SPECS_OF_PACKAGE,
        "builds": of("build", "package_id"),
        "concretizationFailures": of("concretization_failure", "package_id"),
    },
    "PackageVersion": {
        "version": VERSION, "package": to("package", "package_id"), "specs": of("spec", "package_version_id"),
    },
    "Parameter": {"name": column("name"), "value": column("value")},
    "Person": {
        "name": column("name"), "createdAt": column("created_at"), "builds": of("build", "owner_id"),
    },
    "Spec": {
        "hash": column("hash"), "hashes": of("spec_hash", "spec_id"), "name": then(PACKAGE, column("name")),
        "version": then(PACKAGE_VERSION, VERSION), "namespace": column("namespace"), "package": PACKAGE,
        "compiler": _compilers, "architecture": to("architecture", "architecture_id"),
        "parameters": _parameters, "external": column("external"), "packageHash": column("package_hash"),
        "formatVersion": column("format_version"), "spackVersion": column("spack_version"),
        "recordedAt": column("recorded_at"), "dependencies": of("dependency", "parent_id"),
        "dependents": of("dependency", "child_id"), "builds": of("build", "spec_id"), "dependency": below,
    },
    "SpecHash": {"kind": column("kind"), "value": column("value")},
    "Tag": {"name": column("name"), "builds": _tagged},
    "Target": {
        "name": column("name"), "vendor": column("vendor"), "generation": column("generation"),
        "features": _elements("features"), "parents": _elements("parents"),
        "architectures": of("architecture", "target_id"),
    },
}  # fmt: skip

# What a field of an order is where it is not the filter's field of that name, or that is a relation.
ORDERS: dict[str, dict[str, Getter]] = {
    "AnalysisResult": {"installFile": then(to("install_file", "install_file_id"), column("path"))},
    "Architecture": {"target": then(to("target", "target_id"), column("name"))},
    "Build": {
        "name": then(to("package", "package_id"), column("name")),
        "version": then(SPEC, then(PACKAGE_VERSION, VERSION)),
        "hostname": then(to("build_environment", "environment_id"), column("hostname")),
        "owner": then(to("person", "owner_id"), column("name")),
    },
    "ConcretizationFailure": {"package": then(to("package", "package_id"), column("name"))},
    "Dependency": {
        "parentName": then(to("spec", "parent_id"), then(PACKAGE, column("name"))),
        "parentVersion": then(to("spec", "parent_id"), then(PACKAGE_VERSION, VERSION)),
        "childName": then(to("spec", "child_id"), then(PACKAGE, column("name"))),
        "childVersion": then(to("spec", "child_id"), then(PACKAGE_VERSION, VERSION)),
    },
    "PackageVersion": {"package": then(to("package", "package_id"), column("name"))},
    "Spec": {"compiler": then(to("compiler", "compiler_id"), column("name"))},
}  # fmt: skip


def sort_value(name: str, value: Any) -> Any:
    """What a value sorts by."""
    return version_key(value) if name.lower().endswith("version") and name != "spackVersion" else value
