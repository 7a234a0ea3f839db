"""Bytes that are too many for the memory: in a file without a name, mapped as far as it is in use."""

import hashlib
import mmap
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self, SupportsIndex, TypeAlias, overload

LARGE_BYTES = 1 << 18
"""More than this goes into a file."""

_WINDOW_BYTES = 1 << 20
# Elsewhere than in Linux and the BSDs pages are given back when the system wants them.
_GIVE_BACK = getattr(mmap, "MADV_DONTNEED", None)


Slice: TypeAlias = "slice[SupportsIndex | None, SupportsIndex | None, SupportsIndex | None]"


class LargeBytes(mmap.mmap):
    """Read like bytes, by slices, `find` and regular expressions; what was read leaves the memory.

    The file ends with its last reference.
    """

    directory: Path

    @overload
    def __getitem__(self, key: SupportsIndex, /) -> int: ...

    @overload
    def __getitem__(self, key: "Slice", /) -> bytes: ...

    def __getitem__(self, key: "SupportsIndex | Slice", /) -> int | bytes:
        """A byte, or a copy of some."""
        content: int | bytes = super().__getitem__(key)
        if isinstance(key, slice):
            start, stop, _ = key.indices(len(self))
            self.give_back(start, stop)
        return content

    def find(self, part: Any, start: int = 0, stop: int | None = None, /) -> int:
        """As of bytes."""
        end = len(self) if stop is None else min(stop, len(self))
        while start < end:
            # Of a copy: the search of mmap in Python 3.11.2 reads past a file that fills its page, and dies.
            found = self[start : min(start + _WINDOW_BYTES + len(part), end)].find(part)
            if found >= 0:
                return start + found
            start += _WINDOW_BYTES
        return -1

    def give_back(self, start: int, stop: int) -> None:
        """Take a part out of the memory; it is read from the file when it is wanted again."""
        # The system maps what is around a page as well, which may have been given back before.
        start = max(0, start - start % mmap.PAGESIZE - _WINDOW_BYTES)
        if _GIVE_BACK is not None and stop > start:
            self.madvise(_GIVE_BACK, start, min(stop, len(self)) - start)


AnyBytes = bytes | bytearray | LargeBytes


class Writer:
    """Collects bytes: in the memory as long as they are few, then in a file."""

    def __init__(self, directory: Path) -> None:
        """The file is made in `directory`, which is made if it is missing, when it is needed."""
        self._directory = directory
        self._pending = bytearray()
        self._file: Any = None
        self.size_bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether `flush` is due."""
        return len(self._pending) > LARGE_BYTES

    @property
    def is_in_file(self) -> bool:
        """Whether `finish` writes to a file."""
        return self._file is not None

    def add(self, piece: bytes) -> None:
        """Append to what is in the memory."""
        self._pending += piece
        self.size_bytes += len(piece)

    def flush(self) -> None:
        """Write what is in the memory to the file. Raises OSError."""
        if self._file is None:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(  # noqa: SIM115 -- closed by `close`
                dir=self._directory, prefix=".spackmon-", buffering=0
            )
        left = memoryview(self._pending)
        while left:
            left = left[self._file.write(left) :]
        self._pending = bytearray()

    def finish(self) -> bytearray | LargeBytes:
        """All of it. Raises OSError."""
        if self._file is None:
            return self._pending
        self.flush()
        with self._file as file:
            content = LargeBytes(file.fileno(), 0, access=mmap.ACCESS_READ)
        content.directory = self._directory
        return content

    def close(self) -> None:
        """Drop what was collected."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def pieces(content: AnyBytes) -> Iterator[memoryview | bytes]:
    """`content`, some at a time."""
    if not isinstance(content, LargeBytes):
        yield memoryview(content)
        return
    for start in range(0, len(content), _WINDOW_BYTES):
        yield content[start : start + _WINDOW_BYTES]


def hashed(content: AnyBytes, digest: "hashlib._Hash") -> "hashlib._Hash":
    """The `digest`, of hashlib, with all of `content` in it."""
    for piece in pieces(content):
        digest.update(piece)
    return digest
