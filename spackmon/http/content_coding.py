"""Which content coding a client wants (RFC 9110, section 12.5.3)."""

from collections.abc import Sequence

IDENTITY = "identity"


def preferred_coding(accept_encoding: str | None, offered: Sequence[str]) -> str:
    """The one of `offered` that a client wants most, of equals the first; IDENTITY where it takes none."""
    qualities: dict[str, float] = {}
    for part in (accept_encoding or "").lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        qualities[name] = next((_number(one[2:]) for one in parameters if one.startswith("q=")), 1.0)
    # What is not said of the identity is that it is acceptable, and wanted least.
    wanted = {name: qualities.get(name, qualities.get("*", 0.0)) for name in offered}
    wanted[IDENTITY] = qualities.get(IDENTITY, qualities.get("*", 0.001))
    best = max(wanted.values())
    return next(name for name, quality in wanted.items() if quality == best) if best > 0 else IDENTITY


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
