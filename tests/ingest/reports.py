"""Reports to store, made by hand: small graphs whose hashes depend on all they contain, as Spack's do."""

import base64
import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import insert, text

from spackmon.database import Database
from spackmon.graph.spec import Deptype, Edge, SpecGraph, SpecNode, TargetDescription
from spackmon.ingest import store
from spackmon.ingest.receipts import BuildReceipt
from spackmon.models import Base, Person, utc_now
from spackmon.status import BuildStatus
from spackmon.submission import (
    AnalysisReport,
    BuildReport,
    Environment,
    PhaseReport,
    SpecReport,
    StatusReport,
    Submission,
)
from tests.closures import delete_all

LINK = Deptype.BUILD | Deptype.LINK


def hash_of(value: object) -> str:
    """A hash as Spack writes them: base32 of a SHA-1."""
    digest = hashlib.sha1(json.dumps(value).encode()).digest()
    return base64.b32encode(digest).decode().lower()


def spec(name: str, version: str, *children: SpecNode, target: str = "x86_64_v3", **other: Any) -> SpecNode:
    """A node of today's format that depends on `children`."""
    edges = tuple(Edge(child.hash, LINK) for child in sorted(children, key=lambda child: child.hash))
    dag_hash = hash_of([name, version, target, [edge.child for edge in edges]])
    document = json.dumps({"name": name, "version": version, "hash": dag_hash}, separators=(",", ":"))
    values: dict[str, Any] = {
        "hash": dag_hash, "hash_kind": "hash", "hashes": (("hash", dag_hash),), "document": document,
        "platform": "linux", "operating_system": "debian12", "parameters": "{}", "namespace": "builtin",
        "target": TargetDescription(target, json.dumps(target)), "compiler": ("gcc", "12.2.0"),
        **other,
    }  # fmt: skip
    return SpecNode(name=name, version=version, edges=edges, **values)


def graph(*nodes: SpecNode, format_version: int = 3) -> SpecGraph:
    """A document, its root first."""
    return SpecGraph(nodes[0].hash, format_version, {node.hash: node for node in nodes})


def spec_report(*nodes: SpecNode, spack_version: str = "0.19.0.dev0") -> SpecReport:
    """What specs/new says."""
    return SpecReport(graph(*nodes), spack_version)


def build_report(spec_hash: str, *, host: str = "node-1", **other: Any) -> BuildReport:
    """What builds/new says."""
    values: dict[str, Any] = {"tags": (), "graph": None, "announces_run": True, **other}
    environment = Environment(host, "linux", "debian12", "zen2", "#1 SMP")
    return BuildReport(spec_hash=spec_hash, environment=environment, spack_version="0.19.0.dev0", **values)


class Site:
    """A database with two people, and the words in which tests talk to the store."""

    ada = 1
    bob = 2

    def __init__(self, database: Database, *, has_people: bool = False) -> None:
        self.database = database
        if has_people:
            return
        people = [
            {"id": 1, "name": "ada", "created_at": utc_now()},
            {"id": 2, "name": "bob", "created_at": utc_now()},
        ]
        database.write_once(lambda connection: connection.execute(insert(Person), people))

    def apply(
        self, submission: Submission, person: int = ada, *, across_owners: bool = False,
        arrived_at: datetime | None = None,
    ) -> Any:  # fmt: skip
        """Store a submission in a transaction of its own; the receipt."""
        return self.database.write_once(
            lambda c: store.apply(c, submission, person, across_owners=across_owners, arrived_at=arrived_at)
        )

    def build(self, node: SpecNode, *children: SpecNode, person: int = ada, host: str = "node-1") -> int:
        """A new build of a spec; its id."""
        self.apply(spec_report(node, *children))
        receipt: BuildReceipt = self.apply(build_report(node.hash, host=host), person)
        return receipt.build_id

    def announce(self, node: SpecNode) -> None:
        """A client asks for a build that is there."""
        self.apply(build_report(node.hash))

    def phase(
        self,
        build_id: int,
        name: str,
        status: str = "SUCCESS",
        output: bytes | None = None,
        person: int = ada,
    ) -> None:
        """A phase ended."""
        self.apply(PhaseReport(build_id, name, status, output), person)

    def status(self, build_id: int, status: str, person: int = ada) -> None:
        """A build's status."""
        self.apply(StatusReport(build_id, BuildStatus(status)), person)

    def analysis(self, build_id: int, **results: Any) -> None:
        """What analyzers found."""
        self.apply(AnalysisReport(build_id, **results))

    def rows(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """What a SELECT gives."""
        return self.database.read_once(
            lambda c: [tuple(row) for row in c.execute(text(statement), parameters)]
        )

    def delete_all(self, tables: Iterable[str]) -> None:
        """Delete the rows of tables."""
        self.database.write_once(partial(delete_all, tables=tables))

    def attempts(self, build_id: int) -> list[tuple[str, list[str]]]:
        """Each attempt's status and the names of its phases."""
        attempts = self.rows("SELECT id, status FROM attempt WHERE build_id = :b ORDER BY number", b=build_id)
        phases = """
            SELECT k.name FROM phase p JOIN phase_kind k ON k.id = p.kind_id WHERE p.attempt_id = :a
            ORDER BY k.position
        """
        return [
            (status, [name for (name,) in self.rows(phases, a=attempt_id)]) for attempt_id, status in attempts
        ]

    def build_status(self, build_id: int) -> str:
        """The status that the build itself shows."""
        status: str = self.rows("SELECT status FROM build WHERE id = :b", b=build_id)[0][0]
        return status

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table."""
        return {
            table.name: sorted(self.rows(f'SELECT * FROM "{table.name}"'), key=repr)
            for table in Base.metadata.sorted_tables
        }
