"""Parts of a document, or of the files of one thing, that cannot be read; the rest is imported."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from spackmon.errors import Code, Refused
from spackmon.formats.bytes.fields import FieldUnfit

_QUOTED = 3

Given = ParamSpec("Given")
Value = TypeVar("Value")


def newer(version: str, stated: int | str, latest: int) -> str:
    """How a version is named that came after those known here."""
    return f"its {version} {stated} is newer than {latest}, the latest that is known here"


class Damage:
    """Gathers the parts that have to be left out; `settle`, after all others are read, names them.

    `newer` are sentences about versions after those known here, whose parts are read as far as they can be.
    """

    def __init__(self) -> None:
        self.newer: list[str] = []
        self._quoted: list[str] = []
        self._parts = 0

    def add(self, sentence: str, *, parts: int = 1) -> None:
        """So many parts are left out, for the reason that the sentence says."""
        self._parts += parts
        if len(self._quoted) < _QUOTED:
            self._quoted.append(sentence)

    def attempt(
        self, read: Callable[Given, Value], *given: Given.args, **named: Given.kwargs
    ) -> Value | None:
        """What `read` gives; None where it cannot, and the part is left out."""
        try:
            return read(*given, **named)
        except (Refused, FieldUnfit) as problem:
            self.add(problem.sentence)
            return None

    def settle(self) -> None:
        """Raises Refused DOCUMENT_INCOMPLETE with the first reasons, if anything was left out.

        Raises Refused DOCUMENT_NEWER if all that is understood was read of a newer document.
        """
        newer = " and ".join(self.newer)
        if not self._parts:
            if newer:
                raise Refused(Code.DOCUMENT_NEWER, f"{newer}: what is understood of it was read")
            return
        parts = "a part of it" if self._parts == 1 else f"{self._parts} parts of it"
        more = "; …" if self._parts > len(self._quoted) else ""
        sentence = f"{parts} cannot be read: {'; '.join(self._quoted)}{more}{newer and f'; {newer}'}"
        raise Refused(Code.DOCUMENT_INCOMPLETE, sentence)
