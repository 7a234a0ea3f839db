"""Random histories of a small site: what ran, when, where, and how it ended, as plain Python knows it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from sqlalchemy import Connection, insert

from spackmon.models import Attempt, Phase, Tag, attempt_tag
from tests.ingest.reports import Site, spec

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
STATUSES = ("SUCCESS", "SUCCESS", "FAILED", "FAILED", "CANCELLED", "RUNNING")


@dataclass(frozen=True)
class Ran:
    """A run; `day` is None where nobody said when it was, and a cancelled one has no phase."""

    id: str
    package: str
    version: str
    target: str
    spec_hash: str
    host: str
    status: str
    day: int | None
    tag: str
    seconds: float | None = None


def history(site: Site, dice: Random, runs: int) -> list[Ran]:
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
    (environment_id,) = {row for (row,) in site.rows("SELECT min(id) FROM build_environment")}
    ran, rows = [], []
    for number in range(runs):
        name, version, target, node, host, build_id = dice.choice(builds)
        status, tag = dice.choice(STATUSES), dice.choice(("nightly", "ci"))
        day = dice.choice((None, *range(12)))
        began = None if day is None else BEGIN + timedelta(days=day)
        row = {
            "id": 1000 + number, "build_id": build_id, "number": 100 + number, "status": status,
            "environment_id": environment_id, "started_at": began, "end_is_inferred": False,
            "reported_at": BEGIN,
        }  # fmt: skip
        rows.append(row)
        ran.append(Ran(f"Attempt:{row['id']}", name, version, target, node.hash, host, status, day, tag))
    site.database.write_once(lambda connection: _write(connection, rows, ran))
    return ran


def _write(connection: Connection, rows: list[dict[str, object]], ran: list[Ran]) -> None:
    connection.execute(insert(Attempt), rows)
    connection.execute(insert(Tag), [{"id": 1, "name": "nightly"}, {"id": 2, "name": "ci"}])
    tags = [
        {"attempt_id": row["id"], "tag_id": 1 if run.tag == "nightly" else 2}
        for row, run in zip(rows, ran, strict=True)
    ]
    connection.execute(insert(attempt_tag), tags)
    phases = [
        {"attempt_id": row["id"], "name": "build", "position": 1, "status": "ERROR", "reported_at": BEGIN}
        for row in rows
        if row["status"] == "FAILED"
    ]
    connection.execute(insert(Phase), phases)
