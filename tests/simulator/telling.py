"""Who reports what of a history: a random part of all that could be reported."""

from random import Random

from spackmon.status import BuildStatus
from tests.simulator import command_reports, extension, ms1
from tests.simulator.imports import Disk
from tests.simulator.steps import Step
from tests.simulator.truth import Command, History, Run


def told(history: History, dice: Random) -> list[Step]:
    """The steps, in no order yet."""
    steps: list[Step] = []
    stamps: set[tuple[object, ...]] = set()
    for command in history.commands:
        steps += _of_command(command, history.skew, stamps, dice)
    last = max(command.ended for command in history.commands)
    for store in history.stores:
        if store.installs or store.failures:
            disk = Disk(store, history.skew, dice)
            first = min(one.since for one in [*store.installs, *store.failures])
            for _ in range(dice.choice([0, 1, 1, 2, 3])):
                steps += disk.imported(dice.choice([last, dice.uniform(first, last)]) + dice.uniform(1, 600))
    return steps


def _of_command(
    command: Command, skew: dict[tuple[str, str], float], stamps: set, dice: Random
) -> list[Step]:
    steps: list[Step] = []
    host = command.machine.hostname
    is_seen_live = dice.random() < 0.6
    if command.spack.speaks_ms1:
        if is_seen_live:
            steps += ms1.live(command, command.runs, dice)
        elif dice.random() < 0.4:
            steps += ms1.saved(command, command.runs, dice)
    elif is_seen_live:
        for run in _some(command.runs, dice):
            steps += extension.report(command, run, skew[host, "EXTENSION"], dice)
    was_broken_off = command.runs[-1].status is BuildStatus.CANCELLED and not command.runs[-1].is_skipped
    if command.spack.has_new_installer or was_broken_off:
        return steps
    if dice.random() < 0.4:
        # Two commands of one name, started within one minute of one site, are one build to CDash.
        name = (command.owner, command.machine.site, command_reports.stamp(command), command.cdash_build)
        if name not in stamps:
            stamps.add(name)
            steps += command_reports.cdash(command, _some(command.runs, dice), skew[host, "CDASH"], dice)
    if dice.random() < 0.15:
        steps += command_reports.junit(command, _some(command.runs, dice), skew[host, "JUNIT"])
    return steps


def _some(runs: list[Run], dice: Random) -> list[Run]:
    return [run for run in runs if dice.random() < 0.85]
