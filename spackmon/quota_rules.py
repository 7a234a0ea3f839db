"""The rules of QUOTAS: how much there may be, as one line says it.

Rules have semicolons between: `logs 500GB; logs 50GB per:person; runs 100000 per:person`. Bytes are counted
before they are compressed; a GB is 10^9 of them.
"""

import re
from dataclasses import dataclass
from typing import Literal

_UNITS = {"kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_RULE = re.compile(
    r"(?:logs (?P<size>[1-9]\d{0,8})(?P<unit>[kMGT]B)|runs (?P<runs>[1-9]\d{0,11}))(?P<each> per:person)?"
)


@dataclass(frozen=True, slots=True)
class QuotaRule:
    """The site, or each person, may have at most so many bytes of `logs`, or so many `runs`."""

    what: Literal["logs", "runs"]
    most: int
    per_person: bool
    text: str

    def __str__(self) -> str:
        return self.text


def read_quotas(text: str) -> tuple[QuotaRule, ...]:
    """The rules in a text. Raises ValueError with a sentence that says what was expected."""
    return tuple(_rule(" ".join(one.split())) for one in text.split(";") if one.strip())


def _rule(text: str) -> QuotaRule:
    found = _RULE.fullmatch(text)
    if found is None:
        raise ValueError(f"expected a rule such as `logs 500GB` or `runs 100000 per:person`, not {text!r}")
    is_each = found["each"] is not None
    if found["runs"] is not None:
        return QuotaRule("runs", int(found["runs"]), is_each, text)
    return QuotaRule("logs", int(found["size"]) * _UNITS[found["unit"]], is_each, text)
