"""The bytes that a client asks for (RFC 9110, section 14)."""

import re

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


def byte_range(text: str | None, size: int) -> range | None:
    """The bytes of `size` that a `Range` names; empty where there are none, None where all are to be sent.

    What cannot be read, or names several ranges, is as if it were not there.
    """
    found = _RANGE.fullmatch((text or "").strip().lower())
    if found is None or found[1] == found[2] == "":
        return None
    if not found[1]:
        return range(max(size - int(found[2]), 0), size)
    first, last = int(found[1]), int(found[2] or size)
    return None if last < first and found[2] else range(min(first, size), min(last + 1, size))
