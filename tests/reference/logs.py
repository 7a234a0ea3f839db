"""Logs line by line."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spackmon import models
from spackmon.errors import Code, Refused
from spackmon.logs import chunks
from tests.reference.rows import Rows


@dataclass(frozen=True)
class Log:
    """A log, and which of its lines are asked for."""

    row: Any
    whole: bytes
    first: int
    last: int

    @property
    def every_line(self) -> list[bytes]:
        """Its lines, with what ends them."""
        return [line for line in re.split(rb"(?<=\n)", self.whole) if line]

    def lines(self) -> bytes:
        """Those that are asked for."""
        if 0 in (self.first, self.last) or (self.first * self.last > 0 and self.first > self.last):
            raise Refused(Code.ARGUMENT_INVALID, "not lines")
        every = self.every_line
        first, last = (len(every) + one + 1 if one < 0 else one for one in (self.first, self.last))
        return b"".join(line for number, line in enumerate(every, 1) if first <= number <= last)

    def text(self) -> str:
        """The same as text."""
        return self.lines().decode("utf-8", "replace")

    def plain_text(self) -> str:
        """The site's logs have this sequence alone, and draw nothing again."""
        return self.text().replace("\x1b[31m", "")

    def plain_lines(self) -> list[str]:
        """All lines of the whole, without what ends them."""
        lines = Log(self.row, self.whole, 1, -1).plain_text().split("\n")
        return lines[:-1] if lines[-1] == "" else lines

    def base64(self) -> str:
        """The same in base64."""
        return base64.b64encode(self.lines()).decode()


def log_of(rows: Rows, phase: Any, arguments: Mapping[str, Any]) -> Log | None:
    """The log of a phase that came with output."""
    row = rows.get(models.Log, phase.log_id)
    if row is None:
        return None
    ordered = sorted(rows.by(models.LogChunk, "log_id", row.id), key=lambda chunk: int(chunk.number))
    first, last = (arguments.get(name) for name in ("fromLine", "toLine"))
    whole = chunks.join(chunk.content for chunk in ordered)
    return Log(row, whole, 1 if first is None else first, -1 if last is None else last)
