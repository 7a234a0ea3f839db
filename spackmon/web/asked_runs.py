"""The two sets of runs that the address of a comparison asks for: its query string as two AttemptFilters."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from spackmon.errors import Code, Refused
from spackmon.web.asked_builds import filter_object, moment
from spackmon.web.pages import PageRequest

_SIDES = ("base", "head")
_DAY = timedelta(days=1)
RUN_WORDS = tuple(f"{side}{word}" for side in _SIDES for word in ("", "_tag", "_from", "_until"))
"""The words of a query string that say which runs are compared."""


def asked_runs(request: PageRequest) -> Mapping[str, Any]:
    """The arguments `base` and `head` of the field `compareRuns`.

    Of each side `SIDE_tag`, `SIDE_from` and `SIDE_until` (days or times, the end is not within), or `SIDE`,
    an AttemptFilter as JSON. Without any of them the last 24 hours are compared with the 24 before.
    Raises Refused where a time is none, and where one side alone is asked for.
    """
    words = {word: value.strip() for word, value in request.query_params.items() if value.strip()}
    asked = {side: _side(words, side) for side in _SIDES}
    if not any(asked.values()):
        now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        return {"base": _between(now - 2 * _DAY, now - _DAY), "head": _between(now - _DAY, now)}
    for side, conditions in asked.items():
        if not conditions:
            sentence = f"`{side}_tag`, `{side}_from`, `{side}_until` or `{side}` must say what to compare"
            raise Refused(Code.ARGUMENT_INVALID, sentence)
    return {side: {"and": conditions} for side, conditions in asked.items()}


def _side(words: Mapping[str, str], side: str) -> list[Mapping[str, Any]]:
    conditions: list[Mapping[str, Any]] = []
    if tag := words.get(f"{side}_tag"):
        conditions.append({"tags": {"some": {"name": {"eq": tag}}}})
    for word, operator in (("from", "ge"), ("until", "lt")):
        if text := words.get(f"{side}_{word}"):
            conditions.append({"startedAt": {operator: moment(f"{side}_{word}", text)}})
    if text := words.get(side):
        conditions.append(filter_object(side, text, "an AttemptFilter"))
    return conditions


def _between(begin: datetime, end: datetime) -> Mapping[str, Any]:
    return {"startedAt": {"ge": begin.isoformat(), "lt": end.isoformat()}}
