"""Which claims are of one run: by examples, and by what holds of any set of claims."""

import dataclasses
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spackmon.runs.claim import Claim, Machine, PhaseClaim
from spackmon.runs.evidence import contradict
from spackmon.runs.facts import run_of
from spackmon.runs.resolve import may_decide, resolve
from spackmon.status import BuildStatus, EventKind, SourceKind
from tests.runs.claims import HERE, after, claim, claims

SUCCESS, FAILED = BuildStatus.SUCCESS, BuildStatus.FAILED
RUN = {"status": SUCCESS, "started_at": after(0), "finished_at": after(60)}
MARK = "2026-05-01T12:00:01.500000"


def extension(key: str = "run", **facts: object) -> Claim:
    return claim(SourceKind.EXTENSION, key, **{**RUN, **facts})


def database(key: str = "row", **facts: object) -> Claim:
    return claim(SourceKind.INSTALL_DATABASE, key, **{
        "status": SUCCESS, "finished_at": after(61), "machine": Machine(), **facts,
    })  # fmt: skip


def phase(name: str = "build", **facts: object) -> PhaseClaim:
    values = {"status": "SUCCESS", "duration_seconds": None, "reported_at": after(0), **facts}
    return PhaseClaim(name=name, position=1, **values)  # type: ignore[arg-type]


def together(*given: Claim) -> bool:
    """Whether all are one run, from whichever end they are looked at."""
    groups = [resolve(order) for order in (given, given[::-1])]
    assert [[c.name for c in group] for group in groups[0]] == [
        [c.name for c in group] for group in groups[1]
    ]
    return len(groups[0]) == 1


def moved(one: Claim, seconds: float) -> Claim:
    times = {name: getattr(one, name) for name in ("started_at", "finished_at")}
    shifted = {name: at + (after(seconds) - after(0)) for name, at in times.items() if at is not None}
    return dataclasses.replace(one, **shifted)


@given(claims(), st.randoms(use_true_random=False))
def test_the_order_of_claims_does_not_matter(given: list[Claim], dice: random.Random) -> None:
    shuffled = dice.sample(given, len(given))
    assert resolve(shuffled) == resolve(given)


@given(claims())
def test_each_claim_is_of_one_run_and_no_two_claims_of_a_run_contradict_each_other(
    given: list[Claim],
) -> None:
    groups = resolve(given)
    assert sorted(c.id for group in groups for c in group) == sorted(c.id for c in given)
    for group in groups:
        assert not any(contradict(one, other) for one in group for other in group)


@given(claims(), claims())
def test_claims_that_agree_with_none_of_a_group_change_nothing_of_it(
    one: list[Claim], other: list[Claim]
) -> None:
    """What the store relies on when it loads only what a claim can touch."""
    names = {c.name for c in one}
    strangers = [c for c in other if c.name not in names and not any(may_decide(c, mine) for mine in one)]
    groups = [group for group in resolve([*one, *strangers]) if group[0].name in names]
    assert groups == resolve(one)


@given(claims())
def test_what_a_run_was_does_not_depend_on_the_order_either(given: list[Claim]) -> None:
    for group in resolve(given):
        run, again = run_of(group), run_of(group[::-1])
        assert dataclasses.replace(again, claims=run.claims) == run
        times = run.times
        assert times.started_at is None or times.finished_at is None or times.started_at <= times.finished_at
        if run.status in (SUCCESS, FAILED, BuildStatus.CANCELLED):
            assert times.finished_at is not None


@pytest.mark.parametrize("days", [0.5, 1, 7, 30])
def test_runs_of_one_spec_whose_times_do_not_touch_are_two(days: float) -> None:
    assert together(extension(), database())
    assert not together(extension(), moved(database(), days * 86400))


@pytest.mark.parametrize("fact", [
    {"spack_version": "0.17.0"}, {"spack_revision": "1234567"}, {"owner_id": 2}, {"prefix": "/opt/b"},
    {"spec_id": 2}, {"machine": dataclasses.replace(HERE, hostname="node-2")}, {"status": FAILED},
], ids=str)  # fmt: skip
def test_facts_that_both_know_and_that_differ_contradict(fact: dict[str, object]) -> None:
    known = extension(spack_version="0.23.0 (eedc41405b59)", spack_revision="eedc41405b59", prefix="/opt/a")
    agreeing = {"spack_version": "0.23.0", "spack_revision": "eedc414", "prefix": "/opt/a/"}
    assert together(known, database(**agreeing))
    assert not together(known, database(**{**agreeing, **fact}))


def test_a_claim_that_fits_two_runs_equally_well_is_of_neither() -> None:
    on_two = [extension(name, machine=dataclasses.replace(HERE, hostname=name)) for name in ("a", "b")]
    assert len(resolve([*on_two, database()])) == 3
    later = moved(on_two[1], 600)
    assert len(resolve([on_two[0], later, database()])) == 2


def test_a_run_without_an_end_is_of_what_ended_when_it_was_last_heard_of_and_of_nothing_later() -> None:
    cut = extension(
        status=BuildStatus.RUNNING, finished_at=None, phases=(phase(duration_seconds=50.0),)
    )  # fmt: skip
    assert together(cut, database(finished_at=after(61)))
    assert not together(cut, database(finished_at=after(1800)))
    # Where the begin is known, it is the same or another.
    install = claim(SourceKind.PREFIX, "p", status=SUCCESS, started_at=after(0), finished_at=after(1800))
    assert together(cut, install)
    assert not together(cut, moved(install, 600))


def test_a_phase_that_failed_is_an_end() -> None:
    broken = extension(
        status=BuildStatus.RUNNING, finished_at=None, phases=(phase(status="ERROR", duration_seconds=50.0),)
    )  # fmt: skip
    assert not together(broken, database(finished_at=after(55)))
    assert together(broken, claim(SourceKind.STAGE, "s", status=FAILED, finished_at=after(51)))


def test_ends_that_differ_are_of_two_runs_however_near_the_others_begin() -> None:
    assert not together(extension(finished_at=after(6000)), database(finished_at=after(-100)))
    short = extension("short", started_at=after(0), finished_at=after(5))
    prefix = claim(SourceKind.PREFIX, "p", status=SUCCESS, started_at=after(70), finished_at=after(900))
    assert not together(short, prefix)


def test_a_local_time_of_no_zone_shows_no_run_unless_the_logs_do() -> None:
    log = phase(log_id=1, log_bytes=50, mark=MARK)
    prefix = claim(
        SourceKind.PREFIX, "p", status=SUCCESS, finished_at=after(7200), phases=(log,),
        time_uncertainty_seconds=14 * 3600.0,
    )  # fmt: skip
    assert not together(prefix, database())
    assert together(prefix, extension(phases=(log,)))
    # Nor does a clock that was read an hour after the run.
    assert together(extension(phases=(log,)), claim(
        SourceKind.PREFIX, "p", status=SUCCESS, started_at=after(3600), finished_at=after(3660),
        phases=(log,),
    ))  # fmt: skip


def test_two_reports_of_commands_are_of_one_that_began_when_both_say() -> None:
    upload = claim(
        SourceKind.CDASH, "site", status=SUCCESS, started_at=after(0), finished_at=after(4000),
        time_uncertainty_seconds=3600.0, times_enclose_run=True,
    )  # fmt: skip
    file = dataclasses.replace(upload, kind=SourceKind.JUNIT, key="file", machine=Machine())
    assert together(upload, file)
    assert not together(upload, moved(file, 300))


def test_the_interval_of_a_command_encloses_its_runs() -> None:
    upload = claim(
        SourceKind.CDASH, "site", status=SUCCESS, started_at=after(-100), finished_at=after(-90),
        spec_id=None,
        machine=Machine("cluster", "linux", "", "zen2", "6.1"), times_enclose_run=True,
        time_uncertainty_seconds=300.0,
    )  # fmt: skip
    assert together(upload, extension(finished_at=after(1)))
    assert not together(upload, moved(extension(), 3600))
    # Nobody saw a command end that is imported: after its packages' seconds another one may have run.
    later = moved(extension(finished_at=after(1)), 200)
    assert together(upload, later)
    assert not together(dataclasses.replace(upload, time_uncertainty_seconds=3600.0), later)
    assert len(resolve([upload, extension(), extension("other", spec_id=2)])) == 3


def test_what_is_installed_now_belongs_to_the_last_success() -> None:
    runs = [extension("1"), moved(extension("2"), 900), moved(extension("3", status=FAILED), 1800)]
    prefix = claim(SourceKind.PREFIX, "p", status=SUCCESS)
    groups = resolve([*runs, prefix])
    assert [[c.key for c in group] for group in groups] == [["1"], ["2", "p"], ["3"]]
    # What was seen before a run ended was not left by it.
    early = dataclasses.replace(prefix, first_reported_at=after(300), last_reported_at=after(300))
    assert [[c.key for c in group] for group in resolve([*runs, early])] == [["1", "p"], ["2"], ["3"]]


def test_of_two_successes_within_the_skew_of_clocks_the_prefix_is_of_the_last() -> None:
    first = extension("1", started_at=after(0), finished_at=after(1))
    last = extension("2", started_at=after(67), finished_at=after(69))
    prefix = claim(SourceKind.PREFIX, "p", status=SUCCESS, finished_at=after(69))
    assert [[c.key for c in group] for group in resolve([first, last, prefix])] == [["1"], ["2", "p"]]
    # Its times mean the first run, or the last one had not ended: it may be of either.
    for facts in ({"finished_at": after(1)}, {"first_reported_at": after(60)}):
        assert len(resolve([first, last, dataclasses.replace(prefix, **facts)])) == 3
    elsewhere = dataclasses.replace(last, machine=dataclasses.replace(HERE, hostname="node-2"))
    anywhere = dataclasses.replace(prefix, machine=Machine())
    assert len(resolve([first, elsewhere, anywhere])) == 3


def test_a_saved_run_that_is_uploaded_twice_and_imported_is_one_by_the_times_in_its_logs() -> None:
    log = phase(log_id=1, log_bytes=50, mark=MARK)
    uploads = [
        claim(SourceKind.MS1, f"s/{n}", status=SUCCESS, is_live=True, started_at=after(n * 86400),
              finished_at=after(n * 86400 + 1), phases=(log,))
        for n in (1, 2)
    ]  # fmt: skip
    saved = claim(SourceKind.MS1, "saved/x", started_at=after(0), status=SUCCESS, phases=(log,))
    assert together(*uploads, saved)
    other = dataclasses.replace(
        uploads[1], phases=(dataclasses.replace(log, mark=MARK[:-1] + "1", log_id=2),)
    )
    assert not together(uploads[0], other)


def test_phases_of_an_upload_stand_as_they_ran_and_not_as_their_files_are_named() -> None:
    names = ("install", "build", "odd", "edit")
    phases = tuple(
        dataclasses.replace(phase(name), position=position, mark=MARK if name == "install" else None)
        for position, name in enumerate(names, 1)
    )
    live = claim(SourceKind.MS1, "s/1", is_live=True, phases=phases, **RUN)
    late = dataclasses.replace(live, is_live=False)
    orders = [[one.name for one in run_of((reported,)).phases] for reported in (live, late)]
    assert orders == [list(names), ["edit", "build", "install", "odd"]]


def test_errors_and_warnings_are_each_of_the_first_source_that_has_any() -> None:
    errors = claim(SourceKind.CDASH, "c", id=1, event_kinds=frozenset({EventKind.ERROR}), **RUN)
    both = extension(id=2, event_kinds=frozenset(EventKind))
    assert run_of((errors, both)).events_of == {EventKind.ERROR: 1, EventKind.WARNING: 2}
    assert run_of((extension(id=3), database(id=4))).events_of == {}


def test_what_a_person_says_of_two_claims_stands_above_all() -> None:
    one, other = extension(), moved(extension("other"), 86400)
    pair = frozenset({one.name, other.name})
    assert len(resolve([one, other], {pair: True})) == 1
    near = database()
    assert len(resolve([one, near], {frozenset({one.name, near.name}): False})) == 2


def test_start_end_and_duration_of_a_run_are_of_one_clock() -> None:
    upload = claim(
        SourceKind.CDASH, "site", status=SUCCESS, started_at=after(-100), finished_at=after(-90),
        spec_id=None,
        times_enclose_run=True, time_uncertainty_seconds=300.0,
    )  # fmt: skip
    (run,) = map(run_of, resolve([upload, extension(duration_seconds=58.5), database()]))
    times = run.times
    assert (times.started_at, times.finished_at, times.duration_seconds) == (after(0), after(60), 58.5)
    (run,) = map(run_of, resolve([upload, database(finished_at=after(2))]))
    assert (run.times.started_at, run.times.finished_at, run.times.duration_seconds) == (
        after(-100), after(2), None,
    )  # fmt: skip


def test_an_end_that_nobody_reported_is_when_the_run_was_last_heard_of() -> None:
    broken = claim(
        SourceKind.MS1, "s/1", is_live=True, status=BuildStatus.RUNNING, started_at=after(0),
        phases=(phase(status="ERROR", reported_at=after(30)),),
    )  # fmt: skip
    run = run_of((broken,))
    assert (run.status, run.times.finished_at, run.times.end_is_inferred) == (FAILED, after(30), True)
