"""How far the events of labelled logs are those that a person named (tests/data/logs/README.md)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from spackmon.logs.event import Event

Label = Mapping[str, Any]
_ROOT_REACH = 15
"""Lines below the head of a long diagnostic that still count as a hit."""


@dataclass
class Tally:
    """Of one kind of event: right, missing, repeated or wrong, and such that only follow from one."""

    right: int = 0
    missed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    consequences: list[str] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return self.right / (self.right + len(self.missed))

    @property
    def strict_precision(self) -> float:
        return self.right / (self.right + len(self.wrong) + len(self.consequences))


@dataclass
class Score:
    """Places are `file:line`; what is not in order is named, so that a failing test says what broke."""

    errors: Tally = field(default_factory=Tally)
    warnings: Tally = field(default_factory=Tally)
    failed: int = 0
    not_first: list[str] = field(default_factory=list)
    not_among_three: list[str] = field(default_factory=list)
    wrong_class: list[str] = field(default_factory=list)
    wrong_blame: list[str] = field(default_factory=list)
    false_alarms: list[str] = field(default_factory=list)
    split: list[str] = field(default_factory=list)
    joined: list[str] = field(default_factory=list)

    def share(self, exceptions: Sequence[str]) -> float:
        """Of the failed logs those that are no exception."""
        return 1 - len(exceptions) / self.failed


def score(logs: Iterable[tuple[Label, Sequence[Event]]]) -> Score:
    """Of labels with the events that were listed for them."""
    total = Score()
    first: list[tuple[Label, str]] = []
    for label, events in logs:
        succeeded = label["outcome"] == "succeeded"
        for kind, tally in (("error", total.errors), ("warning", total.warnings)):
            of_kind = [event for event in events if event.kind == kind]
            one = _matched(label, kind, of_kind)
            if kind == "error" and succeeded:
                total.false_alarms += one.wrong + one.consequences
                continue
            tally.right += one.right
            tally.missed += one.missed
            tally.wrong += one.wrong
            tally.consequences += one.consequences
        if not succeeded:
            total.failed += 1
            errors = sorted((event for event in events if event.kind == "error"), key=_first_one_first)
            _count_root(total, label, errors)
            first.append((label, errors[0].group if errors else label["file"]))
    _count_groups(total, first)
    return total


def _first_one_first(event: Event) -> tuple[bool, int]:
    return not event.is_first, event.line


def _count_root(total: Score, label: Label, errors: Sequence[Event]) -> None:
    heads = {entry["line"]: entry for entry in label["errors"]}
    spans = []
    for line in (label["root_line"], *label.get("root_also", ())):
        begin, end = _span(heads.get(line, {"line": line}))
        spans.append((begin, min(end, line + _ROOT_REACH)))
    hits = [any(begin <= event.line <= end for begin, end in spans) for event in errors[:3]]
    if not any(hits[:1]):
        total.not_first.append(label["file"])
    if not any(hits):
        total.not_among_three.append(label["file"])
    best = errors[0] if errors else None
    if best is None or best.class_name not in (label["class"], *label.get("class_ok", ())):
        total.wrong_class.append(f"{label['file']}: {best and best.class_name}, not {label['class']}")
    if best is None or best.blame != label["blame"]:
        total.wrong_blame.append(f"{label['file']}: {best and best.blame}")


def _span(entry: Label) -> tuple[int, int]:
    return entry.get("first_line", entry["line"]), entry.get("last_line", entry["line"])


def _matched(label: Label, kind: str, events: Sequence[Event]) -> Tally:
    """A label is met on its head, else within its lines, else by the count of an event with its text."""
    entries = [entry for entry in label["errors"] if entry["kind"] == kind and entry["role"] == "primary"]
    tally = Tally()
    free = list(entries)
    spare: dict[str, int] = {}
    for event in sorted(events, key=lambda event: event.line not in {entry["line"] for entry in entries}):
        inside = [entry for entry in entries if _span(entry)[0] <= event.line <= _span(entry)[1]]
        fresh = [entry for entry in inside if entry in free]
        exact = [entry for entry in fresh if entry["line"] == event.line]
        if fresh:
            met = (exact or fresh)[-1]
            free.remove(met)
            tally.right += 1
            spare[met["message"]] = spare.get(met["message"], 0) + event.count - 1
        elif not inside and _is_neither(label, kind, event.line, entries):
            continue
        elif not inside and any(a <= event.line <= z for a, z in map(_span, _of_role(label, "consequence"))):
            tally.consequences.append(f"{label['file']}:{event.line}")
        else:
            tally.wrong.append(f"{label['file']}:{event.line}")
    for entry in free:
        if spare.get(entry["message"], 0) > 0:
            spare[entry["message"]] -= 1
            tally.right += 1
        else:
            tally.missed.append(f"{label['file']}:{entry['line']}")
    return tally


def _of_role(label: Label, role: str) -> list[Label]:
    return [entry for entry in label["errors"] if entry["role"] == role]


def _is_neither(label: Label, kind: str, line: int, entries: Sequence[Label]) -> bool:
    """Whether a line is right either way: neutral, above a diagnostic, past the labelled warnings."""
    has_more_warnings = kind == "warning" and label["warning_count"] > len(entries)
    if has_more_warnings and line > max(entry["line"] for entry in entries):
        return True
    if any(a <= line <= z for a, z in map(_span, _of_role(label, "neutral"))):
        return True
    return any(
        "context_line" in entry and entry["context_line"] <= line < entry["line"] for entry in label["errors"]
    )


def _count_groups(total: Score, first: Sequence[tuple[Label, str]]) -> None:
    for (one, group), (other, other_group) in combinations(first, 2):
        names = f"{one['file']} and {other['file']}"
        if one["group"] == other["group"]:
            if group != other_group:
                total.split.append(names)
        elif group == other_group and not (
            one.get("group_alt") and one["group_alt"] == other.get("group_alt")
        ):
            total.joined.append(names)
