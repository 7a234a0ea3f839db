"""What templates do with the values of an answer."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from jinja2.filters import do_filesizeformat

# ECMA-48: control sequences (colours, cursor), operating system commands (titles, links), lone escapes.
_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])")
_LINE_END = re.compile(r"\r+\n?")
_VISIBLE = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"},
    **dict.fromkeys((*range(0x7F, 0xA0), 0xFFFE, 0xFFFF), 0xFFFD),
    # Whoever can turn the direction of a line can make it read as another one.
    **dict.fromkeys((0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD),
}
# What Spack says of a phase, and what a status is.
_FAILED = ("ERROR", "FAILED")


def harmless(value: Any) -> Any:
    """A client's text as it may stand on a page: what terminals obey is taken out or made visible.

    Anything else is given back as it is; so is text that is HTML already (a subclass of str), which is ours.
    """
    if type(value) is not str:
        return value
    if "\x1b" in value:
        value = _ESCAPE_SEQUENCE.sub("", value)
    if "\r" in value:
        value = _LINE_END.sub("\n", value)
    return value if value.isprintable() else value.translate(_VISIBLE)


def failed(phases: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that failed, in their order."""
    return [phase for phase in phases if phase["status"] in _FAILED]


def duration(seconds: float) -> str:
    """How long something took, in the two largest units that it has."""
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 1 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours} h {minutes_left} min" if hours else f"{minutes} min {rest} s"


def question(document: str, variables: Mapping[str, Any]) -> str:
    """The address at which GraphiQL opens with an operation and its variables."""
    return "/graphql?" + urlencode({"query": document, "variables": json.dumps(variables, indent=2)})


def path(name: str) -> str:
    """A name as one part of an address."""
    return quote(name, safe="")


def chance(p: float) -> str:
    """A probability as people write it."""
    return "less than 0.0001" if p < 0.0001 else f"{p:.2g}"


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a chart: a part of it is drawn in another colour. Both are shares of the highest bar."""

    key: str
    label: str
    share: float
    part: float


def bars(groups: Sequence[Mapping[str, Any]], key: str) -> list[Bar]:
    """One bar for each value of a key of builds grouped by it and by status; a part of it succeeded."""
    totals: dict[str, int] = {}
    good: dict[str, int] = {}
    for group in groups:
        keys = group["keys"]
        if keys[key] is None:
            continue
        totals[keys[key]] = totals.get(keys[key], 0) + group["count"]
        if keys["status"] == "SUCCESS":
            good[keys[key]] = good.get(keys[key], 0) + group["count"]
    highest = max(totals.values(), default=1)
    return [
        Bar(
            value,
            f"{value}: {good.get(value, 0)} of {total} succeeded",
            total / highest,
            good.get(value, 0) / highest,
        )
        for value, total in sorted(totals.items())
    ]


@dataclass(frozen=True, slots=True)
class Span:
    """A phase on a line of time: where it begins and how long it is, as shares of all phases together."""

    phase: Mapping[str, Any]
    begin_seconds: float
    begin_share: float
    share: float


def timeline(phases: Iterable[Mapping[str, Any]]) -> list[Span]:
    """The phases that say how long they took, one after the other, as Spack runs them."""
    timed = [phase for phase in phases if phase["durationSeconds"] is not None]
    total = sum(phase["durationSeconds"] for phase in timed) or 1.0
    spans, begin = [], 0.0
    for phase in timed:
        seconds = phase["durationSeconds"]
        spans.append(Span(phase, begin, begin / total, seconds / total))
        begin += seconds
    return spans


def levels(groups: Sequence[Mapping[str, Any]], key: str, amount: str, unit: str) -> list[Bar]:
    """One bar for each group that has an amount (`durations`, `peakMemory`), a part of which half need."""
    known = [(group["keys"][key] or "unknown", group[amount]) for group in groups if group[amount]]
    highest = max((one[f"p95{unit}"] for _, one in known), default=0) or 1
    written = duration if unit == "Seconds" else do_filesizeformat
    return [
        Bar(
            value,
            f"{value}: half up to {written(one[f'p50{unit}'])}, 95 of 100 up to {written(one[f'p95{unit}'])}",
            one[f"p95{unit}"] / highest,
            one[f"p50{unit}"] / highest,
        )
        for value, one in known
    ]


def cells(matrix: Mapping[str, Any]) -> dict[str | None, dict[str | None, Mapping[str, Any]]]:
    """The cells of a matrix by row, then by column."""
    found: dict[str | None, dict[str | None, Mapping[str, Any]]] = {row: {} for row in matrix["rows"]}
    for cell in matrix["cells"]:
        found[cell["row"]][cell["column"]] = cell
    return found


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an error's text; `why` says what it is, if groups of errors leave it out."""

    text: str
    why: str = ""


_WHY = {
    "AMOUNT": "an amount",
    "DIRECTORY": "a directory",
    "HASH": "a hash",
    "HOST": "a host",
    "NUMBER": "a number",
    "PLACE": "a place",
    "SOURCE_LINE": "a line of the source",
    "STAGE": "Spack’s stage",
    "TEMPORARY_NAME": "a temporary name",
    "TIME": "a time",
    "URL": "an address",
}


def marked(text: str, blanked: Iterable[Mapping[str, str]]) -> list[Piece]:
    """Text in pieces: each `blanked` one (`kind`, `text`), where it first stands alone, and more."""
    found: list[tuple[int, int, str]] = []
    for one in blanked:
        for place in _alone(one["text"]).finditer(text):
            if all(place.end() <= begin or place.start() >= end for begin, end, _ in found):
                found.append((*place.span(), _WHY.get(one["kind"], "what varies")))
                break
    pieces: list[Piece] = []
    done = 0
    for begin, end, why in sorted(found):
        pieces += [Piece(text[done:begin]), Piece(text[begin:end], why)]
        done = end
    return [piece for piece in (*pieces, Piece(text[done:])) if piece.text]


def _alone(piece: str) -> re.Pattern[str]:
    """A piece that is no part of a longer word."""
    before = r"(?<![A-Za-z0-9])" if piece[:1].isalnum() else ""
    behind = r"(?![A-Za-z0-9])" if piece[-1:].isalnum() else ""
    return re.compile(f"{before}{re.escape(piece)}{behind}")


def share(some: int, total: int, of: str) -> str:
    """How many of so many things, as people say it: `all 12 failing runs`, `none of 3 passing runs`."""
    things = f"{total} {of}{'' if total == 1 else 's'}"
    if some == total:
        return f"all {things}" if total > 1 else f"the only {of}"
    return f"none of {things}" if some == 0 else f"{some} of {things}"
