"""A site whose people report for everybody, for all who are known, or for a group."""

import json
import random
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, insert, update

from spackmon.auth.groups import add_group, add_member, set_default_visibility
from spackmon.database import Database
from spackmon.formats.advisories import defect_of, read_advisories
from spackmon.graph.spec import SpecNode
from spackmon.ingest.specs import specs as storing_specs
from spackmon.ingest.tables.advisories import put_defect
from spackmon.models import Person, ReportedChange
from spackmon.status import CiProvider, Visibility
from spackmon.submission import CiJob, InstallReport, Submission
from tests.ingest.reports import Site, spec_report
from tests.query.installs import install_report
from tests.reference import site as reference

ADA, BOB, CAROL, DAVE = 1, 2, 3, 4
"""Ada reports for everybody, Carol for all who are known, Bob for a group that Dave is in, too."""

_BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)


class _Told(Site):
    """What one person reports, at moments that do not depend on what others did."""

    def __init__(self, database: Database, person: int) -> None:
        super().__init__(database, has_people=True)
        self.ada = self.bob = self._person = person
        self._moment = _BEGIN + timedelta(days=person)

    def apply(self, submission: Submission, person: int = 0, **other: Any) -> Any:
        self._moment += timedelta(seconds=61)
        if isinstance(submission, InstallReport):
            number = self._moment.second % 5
            job = CiJob(CiProvider.GITLAB, f"group/{self._person % 2}", str(number), job_id=str(number))
            submission = replace(submission, ci_job=job if number else None)
        with patch.object(storing_specs, "utc_now", lambda: self._moment):
            return super().apply(submission, self._person, arrived_at=self._moment)


def furnish(database: Database, people: Collection[int]) -> None:
    """Fill an empty database with what these people report, after each other."""
    database.write_once(_people)
    for content in reference.ADVISORIES:
        (advisory,) = read_advisories(json.dumps(content).encode(), {})
        database.write_once(partial(put_defect, defect=defect_of(advisory), now=_BEGIN))
    dice = random.Random(11)
    known: list[SpecNode] = []
    for number in range(16):
        known.append(reference._spec(dice, number, known))
    for person in (ADA, CAROL, BOB):
        if person in people:
            _tell(_Told(database, person), known)
        if person == ADA:
            database.write_once(reference._merge)
            database.write_once(reference._say)
    database.write_once(_set_clocks)


def _people(connection: Connection) -> None:
    names = {ADA: "ada", BOB: "bob", CAROL: "carol", DAVE: "dave"}
    people = [{"id": person, "name": name, "created_at": _BEGIN} for person, name in names.items()]
    connection.execute(insert(Person), people)
    add_group(connection, "secret")
    for name in ("bob", "dave"):
        add_member(connection, "secret", name)
    set_default_visibility(connection, "bob", Visibility.PRIVATE, "secret")
    set_default_visibility(connection, "carol", Visibility.INTERNAL)


def _set_clocks(connection: Connection) -> None:
    """What was noted when it was written, and not when it was reported."""
    connection.execute(update(ReportedChange).values(changed_at=_BEGIN))


def _tell(site: _Told, known: list[SpecNode]) -> None:
    dice = random.Random(site._person)
    # Some are everybody's, some one person's alone.
    mine = [node for place, node in enumerate(known) if place % 3 != site._person % 3 or place % 7 == 0]
    for node in mine:
        report = spec_report(*reference._graph(node, known), spack_version="0.17.0")
        form = reference._format_version(node)
        site.apply(replace(report, graph=replace(report.graph, format_version=form)))
    for node in dice.choices(mine, k=8):
        reference._build(site, dice, node)
    for number in range(6):
        spec_hash = dice.choice([None, dice.choice(mine).hash])
        site.apply(install_report(dice, number, spec_hash))
    for node in mine[:4]:
        asked = f"{node.name}@={node.version} %gcc@{site._person}"
        site.apply(reference.ConcretizationFailureReport(node.name, None, "1.2.0", asked, "no way"))
    reference._lock(site, dice, known)
    reference._cache(site, dice, known)
