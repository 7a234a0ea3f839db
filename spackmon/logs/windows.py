"""A log of any size as overlapping windows of whole lines, without what only steers a terminal.

The pieces in which a log arrives do not matter: a window is cut after a fixed number of bytes, so that the
same log has the same windows however it is read.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from spackmon.logs.terminal import without_sequences

WINDOW_BYTES = 1 << 20
BEHIND_BYTES = 32 * 1024
AHEAD_BYTES = 64 * 1024
"""What a window repeats of the one before it, and what it shows of the one after it: no event needs more."""


@dataclass(frozen=True, slots=True)
class Window:
    """`text` begins with a line feed; line `first_line` (from 1) stands after it.

    What begins at `begin` or later and before `end` is this window's own; the rest is there to look at.
    """

    text: bytes
    first_line: int
    begin: int
    end: int


def windows(pieces: Iterable[bytes | memoryview]) -> Iterator[Window]:
    """The windows of a log; at most 1.2 MB of it is in memory."""
    text, begin, first_line = b"\n", 1, 1
    for whole_lines, is_last in _whole_lines(pieces):
        text += without_sequences(whole_lines)
        end = len(text)
        if not is_last:
            end = max(begin, text.rfind(b"\n", 0, max(len(text) - AHEAD_BYTES, 1)) + 1)
        yield Window(text, first_line, begin, end)
        if not is_last:
            behind = max(text.rfind(b"\n", 0, max(end - BEHIND_BYTES, 1)), 0)
            first_line += text.count(b"\n", 1, behind + 1) if behind else 0
            text, begin = text[behind:], end - behind


def _whole_lines(pieces: Iterable[bytes | memoryview]) -> Iterator[tuple[bytes, bool]]:
    """About WINDOW_BYTES each, cut after a line, or within one that is longer."""
    waiting: list[bytes | memoryview] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size < WINDOW_BYTES + 1:
            continue
        log = b"".join(waiting)
        start = 0
        while len(log) - start > WINDOW_BYTES:
            cut = log.rfind(b"\n", start, start + WINDOW_BYTES) + 1 or start + WINDOW_BYTES
            yield log[start:cut], False
            start = cut
        waiting, size = [log[start:]], len(log) - start
    yield b"".join(waiting), True
