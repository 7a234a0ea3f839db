"""The errors a user can meet: a code, an HTTP status and one sentence that says what to do."""


class Refused(Exception):  # noqa: N818 -- an answer, not a fault of the program
    """An input that cannot be applied.

    `code` is for programs (`SPEC_UNKNOWN`), `status` for HTTP, `sentence` for the sender: it names the
    field and what was expected.
    """

    def __init__(self, code: str, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.status = status
        self.sentence = sentence
