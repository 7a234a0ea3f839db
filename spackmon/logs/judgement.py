"""Which errors of a log count, which follow from others, and which one a person would show first.

- What stands in a phase that Spack left for the next one of the same package was no reason to stop: it is
  forgiven.
- `make: … Error 1 (ignored)` forgives what was printed since the last such line, FORGIVEN_LINES at most.
- An error after which the log goes on for UNANSWERED_LINES, and nothing follows from it, stopped nothing.
- A loose error (rules.py) counts if a consequence follows within CONFIRMING_LINES, or the log ends with it.
- Where nothing primary is left, the best consequence stands for the cause that no line names: one that names
  a test, else a loose error before the first consequence, else the first consequence.
- What Spack says again of an error above follows from it: in other words of its own, or because its rule
  says of which classes it tells (`after` in rules.py).
- First is the first primary error by line. If make or ninja name the targets that failed, an error in the
  source of one of them comes before an error in a source of none.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from spackmon.logs.event import CONSEQUENCE, PRIMARY, Event, Report
from spackmon.logs.groups import group
from spackmon.logs.rules import Rule
from spackmon.logs.taxonomy import Taxonomy

CONFIRMING_LINES = 40
FORGIVEN_LINES = 60
ENDING_LINES = 3
UNANSWERED_LINES = 60
_TEST_LINES = 40
_HINT_LINES = 3
_SHORTEST_SAID = 12
_TEST_PHASES = frozenset({"test", "check", "installcheck", "build_test", "install_test"})
_TARGETS = {
    "check": "test",
    "test": "test",
    "check-TESTS": "test",
    "install": "install",
    "installcheck": "test",
}


@dataclass(slots=True, eq=False)
class Found:
    """An event and what is known of it beyond its reader; `last_seen` is the line of the last equal one.

    `said` is its message without names of exceptions.
    """

    event: Event
    rule: Rule
    target: str
    is_confirmed: bool = False
    last_seen: int = 0
    said: str = ""


@dataclass(slots=True)
class _Heap:
    """Events of a kind up to a limit, and how many there were."""

    listed: list[Found] = field(default_factory=list)
    unlisted: int = 0


def classify(event: Event, taxonomy: Taxonomy) -> None:
    """Give an error its class, whom that concerns, and its group."""
    event.class_name = taxonomy.class_of(event, event.form_class)
    event.blame = taxonomy.blame(event.class_name)
    event.group = group(event)


class Judgement:
    """Takes what is found, in the order of the log, and gives the report at its end."""

    def __init__(self, taxonomy: Taxonomy, limit: int) -> None:
        self._taxonomy = taxonomy
        self._limit = limit
        self._errors, self._consequences, self._warnings = _Heap(), _Heap(), _Heap()
        self._phase_began, self._forgiven_to, self._forgiven, self._last_consequence = 0, 0, 0, 0
        self._lines = 0
        self._last_unlisted = -UNANSWERED_LINES

    def add(self, found: Found) -> None:
        """One more event, equal to none before; only while this sort is not full."""
        event = found.event
        found.last_seen = event.last_line
        if event.kind == "warning":
            self._warnings.listed.append(found)
        elif event.role == CONSEQUENCE:
            self._follows(event.line)
            self._consequences.listed.append(found)
        else:
            self._errors.listed.append(found)

    def again(self, found: Found, line: int) -> None:
        """One more diagnostic that is equal to one before."""
        found.event.count += 1
        if line:
            found.last_seen = line
        if found.event.role == CONSEQUENCE:
            self._follows(line)

    def is_full(self, kind: str, role: str) -> bool:
        """Whether no more events of that sort are listed."""
        return len(self._heap(kind, role).listed) >= self._limit

    def count(self, kind: str, role: str, line: int) -> None:
        """One more diagnostic that is not listed."""
        self._heap(kind, role).unlisted += 1
        if role == CONSEQUENCE:
            self._follows(line)
        elif kind == "error":
            self._last_unlisted = line

    def end_phase(self, line: int, *, succeeded: bool) -> None:
        """A phase ends before `line`."""
        if succeeded:
            self._drop(lambda found: found.event.line >= self._phase_began)
        self._phase_began = line

    def passed(self, line: int) -> None:
        """A test run says that all is well: what a test printed on purpose does not count."""
        self._drop(lambda found: found.rule.loose and found.event.line >= self._phase_began)

    def forgive(self, line: int) -> None:
        """make ignores that a command failed."""
        begin = max(self._forgiven_to, line - FORGIVEN_LINES)
        self._drop(lambda found: found.event.line >= begin)
        self._forgiven_to = line

    def report(self, lines: int) -> Report:
        """All events by line. Nothing may be added afterwards."""
        self._lines = lines
        self._confirm_at_end()
        primary = [found for found in self._errors.listed if found.is_confirmed] or self._promoted()
        for found in primary:
            event = found.event
            event.form_class = self._suggested(found)
            classify(event, self._taxonomy)
        primary = self._without_repeated(primary)
        self._mark_first(primary)
        listed = {
            id(found): found.event for found in (*primary, *self._consequences.listed, *self._warnings.listed)
        }
        return Report(
            events=sorted(listed.values(), key=lambda event: (event.line, event.kind)),
            lines=lines,
            errors=sum(found.event.count for found in primary) + self._errors.unlisted,
            warnings=sum(found.event.count for found in self._warnings.listed) + self._warnings.unlisted,
            unlisted=self._errors.unlisted + self._warnings.unlisted + self._consequences.unlisted,
            forgiven=self._forgiven,
        )

    def _suggested(self, found: Found) -> str:
        """The class of the form; where it has none, that of the make target, and test in a phase of tests."""
        suggested = found.rule.class_name
        if suggested not in ("", "other"):
            return suggested
        for hint in self._consequences.listed:
            if (
                hint.rule.hint
                and hint.rule.tool == "spack"
                and 0 < found.event.line - hint.event.line <= _HINT_LINES
            ):
                return hint.rule.class_name
        if found.target in _TARGETS:
            return _TARGETS[found.target]
        follows_test = any(
            follow_up.rule.class_name == "test"
            and 0 <= found.event.line - follow_up.event.line <= _TEST_LINES
            for follow_up in self._consequences.listed
        )
        is_test = follows_test or found.event.phase in _TEST_PHASES
        return (
            "test" if is_test and not suggested.startswith("compile") and not found.rule.probe else suggested
        )

    def _without_repeated(self, primary: list[Found]) -> list[Found]:
        """The errors but those that say again what one above said, which become consequences."""
        kept: list[Found] = []
        of_spack: list[Found] = []
        for found in sorted(primary, key=lambda found: found.event.line):
            is_of_spack = found.event.tool == "spack"
            found.said = _EXCEPTION.sub("", found.event.message).strip()
            if any(_says_again(found, above) for above in (kept if is_of_spack else of_spack)):
                found.event.role = CONSEQUENCE
                self._consequences.listed.append(found)
                continue
            kept.append(found)
            if is_of_spack:
                of_spack.append(found)
        return kept

    def _heap(self, kind: str, role: str) -> _Heap:
        if kind == "warning":
            return self._warnings
        return self._consequences if role == CONSEQUENCE else self._errors

    def _follows(self, line: int) -> None:
        self._last_consequence = line
        for found in reversed(self._errors.listed):
            if line - found.last_seen > CONFIRMING_LINES:
                return
            found.is_confirmed = True

    def _drop(self, is_dropped: Callable[[Found], bool]) -> None:
        for heap in (self._errors, self._consequences):
            kept = [found for found in heap.listed if not is_dropped(found)]
            self._forgiven += len(heap.listed) - len(kept)
            heap.listed = kept

    def _confirm_at_end(self) -> None:
        """An error counts that was answered, or from which errors lead to the end of the log."""
        reach = self._lines
        if reach - self._last_unlisted < UNANSWERED_LINES:
            reach = self._errors.listed[-1].event.line
        for found in reversed(self._errors.listed):
            last = max(found.last_seen, found.event.last_line)
            if found.rule.loose:
                found.is_confirmed |= self._lines - last < ENDING_LINES
            elif reach - last < UNANSWERED_LINES or self._last_consequence >= found.event.line:
                found.is_confirmed = True
                reach = min(reach, found.event.line)

    def _promoted(self) -> list[Found]:
        follow_ups = self._consequences.listed
        if all(found.rule.hint for found in follow_ups) and not any(
            found.last_seen > self._lines - ENDING_LINES for found in follow_ups
        ):
            return []
        stop = max((found.last_seen for found in follow_ups if not found.rule.hint), default=0)
        ending = self._lines - ENDING_LINES
        hints = [
            found
            for found in follow_ups
            if found.rule.hint and (found.event.line < stop or found.last_seen > ending)
        ]
        loose = [found for found in self._errors.listed if found.event.line < follow_ups[0].event.line]
        if hints:
            promoted = [found for found in hints if found.rule is hints[0].rule]
        else:
            promoted = loose[-1:] or follow_ups[:1]
        for found in promoted:
            found.event.role = PRIMARY
        return promoted

    def _mark_first(self, primary: list[Found]) -> None:
        if not primary:
            return
        primary.sort(key=lambda found: found.event.line)
        stems = {_stem(found.target) for found in self._consequences.listed if found.target}
        first = primary[0]
        if first.event.source_file and not _names(stems, first):
            first = next((found for found in primary if _names(stems, found)), first)
        first.event.is_first = True


_EXCEPTION = re.compile(r"(?:[A-Za-z_]\w*\.)*([A-Z]\w*(?:Error|Exception|Interrupt))(?::\s+|$)")


def _says_again(found: Found, above: Found) -> bool:
    """Whether one of two errors is Spack's, and the later one says no more: its word, or its traceback."""
    event, earlier = found.event, above.event
    if earlier.tool != "spack" and earlier.class_name in found.rule.after:
        return event.first_line - above.last_seen <= CONFIRMING_LINES
    if min(len(found.said), len(above.said)) < _SHORTEST_SAID:
        names = (_EXCEPTION.findall(one.message)[-1:] for one in (event, earlier))
        return found.said == above.said and next(names) == next(names)
    return found.said in above.said or above.said in found.said


def _names(stems: set[str], found: Found) -> bool:
    return _stem(found.event.source_file) in stems


def _stem(path: str) -> str:
    return PurePosixPath(path).name.partition(".")[0]
