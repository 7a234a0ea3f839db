"""Which of several media types a client wants (RFC 9110, section 12.5.1)."""

from collections.abc import Sequence

JSON, HTML = "application/json", "text/html"


def preferred(accept: str | None, offered: Sequence[str]) -> str | None:
    """The one of `offered` that a client wants most; None where its `Accept` admits none of them.

    Of equals the one that the client names first, then the one that is offered first. Without the header
    the client takes anything.
    """
    ranges = [_range(part, place) for place, part in enumerate((accept or "*/*").split(","))]
    wanted: list[tuple[float, int, int]] = []
    for order, media_type in enumerate(offered):
        whole_type = media_type.split("/")[0] + "/*"
        specificity = {"*/*": 0, whole_type: 1, media_type: 2}
        matching = [one for one in ranges if one[0] in specificity]
        if matching:
            _, quality, place = max(matching, key=lambda one: specificity[one[0]])
            if quality > 0:
                wanted.append((-quality, place, order))
    return offered[min(wanted)[2]] if wanted else None


def _range(part: str, place: int) -> tuple[str, float, int]:
    """A media range, its quality, and its place in the header."""
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    return name, next((_number(value[2:]) for value in parameters if value.startswith("q=")), 1.0), place


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
