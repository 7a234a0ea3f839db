"""Searching, word by word through every event."""

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from spackmon import models
from spackmon.errors import Code, Refused
from tests.reference.logs import log_of
from tests.reference.rows import Rows

TYPES = {"FoundLine", "FoundLog", "LineSearch", "LogSearch", "SnippetPart"}
"""Types whose objects are no rows."""


def _words(text: str) -> list[tuple[str, int, int]]:
    """Words as they are, of signs those that are not the same again, each with its place."""
    words: list[tuple[str, int, int]] = []
    text = re.sub(r"\x1b\[[0-9;]*m", lambda colour: " " * len(colour[0]), text)
    for found in re.finditer(r"(\w+)|[^\s\x00-\x1f\x7f]", text):
        word, begin, end = found[0].casefold(), found.start(), found.end()
        if found[1] is None and words and words[-1][0] == word and words[-1][2] == begin:
            words[-1] = word, words[-1][1], end
        else:
            words.append((word, begin, end))
    return words


def terms_of(sought: str) -> list[tuple[list[str], bool]]:
    """The words of each term, and whether it is a beginning."""
    terms = []
    for number, part in enumerate(sought.split('"')):
        for text in [part] if number % 2 else part.split():
            is_prefix = number % 2 == 0 and re.search(r"\w\*$", text) is not None
            words = _words(text[:-1] if is_prefix else text)
            terms.append(([word for word, _, _ in words], is_prefix))
    terms = [term for term in terms if any(re.match(r"\w", word) for word in term[0])]
    if sought.count('"') % 2 or not terms or len(sought) > 1000 or sum(len(words) for words, _ in terms) > 50:
        raise Refused(Code.SEARCH_INVALID, "nothing to search")
    return terms


def _places(words: list[tuple[str, int, int]], term: list[str], is_prefix: bool) -> Iterator[tuple[int, int]]:
    for at in range(len(words) - len(term) + 1):
        there = [word for word, _, _ in words[at : at + len(term)]]
        is_begun = is_prefix and there[:-1] == term[:-1] and there[-1].startswith(term[-1])
        if there == term or is_begun:
            _, begin, end = words[at + len(term) - 1]
            yield words[at][1], begin + len(term[-1]) if is_prefix else end


def _text(event: Any) -> str:
    return str(event.message if isinstance(event, models.LogEvent) else event.text)


def _texts(event: Any) -> tuple[str | None, ...]:
    if isinstance(event, models.LogEvent):
        return event.text or event.message, event.source_file, event.tool
    is_of_log = getattr(event, "log_event_id", None) is not None
    return event.text, event.source_file, event.tool if is_of_log else None


def searched(event: Any, sought: str) -> bool:
    """Whether all that is sought is in an event."""
    words = [word for text in _texts(event) for word in _words(text or "")]
    return all(any(_places(words, term, is_prefix)) for term, is_prefix in terms_of(sought))


def snippet(_: Rows, event: Any, arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A text, none of the site's is longer than a snippet: what is sought in it, and what is between."""
    return _parts(_text(event), terms_of(arguments["search"]))


def _parts(text: str, terms: list[tuple[list[str], bool]]) -> list[dict[str, Any]]:
    is_sought = [False] * len(text)
    for term, is_prefix in terms:
        for begin, end in _places(_words(text), term, is_prefix):
            is_sought[begin:end] = [True] * (end - begin)
    found = itertools.groupby(zip(text, is_sought, strict=True), key=lambda one: one[1])
    return [{"text": "".join(one for one, _ in some), "isMatch": is_match} for is_match, some in found]


def is_in(line: str, terms: list[tuple[list[str], bool]]) -> bool:
    return all(any(_places(_words(line), term, is_prefix)) for term, is_prefix in terms)


def logs(rows: Rows, phases: list[Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Every log, looked through line by line; the site's are few and short enough for one answer."""
    for name, least, most in (("first", 1, 100), ("lines", 1, 20), ("context", 0, 10)):
        if not least <= arguments[name] <= most:
            raise Refused(Code.ARGUMENT_INVALID, name)
    if arguments.get("after") is not None:
        raise Refused(Code.CURSOR_INVALID, "no cursor is drawn")
    terms = terms_of(arguments["search"])
    found, size, count, cursor = [], 0, 0, None
    for phase in sorted(phases, key=lambda one: -one.id):
        log = log_of(rows, phase, {})
        if log is None or not log.whole:
            continue
        lines = log.plain_lines()
        matched = [number for number, line in enumerate(lines) if is_in(line, terms)]
        if matched and len(found) == arguments["first"]:
            return {"found": found, "logCount": count, "sizeBytes": size, "endCursor": cursor}
        if matched:
            shown = [_line(lines, at, terms, arguments["context"]) for at in matched[: arguments["lines"]]]
            found.append({"phase": phase, "lines": shown})
        size, count, cursor = size + len(log.whole), count + 1, f"[{phase.id},0]".encode().hex()
    return {"found": found, "logCount": count, "sizeBytes": size, "endCursor": None}


def lines_of(_: Rows, log: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """One log, looked through line by line."""
    first, context, start = (arguments[name] for name in ("first", "context", "fromLine"))
    if not (1 <= first <= 100 and 0 <= context <= 10 and start >= 1):
        raise Refused(Code.ARGUMENT_INVALID, "how many")
    terms, lines = terms_of(arguments["text"]), log.plain_lines()
    matched = [number for number, line in enumerate(lines) if number + 1 >= start and is_in(line, terms)]
    shown = [_line(lines, at, terms, context) for at in matched[:first]]
    next_line = matched[first] + 1 if len(matched) > first else None
    return {"lines": shown, "sizeBytes": len(log.whole), "nextLine": next_line}


def _line(lines: list[str], at: int, terms: Any, context: int) -> dict[str, Any]:
    before, after = lines[max(at - context, 0) : at], lines[at + 1 : at + 1 + context]
    parts = _parts(lines[at], terms)
    return {"line": at + 1, "text": lines[at], "snippet": parts, "before": before, "after": after}
