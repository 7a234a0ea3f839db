"""What the words of an address say."""

from spackmon.errors import Code, Refused
from spackmon.web.pages import PageRequest


def whole_number(request: PageRequest, word: str, default: int, least: int, most: int) -> int:
    """The number after a word, or the default. Raises Refused where it is none within these bounds."""
    text = request.query_params.get(word, "").strip() or str(default)
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        sentence = f"`{word}` must be a whole number from {least} to {most}"
        raise Refused(Code.ARGUMENT_INVALID, sentence)
    return number
