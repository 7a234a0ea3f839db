"""The files of a directory that somebody else filled: only regular ones, each with a limit.

A link is not followed, so that a prefix cannot make an import read a file that its owner could not; a pipe or
a device is not waited for.
"""

import os
import stat
from pathlib import Path
from typing import Any

from spackmon.errors import Code, Refused
from spackmon.formats.bytes.compression import unpacked
from spackmon.formats.bytes.fields import object_of
from spackmon.formats.bytes.json_body import read_json

MAXIMUM_FILE_BYTES = 1 << 30
"""As much as one value of the database holds; the largest log that a client can post."""


class Folder:
    """The regular files of one directory, by name; what cannot be read is Refused, naming the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with os.scandir(path) as entries:
                self.names = frozenset(e.name for e in entries if e.is_file(follow_symlinks=False))
        except OSError as problem:
            raise _unreadable(path.name, problem.strerror) from None

    def read(self, name: str) -> bytes | None:
        """The bytes of a file, None where there is none of that name."""
        return read_file(self.path / name) if name in self.names else None

    def log(self, name: str) -> bytes | None:
        """A log, gzipped (and named so) or not; None where there is none."""
        written = self.read(name)
        if written is not None:
            return written
        packed = self.read(f"{name}.gz")
        return None if packed is None else unzipped(packed, f"{name}.gz")

    def text(self, name: str) -> str | None:
        """A text; bytes that are no UTF-8, and NUL, become escapes."""
        written = self.read(name)
        return None if written is None else written.decode("utf-8", "backslashreplace").replace("\0", r"\x00")

    def json(self, name: str) -> dict[str, Any] | None:
        """A JSON object."""
        written = self.read(name)
        return None if written is None else json_object(written, name)

    def size_bytes(self, name: str) -> int | None:
        """How large a file is, as it lies there."""
        return self._status(name).st_size if name in self.names else None

    def modified_at_seconds(self, name: str) -> float | None:
        """When a file was last written, since 1970."""
        return self._status(name).st_mtime if name in self.names else None

    def _status(self, name: str) -> os.stat_result:
        try:
            return (self.path / name).lstat()
        except OSError as problem:
            raise _unreadable(name, problem.strerror) from None


def read_file(path: Path, name: str | None = None) -> bytes:
    """The bytes of a regular file, called `name` in a refusal.

    Raises Refused FILE_UNREADABLE or FILE_TOO_LARGE.
    """
    shown = path.name if name is None else name
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb", buffering=0) as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _unreadable(shown, "it is no regular file")
            if status.st_size > MAXIMUM_FILE_BYTES:
                raise _too_large(shown)
            return file.read(status.st_size + 1)
    except (OSError, ValueError) as problem:
        raise _unreadable(shown, getattr(problem, "strerror", None)) from None


def unzipped(packed: bytes, name: str) -> bytes:
    """What a gzip file holds. Raises Refused FILE_DAMAGED or FILE_TOO_LARGE."""
    try:
        content, damage = unpacked(packed, MAXIMUM_FILE_BYTES)
    except Refused:
        raise _too_large(name) from None
    if damage is not None:
        raise Refused(Code.FILE_DAMAGED, f"{name} cannot be read: {damage.sentence}")
    return content


def json_object(written: bytes, name: str) -> dict[str, Any]:
    """The JSON object that the file `name` states. Raises Refused FILE_DAMAGED."""
    try:
        return object_of(read_json(written), name)
    except Refused as refused:
        problem = refused.sentence.removeprefix("the body must be a JSON object: ")
        raise Refused(Code.FILE_DAMAGED, f"{name} must be a JSON object: {problem}") from None


def _unreadable(name: str, problem: str | None) -> Refused:
    return Refused(Code.FILE_UNREADABLE, f"{name} cannot be read: {problem or 'its name is not valid'}")


def _too_large(name: str) -> Refused:
    return Refused(Code.FILE_TOO_LARGE, f"{name} is larger than {MAXIMUM_FILE_BYTES >> 20} MiB")
