"""Files of JSON documents: one a file or one a line, gzipped or not, some of them damaged."""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from spackmon.errors import Refused
from spackmon.formats.json_body import parse

_GZIP_MAGIC = b"\x1f\x8b"
# What a line must have, to be taken for a document of its own in a file that begins with a damaged one.
_MARKS = frozenset({"spec", "nodes", "spack_version"})


@dataclass(frozen=True, slots=True)
class Document:
    """One parsed document, or the `problem` with it.

    `read_bytes` says how much of the file (as it lies on disk) had been read by then.
    """

    path: Path
    line_number: int
    content: object
    problem: str | None
    read_bytes: int

    @property
    def place(self) -> str:
        """`specs.jsonl:17`."""
        return f"{self.path}:{self.line_number}"


def documents(path: Path) -> Iterator[Document]:
    """The documents of one file, as they are read. Raises Refused when it cannot be opened."""
    try:
        raw = path.open("rb")
    except OSError as error:
        raise Refused("FILE_UNREADABLE", 400, f"cannot read {path}: {error.strerror}") from None
    with raw:
        is_gzip = raw.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
        raw.seek(0)
        last_line = 0
        try:
            with gzip.GzipFile(fileobj=raw) if is_gzip else raw as stream:
                for document in _documents(path, stream, raw):
                    last_line = document.line_number
                    yield document
        except (OSError, EOFError, zlib.error) as error:
            problem = f"the file cannot be read from here on: {error}"
            yield Document(path, last_line + 1, None, problem, path.stat().st_size)


def _documents(path: Path, stream: Iterable[bytes], raw: IO[bytes]) -> Iterator[Document]:
    lines = ((number, line) for number, line in enumerate(stream, 1) if line.strip())
    first = next(lines, None)
    if first is None:
        yield Document(path, 1, None, "the file is empty", raw.tell())
        return
    document = _parse(path, *first, raw)
    if document.problem is not None:
        # A document over many lines, or a damaged line: what follows tells.
        rest = list(lines)
        if not any(_stands_alone(_parse(path, *line, raw)) for line in rest):
            yield _parse(path, first[0], first[1] + _joined(first[0], rest), raw)
            return
        lines = (line for line in rest)
    yield document
    for line in lines:
        yield _parse(path, *line, raw)


def _joined(number: int, lines: list[tuple[int, bytes]]) -> bytes:
    """Lines as they stood in the file after line `number`, blank ones too: errors name lines."""
    pieces = []
    for line_number, line in lines:
        pieces.append(b"\n" * (line_number - number - 1) + line)
        number = line_number
    return b"".join(pieces)


def _parse(path: Path, number: int, text: bytes, raw: IO[bytes]) -> Document:
    content = None
    try:
        content, problem = parse(text.decode()), None
    except json.JSONDecodeError as error:
        number += error.lineno - 1
        problem = f"this is not JSON: {error.msg} at column {error.colno}"
    except UnicodeDecodeError:
        problem = "this is not JSON: the text is not UTF-8"
    except RecursionError:
        problem = "this is nested too deeply"
    except ValueError as error:  # NaN, or a number of more digits than Python reads
        problem = f"this is not JSON: {error}"
    return Document(path, number, content, problem, raw.tell())


def _stands_alone(document: Document) -> bool:
    return isinstance(document.content, dict) and not _MARKS.isdisjoint(document.content)
