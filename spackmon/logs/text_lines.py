"""Lines of a window around a place, as text."""

import re
from collections.abc import Iterable, Iterator

LONGEST_LINE = 2000
"""Bytes of a line that are looked at: no diagnostic says more of use, and a line may be a megabyte."""

_NUMBERED = re.compile(r"^\s*(?:>> )?\s*\d+ {4}")
_SPACK_TIME = re.compile(r"^==> \[\d{4}-[\d:.T -]+\] ")
_RUNNER_TIME = re.compile(r"^20\d\d-\d\d-\d\d[T ][\d:.]+Z? (?:\d\d[OE][+ ])?(?!ERROR \d)")
_WRAPPED = re.compile(r"^ {8,}\S")
_EXCERPT_COLUMNS = 80


def decoded(line: bytes) -> str:
    """UTF-8, or Latin-1 where it is none; of a line that was redrawn the last part that is not empty."""
    if b"\r" in line:
        line = next((part for part in reversed(line.split(b"\r")) if part.strip()), b"")
    line = line[:LONGEST_LINE]
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        # A character that the cut went through is no reason to read the rest as Latin-1.
        if error.start >= len(line) - 4 and len(line) == LONGEST_LINE:
            return line[: error.start].decode()
        return line.decode("latin-1")


def without_number(line: str) -> str:
    """A line as it was before Spack numbered it for an excerpt (`  >> 12    a.c:1:2: error: …`)."""
    return _NUMBERED.sub("", line, count=1)


def without_time(line: str) -> str:
    """A line without the time that Spack's messages or a CI runner put before it."""
    if line.startswith("==> ["):
        return _SPACK_TIME.sub("==> ", line, count=1)
    return _RUNNER_TIME.sub("", line, count=1) if line[:2] == "20" else line


def unwrapped(line: str, following: Iterable[str]) -> str:
    """A line of an excerpt with what Spack wrapped to the lines below it, as it was."""
    for rest in following:
        if not _WRAPPED.match(rest) or _NUMBERED.match(rest):
            break
        line = line.rstrip("\n")
        line += ("" if len(line) >= _EXCERPT_COLUMNS else " ") + rest.lstrip()
    return without_number(line)


def below(text: bytes, end: int, is_excerpt: bool, most: int) -> Iterator[tuple[str, int]]:
    """The lines after the one that ends at `end`, at most `most`, each with the offset of its own end."""
    for _ in range(most):
        if end >= len(text) - 1:
            return
        start = end + 1
        end = text.find(b"\n", start)
        if end < 0:
            end = len(text)
        line = decoded(text[start : min(end, start + 4 * LONGEST_LINE)])
        yield (without_number(line) if is_excerpt else line), end


def above(text: bytes, start: int, is_excerpt: bool, most: int) -> Iterator[tuple[str, int]]:
    """The lines before the one that starts at `start`, the nearest first, each with its own start."""
    for _ in range(most):
        end = start - 1
        if end <= 0:
            return
        start = text.rfind(b"\n", 0, end) + 1
        line = decoded(
            text[max(start, end - 4 * LONGEST_LINE) : end]
            if end - start > 4 * LONGEST_LINE
            else text[start:end]
        )
        yield (without_number(line) if is_excerpt else line), start
