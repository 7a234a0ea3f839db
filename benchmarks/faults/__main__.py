"""`python -m benchmarks.faults`: recorded Spack clients report, and nobody notices what goes wrong meanwhile.

One fault after another is made, in an order of chance, while the clients report by the nginx that is shipped.
Then what each session left is compared with what a session left before there was a fault.
"""

import argparse
import math
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults import made
from benchmarks.faults.clients import CAPTURES, Client, Session, play, reporting, session_of
from benchmarks.faults.site import Site, site
from benchmarks.faults.verdict import Wrong, judge, left_by
from tests.server import USER

_AFTER_FAULT_SECONDS = 3.0
# Above all that clients have.
_FIRST_QUIET = 999_000
_QUIET_TURNS = 1
_SHOWN = 8


@dataclass(slots=True)
class Period:
    """A fault and what followed it, up to the next."""

    name: str
    began_at: float
    done: str = ""
    phases: list[float] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)

    def row(self) -> str:
        """A line of the table."""
        slowest = f"{max(self.phases, default=0):.1f}"
        return f"| {self.name} | {self.done} | {len(self.phases)} | {slowest} | {len(self.deaths)} |"


def main() -> int:
    """Print what each fault cost; 1 if anything was lost, twice there, or a client died of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of the names of faults; all if none is given")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="postgresql")
    parser.add_argument("--clients", type=int, default=100, help="how many at once (default 100)")
    parser.add_argument("--seconds", type=float, default=0, help="for so long; 0: each fault once")
    parser.add_argument(
        "--pause-seconds",
        type=float,
        default=0,
        help="between two requests of a client, the mean (default 0)",
    )
    parser.add_argument("--quiet-seconds", type=float, default=6, help="before the first fault (default 6)")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the faults (default 1)")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="spackmon-faults-") as directory,
        site(asked.database, Path(directory)) as found,
    ):
        quiet = _quiet(found)
        print(
            f"{asked.database}: {asked.clients} clients of {len(found.services)} services, which build for "
            f"{asked.pause_seconds:g} s between two requests; the machine's load is "
            f"{os.getloadavg()[0]:.1f}\n\n"
            "| fault | done | updates of phases | the longest, s | clients died |\n|---|---|---|---|---|",
            flush=True,
        )
        periods, sessions = _under_faults(found, asked)
        found.settle()
        return _judged(found, periods, sessions, quiet)


def _clients(found: Site, count: int, pause_seconds: float = 0.0) -> list[Client]:
    fronts = found.fronts
    return [
        Client(number, fronts[number % len(fronts)], USER, found.token, pause_seconds)
        for number in range(count)
    ]


def _quiet(found: Site) -> list[Session]:
    """What one client meets alone."""
    (client,) = _clients(found, 1)
    sessions = [
        play(client, capture, number, session_of(capture, number))
        for number, capture in enumerate(CAPTURES * _QUIET_TURNS, _FIRST_QUIET)
    ]
    if dead := [session.death for session in sessions if not session.is_whole]:
        raise RuntimeError(f"a client died before there was a fault: {dead[0]}")
    return sessions


def _under_faults(found: Site, asked: argparse.Namespace) -> tuple[list[Period], list[Session]]:
    luck = random.Random(asked.seed)
    chosen = dict(made.of(asked.database, asked.names))
    last = [name for name in chosen if name in made.LAST[asked.database]]
    first = [name for name in chosen if name not in last]
    luck.shuffle(first)
    periods: list[Period] = []
    with reporting(_clients(found, asked.clients, asked.pause_seconds)) as clients:
        began_at = time.monotonic()
        periods.append(Period("none", began_at, f"for {asked.quiet_seconds:g} s"))
        time.sleep(asked.quiet_seconds)
        turns = iter(first)
        while (name := next(turns, None)) is not None or time.monotonic() < began_at + asked.seconds:
            periods.append(_made(found, name or luck.choice(first), chosen))
        periods += [_made(found, name, chosen) for name in last]
        periods.append(Period("none", time.monotonic(), "the clients finish, without pauses"))
    return periods, clients.sessions


def _made(found: Site, name: str, chosen: dict[str, made.Fault]) -> Period:
    period = Period(name, time.monotonic())
    period.done = chosen[name](found)
    print(f"made: {name}", file=sys.stderr, flush=True)
    found.wait_until_ready()
    time.sleep(_AFTER_FAULT_SECONDS)
    return period


def _judged(found: Site, periods: list[Period], sessions: list[Session], quiet: list[Session]) -> int:
    wrong = Wrong()
    url = found.services[0].url
    whole = {one.capture: left_by(url, one.capture, one.number) for one in quiet[: len(CAPTURES)]}
    for session in sessions:
        left = left_by(url, session.capture, session.number)
        judge(wrong, session, left, whole[session.capture])
        for sent_at, seconds in session.phases:
            _period_of(periods, sent_at).phases.append(seconds)
        if session.death is not None:
            _period_of(periods, session.ended_at).deaths.append(session.death)
    for period in periods:
        print(period.row())
    print(_waits(periods, sessions, quiet))
    deaths = [death for period in periods for death in period.deaths]
    print(
        f"{len(deaths)} clients died; {len(wrong.lost)} acknowledged writes lost, "
        f"{len(wrong.duplicates)} duplicates; {_tracebacks(found)} tracebacks in the logs"
    )
    for death, count in Counter(death[:300] for death in deaths).most_common(_SHOWN):
        print(f"  {count} × {death}")
    for one in (wrong.lost + wrong.duplicates)[:_SHOWN]:
        print(f"  {one[:1500]}")
    return int(bool(deaths or wrong.lost or wrong.duplicates))


def _waits(periods: list[Period], sessions: list[Session], quiet: list[Session]) -> str:
    """How long updates of phases took until the clients were told to finish, and before there was a fault."""
    phases = [seconds for period in periods[:-1] for seconds in period.phases]
    before = periods[0].phases
    alone = _p99([seconds for session in quiet for _, seconds in session.phases])
    return (
        f"\n{len(sessions)} sessions, {sum(len(session.acknowledged) for session in sessions)} requests, "
        f"{len(phases)} updates of phases: p99 {_p99(phases) * 1000:.0f} ms, median "
        f"{statistics.median(phases) * 1000:.0f} ms; before the first fault p99 {_p99(before) * 1000:.0f} ms "
        f"({_p99(before) / alone:.1f} ×); of one client alone p99 {alone * 1000:.0f} ms"
    )


def _period_of(periods: list[Period], moment: float) -> Period:
    return next(period for period in reversed(periods) if period.began_at <= moment or period is periods[0])


def _p99(seconds: list[float]) -> float:
    return sorted(seconds)[max(0, math.ceil(len(seconds) * 0.99) - 1)] if seconds else 0.0


def _tracebacks(found: Site) -> int:
    return sum(service.log.read_text().count("Traceback") for service in found.services)


if __name__ == "__main__":
    sys.exit(main())
