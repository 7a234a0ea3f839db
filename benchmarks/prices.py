"""What one more of something costs: of a report an old client sends over HTTP, and of a predicted splice."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.data import SPACK_VERSION, Size, spec_hash
from benchmarks.databases import Loaded
from benchmarks.ingest import NEW_NODES, NODES, Graphs
from benchmarks.measure import Cost, Meter, Result, at_most, backends, median
from benchmarks.server import Server, served
from spackmon.database import Database
from spackmon.formats.installs.install_prefix import read_prefix
from spackmon.ingest import store

TOPIC = "prices"
_PERSON_ID = 1
LINES = 200
_SETTLING = 24
MACHINE = {
    "host_os": "debian12", "platform": "linux", "host_target": "zen2", "hostname": "node-07",
    "kernel_version": "6.1",
}  # fmt: skip
# PostgreSQL's CPU where the site was made larger for the first time, and 15 % above.
_TARGETS = {"graph": 8.2, "build": 3.3, "phase": 1.7, "status": None}
_NAMES = {
    "graph": f"a graph of {NODES} specs ({NEW_NODES} new)", "build": "its build",
    "phase": f"a phase with {LINES} lines of log", "status": "how it ended",
}  # fmt: skip
_SPLICE = """query ($build: ID!, $with: String!) {
  splice(build: $build, replace: "openssl", with: $with) { verdict missingSymbols { symbol } undecided }
}"""


def measure(loaded: Loaded, size: Size, *, quick: bool) -> list[Result]:
    """All of it on a copy of one database."""
    rounds = 7 if quick else 21
    with loaded.copy() as url, tempfile.TemporaryDirectory() as prefixes:
        database = Database(url)
        try:
            asked = _installed(database, Path(prefixes))
        finally:
            database.close()
        with served(url) as server:
            graphs = Graphs(size)
            # These open the connections that are measured, and settle their plans.
            list(_reports(server, Meter(server.process_id), graphs, _SETTLING))
            _ask(server, asked)
            meter = Meter(server.process_id, backends(url))
            reports = list(_reports(server, meter, graphs, rounds))
            costs = {name: median(one[name] for one in reports) for name in _NAMES}
            splices = median(meter.cost(partial(_ask, server, asked)) for _ in range(rounds))
    return [*_of_reports(loaded.name, costs), *_of_splices(loaded.name, splices)]


def _of_reports(database: str, costs: Mapping[str, Cost]) -> Iterator[Result]:
    for name, cost in costs.items():
        if database == "postgresql":
            target = _TARGETS[name]
            yield Result(
                TOPIC, database, f"{_NAMES[name]}: PostgreSQL's CPU", cost.database, "ms",
                None if target is None else at_most(target),
            )  # fmt: skip
        yield Result(TOPIC, database, f"{_NAMES[name]}: the server's CPU", cost.python, "ms")


def _of_splices(database: str, cost: Cost) -> Iterator[Result]:
    yield Result(TOPIC, database, "a splice of OpenSSL below libpq: CPU in all", cost.cpu, "ms")
    yield Result(TOPIC, database, "a splice of OpenSSL below libpq: a client waits", cost.wall, "ms")


def _reports(server: Server, meter: Meter, graphs: Graphs, rounds: int) -> Iterator[Mapping[str, Cost]]:
    """The cost of each report of a build, so many times."""
    log = "\n".join(f"checking for header {number}.h... yes" for number in range(LINES))
    for number in range(rounds):
        body = graphs.new("price")
        root = json.loads(body)["spec"]["nodes"][0]["hash"]
        build = {"full_hash": root, "spack_version": SPACK_VERSION, "tags": "price", **MACHINE}
        costs = {}
        _, costs["graph"] = meter.cost_of(partial(_post, server, "specs/new", body))
        answer, costs["build"] = meter.cost_of(partial(_post, server, "builds/new", build))
        build_id = answer["data"]["build"]["build_id"]
        phase = {
            "build_id": build_id, "phase_name": "build", "status": "SUCCESS", "output": f"{log}\n{number}"
        }  # fmt: skip
        _, costs["phase"] = meter.cost_of(partial(_post, server, "builds/phases/update", phase))
        ended = {"build_id": build_id, "status": "SUCCESS"}
        _, costs["status"] = meter.cost_of(partial(_post, server, "builds/update", ended))
        yield costs


def _post(server: Server, path: str, body: Any) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    return server.http.post(f"/ms1/{path}/", content=content, headers=headers).raise_for_status().json()


def _ask(server: Server, asked: Mapping[str, str]) -> None:
    answer = server.http.post("/graphql", json={"query": _SPLICE, "variables": asked}).json()
    if "errors" in answer or answer["data"]["splice"]["undecided"]:
        raise RuntimeError(str(answer)[:500])


# Two packages of the libraries that psycopg's wheel has: of those it is known that they are there.
def _installed(database: Database, root: Path) -> Mapping[str, str]:
    """What to ask about a prefix with libpq, and two with OpenSSL, all stored as an import does."""
    libraries = Path(psycopg.__file__).parent.parent / "psycopg_binary.libs"
    old, new = (_node("openssl", version, []) for version in ("3.0.1", "3.0.2"))
    app = _node("libpq", "16.1", [old])
    builds = {}
    openssl = ("libssl-*", "libcrypto-*")
    for node, below, patterns in ((app, [old], ("libpq-*",)), (old, [], openssl), (new, [], openssl)):
        prefix = root / node["hash"]
        _fill(prefix, [node, *below], [file for one in patterns for file in libraries.glob(one)])
        for report in read_prefix(prefix, None):
            applied = database.write(partial(store.apply, submission=report, person_id=_PERSON_ID))
            builds[node["hash"]] = applied.build_id
    return {"build": str(builds[app["hash"]]), "with": new["hash"]}


def _node(name: str, version: str, below: list[Any]) -> dict[str, Any]:
    needed = {"deptypes": ["link"], "virtuals": []}
    made = {
        "name": name, "version": version, "namespace": "prices", "parameters": {},
        "arch": {"platform": "linux", "platform_os": "debian12", "target": "x86_64"},
        "compiler": {"name": "gcc", "version": "12.2.0"},
        "dependencies": [
            {"name": one["name"], "hash": one["hash"], "parameters": needed} for one in below
        ],
    }  # fmt: skip
    return {**made, "hash": spec_hash(made)}


def _fill(prefix: Path, nodes: list[Any], files: list[Path]) -> None:
    """What Spack 0.23 leaves in a prefix."""
    (prefix / ".spack").mkdir(parents=True)
    (prefix / "lib").mkdir()
    for file in files:
        shutil.copy(file, prefix / "lib" / file.name)
    document = {"spec": {"_meta": {"version": 4}, "nodes": nodes}}
    (prefix / ".spack" / "spec.json").write_text(json.dumps(document))
    manifest = {
        str(path): {"mode": path.stat().st_mode, "owner": 0, "group": 0}
        for path in (prefix / ".spack", *(prefix / "lib").iterdir())
    }
    (prefix / ".spack" / "install_manifest.json").write_text(json.dumps(manifest))
