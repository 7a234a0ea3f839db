"""Puts arrivals into a database, each at its own moment of the server's clock."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from spackmon.database import Database
from spackmon.errors import Refused
from spackmon.ingest import store
from spackmon.models import columns
from tests.simulator.steps import Arrival, Claimant, Step, moment


@contextmanager
def clock(now: Callable[[], datetime]) -> Iterator[None]:
    """Let every module of the service read another clock."""
    real = columns.utc_now
    readers = [
        module
        for name, module in list(sys.modules.items())
        if name.startswith("spackmon.") and getattr(module, "utc_now", None) is real
    ]
    for module in readers:
        module.utc_now = now  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for module in readers:
            module.utc_now = real  # type: ignore[attr-defined]


@dataclass(slots=True)
class Delivered:
    """What happened to the steps: at which moments each claimant spoke, and what was refused."""

    moments: dict[datetime, Claimant] = field(default_factory=dict)
    refused: list[tuple[Step, str]] = field(default_factory=list)
    sent: int = 0

    @property
    def claimants(self) -> set[Claimant]:
        """Those of whom something was taken."""
        return set(self.moments.values())


def deliver(database: Database, arrivals: list[Arrival]) -> Delivered:
    """Everything in one transaction, each step in a savepoint of its own: what is refused leaves no trace."""
    delivered = Delivered()
    database.write_once(lambda connection: _deliver(connection, arrivals, delivered))
    return delivered


def _deliver(connection: Connection, arrivals: list[Arrival], delivered: Delivered) -> None:
    builds: dict[str, int] = {}
    now = moment(0)
    with clock(lambda: now):
        for arrival in arrivals:
            now = arrival.at
            step = arrival.step
            submission = step.numbered(builds)
            if submission is None:
                continue
            delivered.sent += 1
            try:
                with connection.begin_nested():
                    receipt: Any = store.apply(connection, submission, step.owner)
            except Refused as refused:
                delivered.refused.append((step, f"{refused.code}: {refused.sentence}"))
                continue
            if step.build_name is not None and hasattr(receipt, "build_created"):
                builds[step.build_name] = receipt.build_id
            if step.claimant is not None:
                delivered.moments[now] = step.claimant
