"""A backup: one ZIP file with a member for each table (zstd), files from beside the database, and a manifest.

The manifest names the revision, and of each table its columns, how many rows it has and their digest. It is
written last, and the file gets its name when all of it is on the disk: what has the name is whole.
"""

import json
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

import zstandard

from spackmon.errors import Code, Refused
from spackmon.models import utc_now
from spackmon.ops.copies.copying import Source
from spackmon.ops.copies.forms import Content, Form

_VERSION = 1
_MANIFEST = "manifest.json"
_FILES = "files/"
_OWNER_ALONE = 0o600


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself; `tables` has of each table its rows and their digest."""

    version: int
    made_at: str
    revision: str
    forms: Sequence[Form]
    tables: Mapping[str, tuple[int, str]]
    last_numbers: dict[str, int]


def write(path: Path, source: Source, files: Mapping[str, bytes]) -> int:
    """Write a backup of `source` and of `files` by their names, and read it back; how many rows it has.

    Raises OSError, and Refused BACKUP_DAMAGED where the disk has not what was written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _OWNER_ALONE)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                tables = {form.name: _write_table(archive, source, form) for form in source.forms}
                for name, content in files.items():
                    archive.writestr(_FILES + name, content)
                manifest = Manifest(
                    _VERSION, utc_now().isoformat(timespec="seconds"), source.revision, source.forms, tables,
                    source.last_numbers,
                )  # fmt: skip
                archive.writestr(_MANIFEST, json.dumps(asdict(manifest), indent=1))
            file.flush()
            os.fsync(file.fileno())
        rows = check(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return rows


def check(path: Path) -> int:
    """Read all of a backup; how many rows it has. Raises Refused as `opened`."""
    with opened(path) as archive:
        archive.files()
        return sum(archive.content(form).rows for form in archive.forms)


def _write_table(archive: zipfile.ZipFile, source: Source, form: Form) -> tuple[int, str]:
    content = Content()
    compressor = zstandard.ZstdCompressor(level=3)
    with archive.open(_member(form), "w", force_zip64=True) as raw, compressor.stream_writer(raw) as member:
        for line in source.lines(form):
            content.add(line)
            member.write(line + b"\n")
    return content.rows, content.digest


def _member(form: Form) -> str:
    return f"tables/{form.name}.ndjson.zst"


@dataclass(frozen=True, slots=True)
class Archive:
    """A backup that is read; it is a Source."""

    file: zipfile.ZipFile
    manifest: Manifest

    @property
    def revision(self) -> str:
        """See Source."""
        return self.manifest.revision

    @property
    def forms(self) -> Sequence[Form]:
        """See Source."""
        return self.manifest.forms

    @property
    def last_numbers(self) -> dict[str, int]:
        """See Source."""
        return self.manifest.last_numbers

    def lines(self, form: Form) -> Iterator[bytes]:
        """See Source. Raises Refused BACKUP_DAMAGED, at the latest when all were read."""
        content = Content()
        with _damage_named(_member(form)), self.file.open(_member(form)) as raw:
            for line in _lines(raw):
                content.add(line)
                yield line
        if (content.rows, content.digest) != self.manifest.tables.get(form.name):
            raise _damaged(f"{form.name} is not what was written")

    def content(self, form: Form) -> Content:
        """See Source."""
        content = Content()
        for line in self.lines(form):
            content.add(line)
        return content

    def files(self) -> dict[str, bytes]:
        """What lay beside the database, by name."""
        with _damage_named(_FILES):
            names = [name for name in self.file.namelist() if name.startswith(_FILES)]
            return {name.removeprefix(_FILES): self.file.read(name) for name in names}


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """A backup. Raises Refused: FILE_UNREADABLE, BACKUP_DAMAGED."""
    try:
        file = zipfile.ZipFile(path)
    except OSError as error:
        raise Refused(Code.FILE_UNREADABLE, f"{path}: {error.strerror}") from None
    except zipfile.BadZipFile:
        raise _damaged("it is no backup, or a part of one") from None
    with file:
        yield Archive(file, _manifest(file))


def _manifest(file: zipfile.ZipFile) -> Manifest:
    with _damage_named(_MANIFEST):
        read = json.loads(file.read(_MANIFEST))
        if read["version"] > _VERSION:
            raise Refused(Code.BACKUP_DAMAGED, "a newer spackmon made this backup: update spackmon")
        forms = [
            Form(one["name"], tuple((name, kind) for name, kind in one["columns"]), one["sequence"])
            for one in read["forms"]
        ]
        tables = {name: (int(rows), str(digest)) for name, (rows, digest) in read["tables"].items()}
        datetime.fromisoformat(read["made_at"])
        return Manifest(
            read["version"], read["made_at"], read["revision"], forms, tables, dict(read["last_numbers"])
        )


@contextmanager
def _damage_named(member: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile, zstandard.ZstdError) as error:
        raise _damaged(f"{member} cannot be read") from error


def _damaged(reason: str) -> Refused:
    return Refused(Code.BACKUP_DAMAGED, f"the backup is damaged: {reason}")


def _lines(raw: IO[bytes]) -> Iterator[bytes]:
    pending = b""
    for piece in zstandard.ZstdDecompressor().read_to_iter(raw):
        *whole, pending = (pending + piece).split(b"\n")
        yield from whole
    if pending:
        raise ValueError("the last line has no end")
