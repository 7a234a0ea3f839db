"""The rules of RETENTION: what is removed when it is old, as one line says it.

Rules have semicolons between: `logs 90; runs 30 tag:nightly; runs 365 keep:package; audit 1000`. The number
is of days.
"""

import shlex
from dataclasses import dataclass
from typing import Literal

from spackmon.status import FINISHED, BuildStatus

What = Literal["audit", "logs", "runs"]
_WHAT: dict[str, What] = {"audit": "audit", "logs": "logs", "runs": "runs"}
_KEPT = ("spec", "package")
_MOST_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """`what` of runs that ended `days` ago is removed, of those with a status and a tag, empty for any.

    `keep` is `spec` or `package`: the last success of each is kept. Of the audit log all that is so old goes.
    """

    what: What
    days: int
    status: str = ""
    tag: str = ""
    keep: str = "spec"

    def __str__(self) -> str:
        words = [self.what, str(self.days)]
        words += [f"{name}:{value}" for name, value in (("status", self.status), ("tag", self.tag)) if value]
        return shlex.join(words if self.what == "audit" else [*words, f"keep:{self.keep}"])


def read_rules(text: str) -> tuple[RetentionRule, ...]:
    """The rules in a text. Raises ValueError with a sentence that says what was expected."""
    return tuple(_rule(one) for one in text.split(";") if one.strip())


def _rule(text: str) -> RetentionRule:
    what, days, *others = [*shlex.split(text), "", ""]
    if what not in _WHAT:
        raise ValueError(f"expected a rule such as `logs 90` or `runs 30 tag:nightly`, not {text.strip()!r}")
    if not (days.isascii() and days.isdecimal() and 0 < int(days[:9]) <= _MOST_DAYS):
        raise ValueError(f"expected a number of days, from 1 on, after {what!r}")
    if what == "audit" and any(others):
        raise ValueError("expected a number of days after 'audit', and nothing more")
    values = {"status": "", "tag": "", "keep": _KEPT[0]}
    for other in filter(None, others):
        name, colon, value = other.partition(":")
        if not colon or not value or name not in values:
            raise ValueError(f"expected status:…, tag:… or keep:…, not {other!r}")
        values[name] = value
    ends = sorted({*FINISHED, BuildStatus.NOTRUN})
    if values["status"] and values["status"] not in ends:
        raise ValueError(f"expected one of {', '.join(ends)} after status:")
    if values["keep"] not in _KEPT:
        raise ValueError(f"expected {' or '.join(_KEPT)} after keep:")
    return RetentionRule(_WHAT[what], int(days), **values)
