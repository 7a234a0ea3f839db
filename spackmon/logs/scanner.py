"""Reads a log of any size in constant memory and says what went wrong in it.

The text is looked at in windows (windows.py), of which only the lines that a prefilter finds are matched
against the rules (rules.py). What a rule finds becomes an event with the lines around it (blocks.py,
surroundings.py); at the end of each phase it is decided which errors count (judgement.py).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from spackmon.logs import blocks, surroundings, text_lines
from spackmon.logs.candidates import Candidates
from spackmon.logs.event import CONSEQUENCE, Event, Report
from spackmon.logs.judgement import Found, Judgement
from spackmon.logs.naming import source_tool
from spackmon.logs.prefilter import Prefilter
from spackmon.logs.rules import Rule, shipped
from spackmon.logs.taxonomy import Taxonomy
from spackmon.logs.taxonomy import shipped as shipped_taxonomy
from spackmon.logs.windows import Window, windows

RULES_VERSION = 5
"""Of what is found in a log and how: a log that older rules read is read again by `spackmon log reread`."""

MOST_EVENTS = 1000
"""Different errors, and as many different warnings, that one log lists; more are counted."""

LONGEST_MESSAGE = 1000
_PROBE_LINES = 6

_Groups = Mapping[str, str | None]


@dataclass(slots=True)
class _Place:
    """Lines are counted as far as somebody asked."""

    offset: int
    line: int


@dataclass(slots=True)
class _State:
    phase: str = ""
    package: str | None = None
    is_excerpt: bool = False
    done: int = 0
    probe_end: int = -100
    counts: dict[tuple[object, ...], Found] = field(default_factory=dict)


@lru_cache(maxsize=1)
def _shipped_prefilter() -> Prefilter:
    return Prefilter(anchor for rule in shipped() for anchor in rule.anchors)


@lru_cache(maxsize=1)
def _shipped_candidates() -> Candidates:
    return Candidates(shipped())


def read(
    pieces: Iterable[bytes | memoryview], *, taxonomy: Taxonomy | None = None, most_events: int = MOST_EVENTS
) -> Report:
    """The events of a log that arrives in pieces of any size."""
    scanner = _Scanner(taxonomy or shipped_taxonomy(), most_events)
    for window in windows(pieces):
        scanner.read(window)
    return scanner.report()


class _Scanner:
    def __init__(self, taxonomy: Taxonomy, most_events: int) -> None:
        self._prefilter = _shipped_prefilter()
        self._candidates = _shipped_candidates()
        (self._warning,) = (rule for rule in shipped() if rule.name == "compiler-warning-with-place")
        self._state = _State()
        self._judgement = Judgement(taxonomy, most_events)
        self._lines = 0

    def report(self) -> Report:
        return self._judgement.report(self._lines)

    def read(self, window: Window) -> None:
        text, state = window.text, self._state
        self._place = _Place(1, window.first_line)
        done = window.begin
        if state.done:
            done = self._offset_of_line(text, window.first_line, state.done + 1)
        for place in self._prefilter.places(text, window.begin, window.end):
            if place < done:
                continue
            start = text.rfind(b"\n", 0, place) + 1
            end = text.find(b"\n", place)
            done = self._line(text, start, len(text) if end < 0 else end) + 1
        # What the last event took of the next window's lines is not read again.
        state.done = self._line_at(text, done - 1) if done > window.end else 0
        if window.end == len(text):
            self._lines = window.first_line + text.count(b"\n", 1) - text.endswith(b"\n")

    def _offset_of_line(self, text: bytes, first_line: int, line: int) -> int:
        offset = 1
        for _ in range(line - first_line):
            offset = text.find(b"\n", offset) + 1
            if not offset:
                return len(text)
        return offset

    def _count_to(self, text: bytes, offset: int) -> None:
        if offset > self._place.offset:
            self._place.line += text.count(b"\n", self._place.offset, offset)
            self._place.offset = offset

    def _line_at(self, text: bytes, offset: int) -> int:
        place = self._place
        if offset < place.offset:
            return place.line - text.count(b"\n", offset, place.offset)
        self._count_to(text, offset)
        return place.line

    def _line(self, text: bytes, start: int, end: int) -> int:
        """Reads one line; returns the end of what was read with it."""
        raw = text[start : min(end, start + 4 * text_lines.LONGEST_LINE)]
        if b"warning:" in raw and not self._state.is_excerpt and b"\r" not in raw:
            line = text_lines.decoded(raw)
            match = self._warning.pattern.match(line)
            if match:
                return self._found(self._warning, match.groupdict(), text, start, end, line)
        for line in self._segments(raw, text, end):
            for rule in self._candidates.of(line):
                match = rule.pattern.match(line)
                if match is None or (rule.unless and rule.unless.search(line)):
                    continue
                if rule.needs and not self._has(rule.needs, text, start, end):
                    continue
                return self._found(rule, match.groupdict(), text, start, end, line)
        return end

    def _segments(self, raw: bytes, text: bytes, end: int) -> Iterable[str]:
        if b"\r" in raw:
            for part in raw.split(b"\r")[-50:]:
                if part.strip():
                    yield text_lines.decoded(part)
            return
        line = text_lines.decoded(raw)
        if self._state.is_excerpt:
            line = text_lines.unwrapped(line, (below for below, _ in text_lines.below(text, end, False, 5)))
        yield text_lines.without_time(line)

    def _has(self, needs: str, text: bytes, start: int, end: int) -> bool:
        if needs in ("fortran", "python-file"):
            return surroundings.above(needs, self._above(text, start, 8)) is not None
        following = self._below(text, end, 3)
        if needs == "rust":
            return any(line.lstrip().startswith("-->") for line in following)
        return any(line.startswith(("    at ", "Require stack")) for line in following)

    def _above(self, text: bytes, start: int, most: int) -> Iterable[str]:
        return (line for line, _ in text_lines.above(text, start, self._state.is_excerpt, most))

    def _below(self, text: bytes, end: int, most: int) -> Iterable[str]:
        return (line for line, _ in text_lines.below(text, end, self._state.is_excerpt, most))

    def _found(self, rule: Rule, groups: _Groups, text: bytes, start: int, end: int, line: str) -> int:
        state = self._state
        if rule.kind == "mark":
            self._mark(rule, groups, self._line_at(text, start))
            return end
        if rule.role in ("ignored", "context"):
            return end
        message = _message(rule, groups, line)
        is_warning = rule.kind == "warning"
        key = (rule.name if is_warning else rule.kind, message, state.phase,
               None if is_warning else (rule.role, groups.get("file"), groups.get("line")))  # fmt: skip
        known = state.counts.get(key) if rule.block not in ("traceback", "cmake") else None
        if known is not None:
            self._judgement.again(known, self._line_at(text, start) if not is_warning else 0)
            return end
        if self._judgement.is_full(rule.kind, rule.role):
            self._judgement.count(rule.kind, rule.role, self._line_at(text, start))
            return end
        if rule.probe and self._is_probe(text, start, line):
            return end
        found, read_to = self._event(rule, groups, text, start, end, line, message)
        if len(state.counts) < 2 * MOST_EVENTS:
            state.counts[key] = found
        self._judgement.add(found)
        return read_to

    def _mark(self, rule: Rule, groups: _Groups, line: int) -> None:
        if rule.role == "phase":
            self._judgement.end_phase(line, succeeded=groups["package"] in (self._state.package, None))
            self._state.package = groups["package"]
            self._state.phase = groups["phase"] or ""
            self._state.counts.clear()
            self._state.is_excerpt = False
        elif rule.role == "excerpt":
            self._state.is_excerpt = True
        elif rule.role == "passed":
            self._judgement.passed(line)
        else:
            self._judgement.forgive(line)

    def _is_probe(self, text: bytes, start: int, line: str) -> bool:
        number = self._line_at(text, start)
        since = number - self._state.probe_end
        is_probe = surroundings.is_probe(line, self._above(text, start, 8))
        if not is_probe and 0 <= since <= _PROBE_LINES:
            # What one check prints may be several diagnostics.
            answered = ("checking ", "configure: ")
            is_probe = not any(above.startswith(answered) for above in self._above(text, start, since))
        if is_probe:
            self._state.probe_end = number
        return is_probe

    def _event(
        self, rule: Rule, groups: _Groups, text: bytes, start: int, end: int, line: str, message: str
    ) -> tuple[Found, int]:
        """The event whose head is `line`, and the end of what belongs to it."""
        ends = [end]
        block = blocks.READERS[rule.block](line, self._watched(text, end, ends))
        number = self._line_at(text, start)
        form = rule.context or rule.needs or rule.block
        above = surroundings.above(form, self._above(text, start, 12)) or surroundings.Above()
        event = Event(
            kind=rule.kind,
            role=rule.role,
            tool=groups.get("tool") or rule.tool,
            phase=self._state.phase,
            message=(block.message or message)[:LONGEST_MESSAGE],
            line=number + block.head,
            first_line=number - above.lines,
            last_line=number + block.lines,
            source_file=_first(block.file, groups.get("file"), groups.get("file2"), above.file),
            source_line=block.line or _number(groups.get("line")) or above.line,
            column=block.column or _number(groups.get("column")) or above.column,
            rule=rule.name,
            text="" if block.head else line.strip()[:LONGEST_MESSAGE],
        )
        event.tool = source_tool(event.tool, rule.tool, event.source_file, event.message)
        if rule.follow_up and rule.follow_up.search(event.message):
            event.role = CONSEQUENCE
        return Found(event, rule, _target(rule, line)), ends[block.lines]

    def _watched(self, text: bytes, end: int, ends: list[int]) -> Iterator[str]:
        for line, line_end in text_lines.below(text, end, self._state.is_excerpt, blocks.MOST_LINES):
            ends.append(line_end)
            yield line


def _message(rule: Rule, groups: _Groups, line: str) -> str:
    if rule.join:
        message = rule.join.format_map({name: value or "" for name, value in groups.items()})
    else:
        message = groups.get("message") or groups.get("message2") or line
    if rule.strip:
        message = rule.strip.sub("", message)
    return message.strip()


def _first(*values: str | None) -> str:
    return next((value for value in values if value), "")


def _number(text: str | None) -> int | None:
    return int(text) if text and len(text) < 10 else None


def _target(rule: Rule, line: str) -> str:
    match = rule.target.search(line) if rule.target else None
    return match["target"].strip() if match else ""
