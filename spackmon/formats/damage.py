"""What of a document cannot be read while the rest of it goes in."""

from spackmon.errors import Refused

_QUOTED = 3


class Damage:
    """Gathers the parts that had to be left out; `settle`, after all others went out, names them."""

    def __init__(self) -> None:
        self._quoted: list[str] = []
        self._parts = 0

    def add(self, sentence: str, *, parts: int = 1) -> None:
        """So many parts are left out, for the reason that the sentence says."""
        self._parts += parts
        if len(self._quoted) < _QUOTED:
            self._quoted.append(sentence)

    def settle(self) -> None:
        """Raises Refused DOCUMENT_INCOMPLETE with the first reasons, if anything was left out."""
        if not self._parts:
            return
        parts = "a part of it" if self._parts == 1 else f"{self._parts} parts of it"
        more = "; …" if self._parts > len(self._quoted) else ""
        sentence = f"{parts} cannot be read: {'; '.join(self._quoted)}{more}"
        raise Refused("DOCUMENT_INCOMPLETE", 400, sentence)
