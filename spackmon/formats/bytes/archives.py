"""Archives (tar, gzipped or otherwise compressed, and zip) unpacked into a directory, as far as it is of use.

An archive is somebody else's: nothing is written outside of the directory, no link, device or pipe is made,
and it may not unpack into much more than builds do. Of an installed prefix only `.spack` is unpacked, beside
it what begins like a document.
"""

import errno
import io
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Protocol, cast

from spackmon.errors import Code, Refused
from spackmon.formats.bytes.compression import UnpackedFile, compression_of
from spackmon.formats.bytes.folder import MAXIMUM_FILE_BYTES

# Logs of compilers shrink to a fiftieth at most; a bomb is a thousand times its size.
_MAXIMUM_RATIO = 200
_ANY_ARCHIVE_BYTES = 64 << 20
_MAXIMUM_FILES = 2_000_000
_PIECE_BYTES = 1 << 18
_HEAD_BYTES = 16

_TAR_MARK, _TAR_MARK_AT = b"ustar", 257
_ZIP_MARKS = (b"PK\x03\x04", b"PK\x05\x06")

_METADATA = ".spack"
_ARCHIVING_ERRORS = ("archived-files", "errors.txt")
_NEVER_UNPACKED = frozenset({"spack-src", ".spack-env", ".git"})
_SUFFIXES = (".json", ".jsonl", ".lock", ".log", ".ndjson", ".txt", ".xml", ".yaml", ".yml")
_BEGINNINGS = (b"{", b"[", b"<", b"\x1f\x8b", b"\x28\xb5\x2f\xfd")

_DAMAGED = (
    OSError, EOFError, ValueError, NotImplementedError, RuntimeError, zlib.error, lzma.LZMAError,
    tarfile.TarError, zipfile.BadZipFile,
)  # fmt: skip


def is_archive(path: Path) -> bool:
    """Whether a file is a tar, however compressed, or a zip, by its content."""
    try:
        with path.open("rb") as file:
            head = _head(file)
            if head.startswith(_ZIP_MARKS):
                return True
            return _uncompressed(file, head).read(512)[_TAR_MARK_AT:].startswith(_TAR_MARK)
    except _DAMAGED:
        return False


def unpack(path: Path, into: Path) -> Iterator[Refused]:
    """Unpack what can be of use of an archive; yields what was left out and why, and goes on if it can."""
    allowed_bytes = max(_ANY_ARCHIVE_BYTES, path.stat().st_size * _MAXIMUM_RATIO)
    left = _Left(allowed_bytes)
    try:
        with path.open("rb") as file:
            head = _head(file)
            is_zip = head.startswith(_ZIP_MARKS)
            members = _zip_members(file) if is_zip else _tar_members(file, head, _Left(allowed_bytes))
            for member in members:
                try:
                    _write(member, into, left)
                except Refused as refused:
                    yield refused
    except _TooMuchError as problem:
        yield Refused(Code.ARCHIVE_TOO_LARGE, f"it unpacks into {problem}: the rest is left out")
    except _DAMAGED as problem:
        yield Refused(Code.ARCHIVE_DAMAGED, f"it cannot be read from here on: {problem}")


def _head(file: IO[bytes]) -> bytes:
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    return head


class _TooMuchError(Exception):
    """An archive holds more than it may."""


@dataclass(slots=True)
class _Left:
    """What an archive may still unpack into."""

    allowed_bytes: int
    used_bytes: int = 0
    files: int = 0

    def take_file(self) -> None:
        self.files += 1
        if self.files > _MAXIMUM_FILES:
            raise _TooMuchError(f"more than {_MAXIMUM_FILES} files")

    def take(self, size_bytes: int) -> None:
        self.used_bytes += size_bytes
        if self.used_bytes > self.allowed_bytes:
            raise _TooMuchError(f"more than {self.allowed_bytes >> 20} MiB")


@dataclass(frozen=True, slots=True)
class _Member:
    """`problem` says what is wrong with one that is no file but should be."""

    name: str
    size_bytes: int
    modified_at_seconds: float
    open: Callable[[], IO[bytes] | None]
    problem: str | None = None


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Counted:
    """A stream that takes what is read of it from an allowance: what is skipped costs time as well."""

    def __init__(self, stream: _Stream, left: _Left) -> None:
        self._stream = stream
        self._left = left

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._left.take(len(data))
        return data


def _uncompressed(file: IO[bytes], head: bytes) -> _Stream:
    compression = compression_of(head)
    return file if compression is None else UnpackedFile(file, compression)


def _tar_members(file: IO[bytes], head: bytes, left: _Left) -> Iterator[_Member]:
    stream = _Counted(_uncompressed(file, head), left)
    with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|") as tar:
        while (member := tar.next()) is not None:
            # It would keep them all: every file of a site.
            tar.members.clear()  # type: ignore[attr-defined]
            if member.isfile():
                yield _Member(member.name, member.size, member.mtime, partial(tar.extractfile, member))
            elif member.islnk():
                yield _Member(member.name, 0, 0, _nothing, f"is a hard link to {member.linkname}")
            elif not member.isdir() and not member.issym():
                yield _Member(member.name, 0, 0, _nothing, "is a device or a pipe")


def _zip_members(file: IO[bytes]) -> Iterator[_Member]:
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            if not member.is_dir() and kind in (0, stat.S_IFREG):
                # A zip has local times of no named zone: what it holds was written at no known time.
                yield _Member(member.filename, member.file_size, 0, partial(archive.open, member))


def _nothing() -> None:
    return None


def _write(member: _Member, into: Path, left: _Left) -> None:
    """Write a member that is of use. Raises Refused naming a member that is, and cannot be written."""
    parts = _parts(member.name)
    if not parts or not _may_be_of_use(parts):
        return
    in_metadata = _METADATA in parts
    if member.problem is not None:
        if in_metadata:
            raise _left_out(member, f"it {member.problem}")
        return
    if member.size_bytes > MAXIMUM_FILE_BYTES:
        raise _left_out(member, f"it is larger than {MAXIMUM_FILE_BYTES >> 20} MiB")
    try:
        with member.open() or io.BytesIO() as stream:
            head = stream.read(_PIECE_BYTES)
            if in_metadata or _begins_as_document(parts[-1], head):
                left.take_file()
                target = into.joinpath(*parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                _copy(head, stream, target, left)
                with suppress(OSError, OverflowError, ValueError):
                    os.utime(target, (member.modified_at_seconds, member.modified_at_seconds))
    except _DAMAGED as problem:
        if isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _TooMuchError("more than the temporary directory has room for") from None
        # An error of the system would name the temporary directory, which is gone when it is read.
        reason = getattr(problem, "strerror", None) or str(problem)
        raise _left_out(member, reason) from None


def _copy(piece: bytes, stream: IO[bytes], target: Path, left: _Left) -> None:
    """Write the whole member or nothing of it: the beginning of a log would be taken for all of it."""
    written_bytes = 0
    with target.open("wb") as file:
        try:
            while piece:
                left.take(len(piece))
                written_bytes += len(piece)
                if written_bytes > MAXIMUM_FILE_BYTES:
                    raise ValueError(f"it is larger than {MAXIMUM_FILE_BYTES >> 20} MiB")
                file.write(piece)
                piece = stream.read(_PIECE_BYTES)
        except BaseException:
            target.unlink()
            raise


def _parts(name: str) -> tuple[str, ...]:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise Refused(
            Code.ARCHIVE_UNSAFE, f"{name} is left out: a member must lie below the archive's own directory"
        )
    return path.parts


def _may_be_of_use(parts: tuple[str, ...]) -> bool:
    if not _NEVER_UNPACKED.isdisjoint(parts):
        return False
    if _METADATA not in parts:
        return True
    within = parts[parts.index(_METADATA) + 1 :]
    return len(within) == 1 or within == _ARCHIVING_ERRORS


def _begins_as_document(name: str, head: bytes) -> bool:
    return name.endswith(_SUFFIXES) or head.lstrip().startswith(_BEGINNINGS)


def _left_out(member: _Member, problem: str) -> Refused:
    return Refused(Code.ARCHIVE_MEMBER_UNREADABLE, f"{member.name} is left out: {problem}")
