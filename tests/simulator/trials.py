"""One history after another: delivered in several orders to fresh databases, judged, and compared."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from sqlalchemy import insert

from spackmon.database import Database
from spackmon.models import Person
from tests.simulator import reading
from tests.simulator.arriving import Delivered, deliver
from tests.simulator.claims import Claims, claims_of
from tests.simulator.dump import canonical_dump, differences
from tests.simulator.histories import OWNERS, history
from tests.simulator.judging import Verdict, judge
from tests.simulator.steps import Arrival, Step, arranged
from tests.simulator.telling import told
from tests.simulator.truth import History
from tests.simulator.without_database import Claimed

Fresh = Callable[[], AbstractContextManager[Database]]
"""Opens a new migrated database."""


def try_history(happened: History, dice: Random, fresh: Fresh, orders: int) -> Verdict:
    """Deliver a history in so many orders, each to a database that `fresh` opens, and judge each."""
    return try_steps(told(happened, dice), dice, fresh, orders)


def try_steps(steps: list[Step], dice: Random, fresh: Fresh, orders: int) -> Verdict:
    """The same of what is reported already."""
    verdict = Verdict()
    first = None
    for _ in range(orders):
        arrivals = arranged(steps, dice)
        with fresh() as database:
            people(database)
            delivered = deliver(database, arrivals)
            claims = _claims(arrivals, delivered)
            stored = database.read_once(reading.attempts)
            dump = database.read_once(canonical_dump)
        verdict.add(judge(stored, claims, delivered))
        if first is None:
            first = dump
        else:
            verdict.note("other orders")
            if tables := differences(first, dump):
                differing = [f"{table} ({', '.join(columns)})" for table, columns in tables.items()]
                verdict.note("order differences", "; ".join(differing))
                for table in tables:
                    verdict.note(f"order: {table}")
    return verdict


def people(database: Database) -> None:
    """The persons who report."""
    rows = [{"id": owner, "name": f"person-{owner}", "created_at": datetime.now(UTC)} for owner in OWNERS]
    database.write_once(lambda connection: connection.execute(insert(Person), rows))


def _claims(arrivals: list[Arrival], delivered: Delivered) -> Claims:
    """Of what was taken; what was refused is counted by itself."""
    return claims_of(
        (arrival.moment, arrival.step.claimant, arrival.step.submission)
        for arrival in arrivals
        if arrival.step.claimant is not None and arrival.at in delivered.moments
    )


def try_seed(seed: int, fresh: Fresh, orders: int) -> Verdict:
    """The verdict over the history of a seed, which its examples name."""
    dice = Random(seed)
    return _named(seed, try_history(history(dice), dice, fresh, orders))


def resolve_seed(seed: int) -> Verdict:
    """The same of one order, resolved without a database."""
    dice = Random(seed)
    claimed = Claimed()
    arrivals = arranged(told(history(dice), dice), dice)
    claimed.take(arrivals)
    claims = _claims(arrivals, claimed.delivered)
    return _named(seed, judge(claimed.attempts(), claims, claimed.delivered))


def _named(seed: int, verdict: Verdict) -> Verdict:
    for what, examples in verdict.examples.items():
        verdict.examples[what] = [f"[{seed}] {example}" for example in examples]
    return verdict


def copies_of(template: Path, directory: Path) -> Fresh:
    """Opens copies of a migrated SQLite file, one at a time."""

    @contextmanager
    def fresh() -> Iterator[Database]:
        path = directory / "history.db"
        shutil.copy(template, path)
        database = Database(f"sqlite:///{path}")
        try:
            yield database
        finally:
            database.close()
            for left in directory.glob("history.db*"):
                left.unlink()

    return fresh
