"""One thing that reaches the server: a submission, from whom, about which true run, and when."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random

from spackmon.submission import BuildReport, Submission
from tests.simulator.truth import Run


@dataclass(frozen=True, slots=True, eq=False)
class Claimant:
    """One source of one true run, the unit that may be joined with others.

    `key` is the source's own name of the run, None of an ms1 client, which has none: `name` stands for it.
    """

    run: Run
    kind: str
    key: str | None
    name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A submission that may reach the server from `earliest` on, or at that moment only (`is_live`).

    Of ms1, `build_name` is the client's name of a build: `names_build` steps learn its number, later ones
    are sent under it. A step without a claimant reports a spec.
    """

    owner: int
    claimant: Claimant | None
    submission: Submission
    earliest: float
    is_live: bool = False
    build_name: str | None = None

    def numbered(self, builds: dict[str, int]) -> Submission | None:
        """The submission with the build's number in it; None where the server never gave one."""
        if self.build_name is None or isinstance(self.submission, BuildReport):
            return self.submission
        if self.build_name not in builds:
            return None
        return replace(self.submission, build_id=builds[self.build_name])  # type: ignore[call-overload]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A step at the moment when it reaches the server."""

    moment: float
    step: Step
    number: int

    @property
    def at(self) -> datetime:
        """The moment; no two steps have one, so that a client of ms1 is recognized by when it spoke."""
        return moment(round(self.moment, 3) + self.number * 1e-6)


def arranged(steps: list[Step], dice: Random) -> list[Arrival]:
    """One order in which the steps may arrive; a fifth of what is not live arrives twice."""
    late = (0.0, 30.0, 600.0, 86400.0, 30 * 86400.0)
    arrivals = []
    for number, step in enumerate(steps):
        for _ in range(1 if step.is_live or dice.random() < 0.8 else 2):
            delay = 0.0 if step.is_live else dice.choice(late) * dice.uniform(0.1, 1.5)
            arrivals.append(Arrival(step.earliest + delay, step, number))
    return sorted(arrivals, key=lambda arrival: arrival.moment)


def moment(seconds: float) -> datetime:
    """With its zone."""
    return datetime.fromtimestamp(seconds, UTC)


UNNUMBERED = 0
"""The build of a phase or status before `numbered`."""
