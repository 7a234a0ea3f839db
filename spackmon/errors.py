"""The errors a user can meet: a code, an HTTP status and one sentence that says what to do."""

_LONGEST_SENTENCE = 1000


class Refused(Exception):  # noqa: N818 -- an answer, not a fault of the program
    """An input that cannot be applied.

    `code` is for programs (`SPEC_UNKNOWN`), `status` for HTTP, `sentence` for the sender: it names the
    field and what was expected. What it quotes may be anything a client sent, and it goes into answers,
    logs and the database: characters that one of them cannot hold are escaped, and it is cut. `position` is
    the offset, from 0, of the character that could not be read, where the input is a text that people write.
    """

    def __init__(self, code: str, status: int, sentence: str, *, position: int | None = None) -> None:
        self.code = code
        self.status = status
        self.position = position
        self.sentence = _printable(sentence)
        super().__init__(self.sentence)


def _printable(sentence: str) -> str:
    if len(sentence) > _LONGEST_SENTENCE:
        sentence = sentence[: _LONGEST_SENTENCE - 1] + "…"
    if sentence.isprintable():
        return sentence
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in sentence)
