"""Random histories of a small site: what ran, when, where, and how it ended, as plain Python knows it."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import Connection, insert

from spackmon.ingest.tables import error_groups
from spackmon.models import Attempt, BuildEvent, ErrorGroup, Phase, PhaseKind, Tag, TagSet, TagSetMember
from tests.ingest.reports import Site, spec

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
STATUSES = ("SUCCESS", "SUCCESS", "FAILED", "FAILED", "CANCELLED", "RUNNING")


@dataclass(frozen=True)
class Ran:
    """A run; `day` is None where nobody said when it was, and a cancelled one has no phase.

    `error` is the number of the error that a failed one has.
    """

    id: str
    package: str
    version: str
    target: str
    spec_hash: str
    host: str
    status: str
    day: int | None
    tag: str
    error: int | None
    seconds: float


def history(site: Site, dice: Random, runs: int, *, days: int = 12, errors: int = 3) -> list[Ran]:
    """Furnish an empty site with runs, written as rows."""
    things = [
        (
            name,
            version,
            target,
            spec(name, version, target=target, hash=name + version + recipe + target[-2:]),
        )
        for name, version in (("zlib", "1.2"), ("zlib", "1.3"), ("hdf5", "1"))
        for target in ("zen3", "zen4")
        for recipe in ("old", "new")
    ]
    builds = [
        (*thing, host, site.build(thing[3], host=host))
        for number, thing in enumerate(things)
        for host in (("n1", "n2"), ("n1",), ("n2",))[number % 3]
    ]
    machines = dict(site.rows("SELECT hostname, id FROM build_environment"))
    ran, rows = [], []
    for number in range(runs):
        name, version, target, node, host, build_id = dice.choice(builds)
        status, tag = dice.choice(STATUSES), dice.choice(("nightly", "ci"))
        day = dice.choice((None, *range(days), *range(days)))
        row = {
            "id": 1000 + number, "build_id": build_id, "number": 100 + number, "status": status,
            "environment_id": machines[host], "end_is_inferred": False, "reported_at": BEGIN,
            "started_at": None if day is None else BEGIN + timedelta(days=day),
            "duration_seconds": dice.randrange(8, 12) + (4.0 if name == "hdf5" and (day or 0) > 5 else 0.0),
        }  # fmt: skip
        rows.append(row)
        error = dice.randrange(errors) if status == "FAILED" else None
        run_id = f"Attempt:{row['id']}"
        seconds = row["duration_seconds"]
        ran.append(Ran(run_id, name, version, target, node.hash, host, status, day, tag, error, seconds))
    site.database.write_once(lambda connection: _write(connection, rows, ran, errors))
    return ran


def _write(connection: Connection, rows: list[dict[str, Any]], ran: list[Ran], errors: int) -> None:
    tag_ids = {"nightly": 1, "ci": 2}
    tagged = [{**row, "tag_set_id": tag_ids.get(run.tag, 2)} for row, run in zip(rows, ran, strict=True)]
    connection.execute(insert(Attempt), tagged)
    for name, tag_id in tag_ids.items():
        connection.execute(insert(Tag), {"id": tag_id, "name": name})
        tag_set = {"id": tag_id, "digest": name.encode(), "names": json.dumps([name])}
        connection.execute(insert(TagSet), tag_set)
        connection.execute(insert(TagSetMember), {"tag_set_id": tag_id, "tag_id": tag_id})
    kinds = {"FAILED": (101, "ERROR"), "SUCCESS": (102, "SUCCESS")}
    built = [
        {"id": number, "name": "build", "position": 101, "status": end} for number, end in kinds.values()
    ]
    connection.execute(insert(PhaseKind), built)
    phases = [
        {"attempt_id": row["id"], "place": 1, "kind_id": kinds[row["status"]][0], "reported_at": BEGIN,
         "duration_seconds": row["duration_seconds"] / 2}
        for row in rows
        if row["status"] in kinds
    ]  # fmt: skip
    connection.execute(insert(Phase), phases)
    groups = [{"id": 1 + error, "fingerprint": f"f{error}", "text": "no"} for error in range(errors)]
    connection.execute(insert(ErrorGroup), groups)
    events = [
        {"attempt_id": row["id"], "position": 1, "kind": "ERROR", "is_first": True, "text": "no",
         "error_group_id": 1 + run.error}
        for row, run in zip(rows, ran, strict=True)
        if run.error is not None
    ]  # fmt: skip
    connection.execute(insert(BuildEvent), events)
    error_groups.count_errors(connection, sorted({row["build_id"] for row in rows}))
    error_groups.recount(connection, [group["id"] for group in groups])
