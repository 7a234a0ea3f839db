"""Numbers of builds that are given while the database is away, and lead to the builds when it is back.

A client goes on with the number that builds/new gives, in every report that follows. None is reserved for it:
it follows from the build's own words, so that the same build has the same number whoever gives it, and is
larger than any that the database will ever give. JSON's readers know integers up to 2^53.
"""

import hashlib
from dataclasses import astuple, replace

from spackmon.submission import BuildReport

_FIRST = 1 << 52
_BETWEEN = " "


def with_promise(report: BuildReport, person: str) -> BuildReport:
    """The report of `person` with the number that its client is given."""
    words = "\0".join((person, report.spec_hash, *astuple(report.environment)))
    digest = hashlib.sha256(words.encode("utf-8", "surrogatepass")).digest()
    return replace(report, promised_build_id=_FIRST + int.from_bytes(digest[:8]) % _FIRST)


def kind_with_promise(kind: str, report: BuildReport) -> str:
    """Under what the body is spooled, and waits in the inbox where it is refused."""
    return f"{kind}{_BETWEEN}{report.promised_build_id}"


def divided(kind: str) -> tuple[str, int | None]:
    """The kind of a body, and the number that its client was given, if any."""
    kind, _, number = kind.partition(_BETWEEN)
    return kind, int(number) if number.isascii() and number.isdecimal() else None
