"""An error or a warning that a source reports as text, read by the rules that read logs.

The text is a line of a log or a few, torn out of it: whether it counts was decided by whoever reports it.
What the rules do not recognise is an event of no tool whose message is its first line.
"""

from functools import cache

from spackmon.logs.event import CONSEQUENCE, PRIMARY, Event
from spackmon.logs.judgement import classify
from spackmon.logs.rules import shipped
from spackmon.logs.scanner import LONGEST_MESSAGE, read
from spackmon.logs.taxonomy import Taxonomy

_LONGEST = 20_000  # characters that are looked at
_MOST_EVENTS = 5


def event_of(
    kind: str,
    text: str,
    before: str,
    after: str,
    source_file: str,
    source_line: int | None,
    taxonomy: Taxonomy,
) -> Event:
    """The event of a reported text; `kind` is error or warning, `before` and `after` the lines around it."""
    event = _recognised(kind, text, taxonomy) or _within(kind, text, before, after, taxonomy)
    if event is None:
        first = next((line for line in text.splitlines() if line.strip()), "")
        event = Event(kind, PRIMARY, "", "", first.strip()[:LONGEST_MESSAGE], 1, 1, 1)
    event.role = CONSEQUENCE if event.rule in _following() else PRIMARY
    event.source_file = event.source_file or source_file
    event.source_line = event.source_line or source_line
    if kind == "error":
        classify(event, taxonomy)
    return event


def _recognised(kind: str, text: str, taxonomy: Taxonomy) -> Event | None:
    report = read([text[:_LONGEST].encode("utf-8", "replace")], taxonomy=taxonomy, most_events=_MOST_EVENTS)
    events = [event for event in report.events if event.kind == kind]
    return next((event for event in events if event.rule not in _following()), events[0] if events else None)


def _within(kind: str, text: str, before: str, after: str, taxonomy: Taxonomy) -> Event | None:
    """What is recognised of it by the lines around it, as the message of a compiler that shows code first."""
    if not (before or after):
        return None
    first = before.count("\n") + 2 if before else 1
    whole = "\n".join(part for part in (before, text, after) if part)
    report = read([whole[:_LONGEST].encode("utf-8", "replace")], taxonomy=taxonomy, most_events=_MOST_EVENTS)
    lines = range(first, first + text.count("\n") + 1)
    return next((e for e in report.events if e.kind == kind and e.line in lines), None)


@cache
def _following() -> frozenset[str]:
    # To compile the rules takes a fifth of a second, which a program without a log does not wait for.
    return frozenset(rule.name for rule in shipped() if rule.role == CONSEQUENCE)
