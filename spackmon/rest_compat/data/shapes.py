"""A row of a GraphQL answer in the shape that the old server gave it.

`add_date` and `modify_date` are when a row's source reported it first and last, None where the database
has no such time. Ids are integers; where a row has none of its own, it is made of what the row is.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]
Shaped = dict[str, Any]

# Both halves of such an id, and the ids of contents, are exact where numbers are doubles (2**53).
_CHILD_BITS = 26
_POSITION_BITS = 16
_FIRST_CONTENT_ID = 1 << 51


def number(identifier: str) -> int:
    """The number in an id of this schema."""
    return int(identifier.rpartition(":")[2])


def content_id(text: str) -> int:
    """The id of what is nothing but a text: of its SHA-256, above the ids of all rows."""
    digest = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    return _FIRST_CONTENT_ID | digest >> 13


def edge_id(parent: int, child: int) -> int:
    """The id of a dependency, which is its two specs."""
    return parent << _CHILD_BITS | child


def edge_parent(identifier: int) -> int:
    """The first of the two specs in a dependency's id."""
    return identifier >> _CHILD_BITS


def variable_id(build: int, position: int) -> int:
    """The id of an environment variable: its build, and its place from 0 among that build's by name."""
    return build << _POSITION_BITS | position


def variable_build(identifier: int) -> int:
    """The build in an environment variable's id."""
    return identifier >> _POSITION_BITS


def attribute(row: Row) -> Shaped:
    """One finding of an analyzer; bytes are base64."""
    binary = row["binaryValue"]
    times = {one["analyzer"]: one["reportedAt"] for one in row["build"]["analyses"]}
    file = row["installFile"]
    values = {
        "id": number(row["id"]),
        "install_file": None if file is None else number(file["id"]),
        "analyzer": row["analyzer"],
        "name": row["name"],
        "value": row["value"],
        "json_value": row["jsonValue"],
        "binary_value": None if binary is None else base64.b64encode(bytes.fromhex(binary)).decode(),
    }
    reported_at = times.get(row["analyzer"])
    return _dated(values, "attribute", reported_at, reported_at)


def architecture(row: Row) -> Shaped:
    """What specs are built for."""
    values = {
        "id": number(row["id"]),
        "platform": row["platform"],
        "platform_os": row["operatingSystem"],
        "target": number(row["target"]["id"]),
    }
    return _dated(values, "architecture")


def build(row: Row) -> Shaped:
    """A build as its newest run left it."""
    spec, build_id = row["spec"], number(row["id"])
    values = {
        "id": build_id,
        "spec": None if spec is None else number(spec["id"]),
        "tags": [number(tag["id"]) for tag in row["tags"]["nodes"]],
        "status": row["status"],
        "build_environment": number(row["environment"]["id"]),
        "envars": [variable_id(build_id, place) for place in range(len(row["environmentVariables"]))],
        "config_args": row["configureArguments"],
        "owner": number(row["owner"]["id"]),
    }
    return _dated(values, "build", row["createdAt"], row["updatedAt"])


def build_environment(row: Row) -> Shaped:
    """A machine."""
    values = {
        "id": number(row["id"]),
        "hostname": row["hostname"],
        "platform": row["platform"],
        "kernel_version": row["kernelVersion"],
        "host_os": row["operatingSystem"],
        "host_target": row["target"],
    }
    return _dated(values, "build-environment")


def build_error(row: Row) -> Shaped | None:
    """An error; None for a warning."""
    return _event(row, "build-error") if row["kind"] == "ERROR" else None


def build_warning(row: Row) -> Shaped | None:
    """A warning; None for an error."""
    return _event(row, "build-warning") if row["kind"] == "WARNING" else None


def _event(row: Row, label: str) -> Shaped:
    line, run = row["logLine"], row["attempt"]
    before, after = row["preContext"] or "", row["postContext"] or ""
    phases = run["phases"]["nodes"]
    if row["kind"] == "ERROR":
        phases = [phase for phase in phases if phase["status"] == "ERROR"]
    values = {
        "id": number(row["id"]),
        # Reports do not say in which phase it was: it is plain where only one can be meant.
        "phase": number(phases[0]["id"]) if len(phases) == 1 else None,
        "source_file": row["sourceFile"] or "",
        "source_line_no": row["sourceLine"],
        "line_no": line,
        "repeat_count": 0,
        "start": None if line is None else line - len(before.splitlines()),
        "end": None if line is None else line + len(after.splitlines()) + 1,
        "text": row["text"],
        "pre_context": before,
        "post_context": after,
    }
    return _dated(values, label, run["startedAt"], run["finishedAt"])


def build_phase(row: Row) -> Shaped:
    """A phase of any run, with its whole log."""
    values = {
        "id": number(row["id"]),
        "build": number(row["attempt"]["build"]["id"]),
        "name": row["name"],
        "status": row["status"],
        "output": None if row["log"] is None else row["log"]["text"],
        "error": None,
    }
    return _dated(values, "build-phase", row["reportedAt"], row["reportedAt"])


def compiler(row: Row) -> Shaped:
    """A compiler."""
    values = {"id": number(row["id"]), "name": row["name"], "version": row["version"]}
    return _dated(values, "compiler")


def dependency(row: Row) -> Shaped:
    """What a spec depends on, and how."""
    parent, child = row["parent"], number(row["child"]["id"])
    values = {
        "id": edge_id(number(parent["id"]), child),
        "spec": child,
        "dependency_type": [deptype.lower() for deptype in row["deptypes"]],
    }
    return _dated(values, "dependency", parent["recordedAt"], parent["recordedAt"])


def environment_variables(row: Row) -> list[Shaped]:
    """The variables of a build's newest run."""
    build_id = number(row["id"])
    return [
        _dated(
            {"id": variable_id(build_id, place), "name": variable["name"], "value": variable["value"]},
            "environment-variable", row["createdAt"], row["updatedAt"],
        )
        for place, variable in enumerate(row["environmentVariables"])
    ]  # fmt: skip


def install_file(row: Row) -> Shaped:
    """An installed file, of the first run that installed it: runs that installed the same share it."""
    of = next((run["build"] for run in row["attempts"]["nodes"]), None)
    values = {
        "id": number(row["id"]),
        "build": None if of is None else number(of["id"]),
        "name": row["path"],
        "ftype": row["type"] or "",
        "mode": row["mode"],
        "owner": row["owner"],
        "group": row["group"],
        "category": None,
        "hash": row["hash"] or "",
    }
    times = ("createdAt", "updatedAt")
    return _dated(values, "install-file", *(None if of is None else of[time] for time in times))


def features(rows: list[Row]) -> list[Shaped]:
    """The instruction sets of all targets."""
    names = {name for row in rows for name in row["features"]}
    return [_dated({"id": content_id(name), "name": name}, "feature") for name in names]


def targets(rows: list[Row]) -> list[Shaped]:
    """All targets, and those of which nothing is stored but that they are the parent of another."""
    ids = {row["name"]: number(row["id"]) for row in sorted(rows, key=lambda row: -number(row["id"]))}
    bare = {name for row in rows for name in row["parents"]} - ids.keys()
    ids |= {name: content_id(name) for name in bare}
    without: Shaped = {"vendor": None, "generation": None, "features": [], "parents": []}
    described = [(number(row["id"]), row) for row in rows]
    return [
        _dated(
            {
                "id": row_id,
                "name": row["name"],
                "vendor": row["vendor"],
                "features": [content_id(name) for name in row["features"]],
                "generation": row["generation"],
                "parents": [ids[name] for name in row["parents"]],
            },
            "target",
        )
        for row_id, row in [*described, *((ids[name], {"name": name, **without}) for name in bare)]
    ]


def spec(row: Row) -> Shaped:
    """A spec; one without a full hash shows its identity, by which `builds/new` takes it as well."""
    hashes = {shown["kind"]: shown["value"] for shown in row["hashes"]}
    spec_id, built_by = number(row["id"]), row["compiler"]
    values = {
        "id": spec_id,
        "name": row["name"],
        "spack_version": row["spackVersion"],
        "full_hash": hashes.get("full_hash", row["hash"]),
        "build_hash": hashes.get("build_hash"),
        "hash": hashes.get("hash"),
        "package_hash": row["packageHash"],
        "namespace": row["namespace"],
        "version": row["version"],
        "arch": number(row["architecture"]["id"]),
        "compiler": None if built_by is None else number(built_by["id"]),
        "parameters": row["parameters"],
        "dependencies": [
            edge_id(spec_id, number(edge["child"]["id"])) for edge in row["dependencies"]["nodes"]
        ],
    }
    return _dated(values, "spec", row["recordedAt"], row["recordedAt"])


def _dated(values: Shaped, label: str, added: str | None = None, changed: str | None = None) -> Shaped:
    return {**values, "add_date": added, "modify_date": changed or added, "label": label}
