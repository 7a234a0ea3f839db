"""A simulated site in a database: its specs by the store, its runs as rows that the store would write."""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, insert, select

from spackmon import models
from spackmon.database import Database
from spackmon.graph.spec import SpecGraph, SpecNode
from spackmon.ingest import store
from spackmon.ingest.tables.error_groups import count_errors, recount
from spackmon.submission import SpecReport
from tests.simulator.planted.causes import Truth
from tests.simulator.planted.packages import TODAYS_FORMAT, Concrete
from tests.simulator.planted.site import Planned, Run

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_AT_ONCE = 2_000
_ALIKE = "platform", "operating_system", "target", "kernel_version"


def moment(night: float) -> datetime:
    """When a night is."""
    return BEGIN + timedelta(days=night)


def write(database: Database, planned: Planned, truth: Truth) -> None:
    """Fill an empty database."""
    owners = sorted({run.owner for run in truth.runs})
    people = [{"id": place, "name": name, "created_at": BEGIN} for place, name in enumerate(owners, 1)]
    database.write(lambda connection: connection.execute(insert(models.Person), people))
    for first in range(0, len(planned.concretized), 16):
        some = planned.concretized[first : first + 16]
        database.write(partial(_write_specs, concretized=some))
    database.write(lambda connection: _write_runs(connection, truth, owners))


def _write_specs(connection: Connection, concretized: Iterable[list[Concrete]]) -> None:
    for roots in concretized:
        nodes: dict[str, SpecNode] = {}
        for root in roots:
            for one in (root, *root.below.values()):
                nodes[one.node.hash] = one.node
        if nodes:
            names_compiler = roots[0].node.compiler is not None
            graph = SpecGraph(roots[0].node.hash, 4 if names_compiler else TODAYS_FORMAT, nodes)
            store.apply(connection, SpecReport(graph, "1.0.0"), 1)


class _Numbered:
    """Rows that runs share, numbered as they come."""

    def __init__(self) -> None:
        self.ids: dict[Any, int] = {}
        self.rows: list[dict[str, Any]] = []

    def of(self, key: Any, **row: Any) -> int:
        if key not in self.ids:
            self.ids[key] = len(self.ids) + 1
            self.rows.append({"id": self.ids[key], **row})
        return self.ids[key]


def _write_runs(connection: Connection, truth: Truth, owners: list[str]) -> None:
    package_id = models.PackageVersion.package_id
    known = select(models.Spec.hash, models.Spec.id, package_id).join(
        models.PackageVersion, models.PackageVersion.id == models.Spec.package_version_id
    )
    specs = {hash_: (spec_id, package) for hash_, spec_id, package in connection.execute(known)}
    machines, sets, groups, builds = (_Numbered() for _ in range(4))
    attempts, phases, events, variables = [], [], [], []
    for number, run in enumerate(truth.runs, 1):
        spec_id, package = specs[run.spec.node.hash]
        machine = dict(zip(_ALIKE, ("linux", run.operating_system, "x86_64_v4", "5.14"), strict=True))
        machine_id = machines.of(run.host, hostname=run.host, **machine)
        digest = hashlib.sha256(json.dumps(run.variables).encode()).digest()
        is_new = digest not in sets.ids
        set_id = sets.of(digest, digest=digest)
        if is_new:
            variables += [
                {"environment_set_id": set_id, "name": name, "value": value} for name, value in run.variables
            ]
        group_id = None
        if run.error is not None:
            group_id = groups.of(run.error, fingerprint=run.error, text=run.error)
            phases.append({"attempt_id": number, "place": 1, "kind_id": 1, "reported_at": moment(run.night)})
            events.append({"attempt_id": number, "position": 1, "kind": "ERROR", "is_first": True,
                           "text": run.error, "error_group_id": group_id})  # fmt: skip
        ended = _ended(run, machine_id, set_id)
        key = run.spec.node.hash, run.host, run.owner
        build_id = builds.of(key, spec_id=spec_id, package_id=package, owner_id=owners.index(run.owner) + 1,
                             created_at=moment(run.night))  # fmt: skip
        build = builds.rows[build_id - 1]
        build |= {**ended, "newest_attempt_id": number, "updated_at": ended["finished_at"],
                  "first_error_group_id": group_id, "runs": build.get("runs", 0) + 1}  # fmt: skip
        attempts.append({**ended, "id": number, "build_id": build_id, "number": build["runs"],
                         "end_is_inferred": False, "reported_at": ended["finished_at"],
                         "spack_version": run.spack, "first_error_group_id": group_id})  # fmt: skip
    for build in builds.rows:
        del build["runs"]
    for model, rows in (
        (models.BuildEnvironment, machines.rows), (models.EnvironmentSet, sets.rows),
        (models.EnvironmentVariable, variables), (models.Build, builds.rows), (models.Attempt, attempts),
        (models.PhaseKind, [{"id": 1, "name": "build", "position": 1, "status": "ERROR"}]),
        (models.Phase, phases), (models.ErrorGroup, groups.rows), (models.BuildEvent, events),
    ):  # fmt: skip
        for first in range(0, len(rows), _AT_ONCE):
            connection.execute(insert(model.__table__), rows[first : first + _AT_ONCE])
    count_errors(connection, list(builds.ids.values()))
    recount(connection, list(groups.ids.values()))


def _ended(run: Run, machine_id: int, set_id: int) -> dict[str, Any]:
    began = moment(run.night)
    return {
        "environment_id": machine_id, "environment_set_id": set_id, "started_at": began,
        "finished_at": began + timedelta(minutes=5), "duration_seconds": 300.0,
        "status": "SUCCESS" if run.error is None else "FAILED",
    }  # fmt: skip
