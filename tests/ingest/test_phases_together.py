"""Phases that are written by the same statements leave what they leave one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from spackmon.database import Database
from spackmon.database.together import Apart
from spackmon.errors import Refused
from spackmon.ingest import store
from spackmon.ingest.checking import check_database
from spackmon.models import Base
from spackmon.submission import PhaseReport
from tests.closures import delete_all
from tests.ingest.installs import START, ZLIB, after
from tests.ingest.reports import Site, build_report, spec
from tests.properties import examples
from tests.simulator.dump import canonical_dump, differences

HDF5 = spec("hdf5", "1.14", ZLIB)
_LOGS = (
    None, b"", b"make\n", b"make all\n", b"x.c:3:5: error: 'y' undeclared\n", b"x.c:9:1: warning: unused\n",
    b"==> [2026-03-01-09:00:00.123456] 'make'\n",
)  # fmt: skip
_REFUSED = "a NUL \0, which no database takes"
# Two of one package, one of a package that depends on it, one of somebody else, and numbers of none.
_OF_BOB = 3
_UNKNOWN = (4, 5, 6)

Sent = tuple[PhaseReport, int]


@dataclass(frozen=True)
class Round:
    """Phases that arrive at once, and what is reported of builds before them."""

    before: Sequence[tuple[int, str]]
    phases: Sequence[tuple[int, str, str, bytes | None, int]]


_PHASES = st.tuples(
    st.sampled_from([0, 0, 0, 1, 1, 2, 2, _OF_BOB, *_UNKNOWN]),
    st.sampled_from(["configure", "build", "install"] * 5 + [_REFUSED]),
    st.sampled_from(["SUCCESS", "ERROR"]), st.sampled_from(_LOGS),
    st.sampled_from([Site.ada] * 6 + [Site.bob]),
)  # fmt: skip
_BEFORE = st.tuples(st.sampled_from([0, 1, 2]), st.sampled_from(["SUCCESS", "FAILED", "announce"]))
_ROUNDS = st.builds(Round, st.lists(_BEFORE, max_size=2), st.lists(_PHASES, min_size=2, max_size=8))


@pytest.mark.hypothesis
def test_together_is_as_one_after_the_other(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    @examples(8, is_sqlite=database.is_sqlite)
    @given(st.lists(_ROUNDS, min_size=1, max_size=3))
    def check(rounds: list[Round]) -> None:
        answers, dump = _after(database, rounds, _alone, monkeypatch)
        answers_together, dump_together = _after(database, rounds, _together, monkeypatch)
        assert answers_together == answers
        assert differences(dump_together, dump) == {}
        found = [one.differences for one in check_database(database, repair=False)]
        assert not any(number for one in found for number in one.values())

    check()


def _after(database: Database, rounds: Sequence[Round], write: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(store, "utc_now", lambda: START)
    with database.engine.begin() as connection:
        delete_all(connection, [table.name for table in reversed(Base.metadata.sorted_tables)])
    site = Site(database)
    builds = [
        site.build(ZLIB), site.build(ZLIB, host="node-2"), site.build(HDF5, ZLIB),
        site.build(HDF5, ZLIB, person=Site.bob), 99_999, -1, 2**63,
    ]  # fmt: skip
    answers = []
    for number, one in enumerate(rounds):
        # What arrives together has one moment.
        monkeypatch.setattr(store, "utc_now", partial(after, 100 + 100 * number))
        for place, said in one.before:
            if said == "announce":
                hosts = ("node-1", "node-2", "node-1")
                site.apply(build_report((ZLIB, ZLIB, HDF5)[place].hash, host=hosts[place]))
            else:
                site.status(builds[place], said)
        answers += write(site, [(PhaseReport(builds[place], *rest), who) for place, *rest, who in one.phases])
    answers = [(a, builds.index(b), *rest) for a, b, *rest in answers]
    return answers, database.read_once(canonical_dump)


def _alone(site: Site, sent: Sequence[Sent]) -> list[Any]:
    return [_one(site, report, person) for report, person in sent]


def _one(site: Site, report: PhaseReport, person: int) -> Any:
    try:
        return _answer(site.apply(report, person))
    except Refused as refused:
        return str(refused.code), report.build_id


def _answer(receipt: Any) -> Any:
    return receipt.name, receipt.build_id, receipt.status, receipt.spec_hash, receipt.spec_name


def _together(site: Site, sent: Sequence[Sent]) -> list[Any]:
    """As a process writes what waits for it: no build twice in a transaction."""
    if not sent:
        return []
    some: list[Sent] = []
    for one in sent:
        if one[0].build_id in {report.build_id for report, _ in some}:
            break
        some.append(one)
    try:
        receipts = site.database.write_once(lambda connection: store.apply_phases(connection, some))
    except (Refused, Apart):
        receipts = [None] * len(some)
    answers = [
        _one(site, *one) if receipt is None else _answer(receipt)
        for one, receipt in zip(some, receipts, strict=True)
    ]
    return answers + _together(site, sent[len(some) :])


def test_many_phases_take_as_many_statements_as_two(site: Site) -> None:
    nodes = [spec(f"p{number}", "1.0") for number in range(11)]
    builds = [site.build(node) for node in nodes]

    def statements(build_ids: Sequence[int]) -> list[str]:
        sent = [(PhaseReport(one, "build", "ERROR", b"make: *** [all] Error 1\n%d" % one), Site.ada)
                for one in build_ids]  # fmt: skip
        seen: list[str] = []

        def executed(_: Any, __: Any, statement: str, *___: Any) -> None:
            seen.append(statement)

        engine = site.database.engine
        event.listen(engine, "before_cursor_execute", executed)
        try:
            receipts = site.database.write_once(lambda connection: store.apply_phases(connection, sent))
        finally:
            event.remove(engine, "before_cursor_execute", executed)
        assert [receipt and receipt.build_id for receipt in receipts] == list(build_ids)
        return seen

    # The first phase of a kind makes that, too.
    statements(builds[9:])
    assert statements(builds[2:9]) == statements(builds[:2])
