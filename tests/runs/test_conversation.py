"""What requests of ms1 say of runs, by the moments at which they come."""

from spackmon.runs.claim import Claim, PhaseClaim
from spackmon.runs.conversation import (
    Conversation,
    asked_again,
    begins_another,
    following,
    with_phase,
    with_status,
)
from spackmon.status import BuildStatus, SourceKind
from tests.runs.claims import after, claim


def announced(seconds: float = 0.0) -> Claim:
    return claim(SourceKind.MS1, "series/1", is_live=True, started_at=after(seconds))


def phase(name: str, seconds: float, began_seconds: float) -> PhaseClaim:
    """A phase that comes then, with a log that says when it began by a clock of no zone."""
    mark = after(began_seconds + 7200.25).replace(tzinfo=None).isoformat()
    return PhaseClaim(name, 1, "SUCCESS", None, after(seconds), len(name), 10, mark)


def reported(one: Claim, *phases: PhaseClaim) -> Claim:
    for two in phases:
        one = with_phase(one, two, two.reported_at)
    return one


def test_phases_that_come_as_they_end_are_of_a_run_that_goes_on() -> None:
    run = reported(announced(), phase("configure", 900, 1), phase("build", 960, 901))
    assert run.is_live
    assert run.started_at == after(0)
    assert with_status(run, BuildStatus.SUCCESS, after(961)).finished_at == after(961)


def test_phases_that_come_faster_than_their_logs_took_are_of_a_run_that_was_saved() -> None:
    run = reported(announced(1000), phase("configure", 1000.1, 1), phase("build", 1000.2, 901))
    assert not run.is_live
    assert run.started_at == after(7201.25)
    assert run.time_uncertainty_seconds == 14 * 3600
    assert with_status(run, BuildStatus.SUCCESS, after(1000.3)).finished_at is None


def test_a_run_that_nobody_announced_is_known_since_its_first_phase() -> None:
    first = reported(announced(), phase("configure", 10, 1))
    talk = Conversation(with_status(first, BuildStatus.SUCCESS, after(20)))
    assert begins_another(talk, "configure")
    second = following(talk, after(920), began_at=after(920)).claim
    assert second.key == "series/2"
    assert reported(second, phase("configure", 920, 20), phase("build", 921, 920)).is_live


def test_the_words_of_the_last_announcement_are_those_of_the_next_run() -> None:
    run = Conversation(reported(announced(), phase("configure", 10, 1)))
    for seconds, tag in ((30, "once"), (60, "again")):
        run = asked_again(run, after(seconds), "0.17.0", {tag}, announces_run=True)
    assert begins_another(run, "build")
    second = following(run, after(70), began_at=after(70)).claim
    assert (second.started_at, second.tags, second.spack_version) == (after(60), {"again"}, "0.17.0")
