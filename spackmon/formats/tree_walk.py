"""What lies in a directory tree, an archive or a file, one after the other: prefixes, stages, documents.

Links are not followed. Into what is recognized the walk does not descend: of a prefix only `.spack` is read,
of a stage its logs. Every other file is taken for a document, and says itself if it is none; but where Spack
keeps files of its own, in an install tree or an environment, those that are none are passed over.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from spackmon.errors import Code, Refused, printable
from spackmon.formats import detect
from spackmon.formats.bytes.archives import is_archive, unpack
from spackmon.formats.bytes.folder import Folder, read_file
from spackmon.formats.installs.ci_job_folder import DETAILS, jobs_in, read_job
from spackmon.formats.installs.develop_folder import is_develop_folder, read_develop_folder
from spackmon.formats.installs.elf_files import ElfReader
from spackmon.formats.installs.failed_stage import is_stage, is_stage_log, read_stage, read_stage_log
from spackmon.formats.installs.failure_marks import DIRECTORY as FAILURES
from spackmon.formats.installs.failure_marks import read_failure_marks
from spackmon.formats.installs.install_prefix import METADATA, is_prefix, read_prefix
from spackmon.formats.installs.local_save import saved_files
from spackmon.formats.installs.local_save_install import is_saved_run, read_saved_run
from spackmon.formats.specs.buildcache import is_spec_path, read_buildcache
from spackmon.formats.specs.known_nodes import KnownNodes
from spackmon.submission import Submission

_DATABASE = ".spack-db"
_MANIFEST_OF_ENVIRONMENT = "spack.yaml"
# Of an environment `.spack-env` has copies of recipes and links.
_NOT_ENTERED = frozenset({".git", ".spack-env", "spack-src"})
# Spack's script beside prefixes, locks, and of a `.spack-db` the time of the last change.
_NO_DOCUMENTS = frozenset({".lock", "sbang"})
_NO_DOCUMENTS_OF_DATABASE = frozenset({"lock", "prefix_lock", "prefix_failures", "index_verifier"})
# Spack's own code has specs to test it with.
_PROGRAM = frozenset({"bin", "lib", "share"})
_NOT_UNDERSTOOD = frozenset({Code.DOCUMENT_UNKNOWN, Code.ARCHIVE_NESTED, Code.SPEC_ABSTRACT})
# What Spack writes for itself to read: damaged, it is named wherever it lies.
_DOCUMENTS_OF_SPACK = frozenset({"index.json", "spack.lock", "spec.json", "spec.yaml"})

_LAYOUTS = ("v3/manifests", "build_cache")
_OF_BUILDCACHE = frozenset({"v3", "build_cache", "blobs"})
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ")
_HEAD_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Readable:
    """Something at `place` that may report builds or specs; it is read when `read` is iterated.

    The iterator may give something and then raise Refused about the rest. It is to be read before the next
    Readable is taken.
    """

    place: str
    size_bytes: int
    read: Callable[[], Iterator[Submission]]


def read_tree(path: Path, spack_version: str | None = None) -> Iterator[Readable]:
    """Everything that can be read at `path`, found while it is iterated, in the order of the names.

    `spack_version` is that of documents which do not say it themselves. What cannot be read, or is left out
    of an archive, is found as well: reading it raises Refused.
    """
    found_any = False
    for readable in _read(path, spack_version):
        found_any = True
        yield readable
    if not found_any:
        yield _refused(str(path), Code.NOTHING_FOUND, "there is nothing in it that could be imported")


def _read(path: Path, spack_version: str | None) -> Iterator[Readable]:
    try:
        whole = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        yield _refused(str(path), Code.FILE_UNREADABLE, f"it cannot be read: {reason}")
        return
    if whole.is_dir():
        start = whole.parent if whole.name == METADATA and is_prefix(whole) else whole
        with ElfReader() as elf:
            yield from _Walk(start, str(path), spack_version, elf, unpacked=False).found()
    elif not whole.is_file():
        yield _refused(str(path), Code.FILE_UNREADABLE, "it is neither a file nor a directory")
    elif is_archive(whole):
        with tempfile.TemporaryDirectory(prefix="spackmon-") as directory, ElfReader() as elf:
            for refused in unpack(whole, Path(directory)):
                yield Readable(printable(str(path)), 0, partial(_raise, refused))
            yield from _Walk(Path(directory), str(path), spack_version, elf, unpacked=True).found()
    else:
        yield _Walk(whole.parent, str(path.parent), spack_version, None, unpacked=False).file(whole)


class _Walk:
    """A walk through the directory `root`, which is shown as `shown`; `unpacked` out of an archive."""

    def __init__(
        self, root: Path, shown: str, spack_version: str | None, elf: ElfReader | None, *, unpacked: bool
    ) -> None:
        self._root = root
        self._shown = shown
        self._spack_version = spack_version
        self._unpacked = unpacked
        self._known = KnownNodes()
        self._elf = elf

    def found(self) -> Iterator[Readable]:
        """What lies in it, the things in a directory before those in the directories below."""
        pending = [(self._root, self._root.name == _DATABASE)]
        while pending:
            directory, is_spacks = pending.pop()
            try:
                with os.scandir(directory) as entries:
                    listed = sorted(entries, key=lambda entry: entry.name)
            except OSError as problem:
                sentence = f"the directory cannot be read: {problem.strerror}"
                yield _refused(self._place(directory), Code.FILE_UNREADABLE, sentence)
                continue
            directories = [entry.name for entry in listed if entry.is_dir(follow_symlinks=False)]
            files = [entry.name for entry in listed if entry.is_file(follow_symlinks=False)]
            whole = self._recognized(directory, directories)
            if whole is not None:
                yield whole
                continue
            entered = set(directories) - _NOT_ENTERED
            if _is_spack_itself(directory, directories):
                is_spacks, entered = True, entered - _PROGRAM
            is_spacks = is_spacks or _DATABASE in directories
            yield from self._files(directory, files, is_spacks=is_spacks)
            if _is_buildcache(directory, directories):
                read = partial(_buildcache, directory, self._name(directory), self._spack_version)
                files_of_specs = filter(is_spec_path, _buildcache_paths(directory))
                yield self._thing(directory, read, [directory / path for path in files_of_specs])
                entered -= _OF_BUILDCACHE
            for reproduction, logs in jobs_in(directory, directories):
                job = partial(read_job, directory / reproduction, directory / logs, self._known)
                yield self._thing(directory / logs, job, _files_in(directory / logs))
                entered.discard(logs)
            below = [(directory / name, is_spacks) for name in directories if name in entered]
            pending.extend(reversed(below))

    def file(self, path: Path) -> Readable:
        """A file by itself."""
        if is_stage_log(path.name):
            return self._thing(path, partial(read_stage_log, path), [path])
        place = _text(path.relative_to(self._root) if self._unpacked else path)
        return self._thing(path, partial(_document, path, place, self._spack_version, self._known), [path])

    def _recognized(self, directory: Path, directories: list[str]) -> Readable | None:
        if METADATA in directories and is_prefix(directory / METADATA):
            installed_at = None if self._unpacked else _text(directory)
            read = partial(read_prefix, directory, installed_at, self._known, self._elf)
            return self._thing(directory, read, _files_in(directory / METADATA))
        if is_stage(directory.name):
            return self._thing(directory, partial(read_stage, directory), _files_in(directory))
        if directory.name == FAILURES and directory.parent.name == _DATABASE:
            tree = None if self._unpacked else _text(directory.parent.parent)
            return self._thing(directory, partial(read_failure_marks, directory, tree), _files_in(directory))
        if is_develop_folder(directory, directories):
            return self._thing(
                directory, partial(read_develop_folder, directory, directories), _files_in(directory)
            )
        return None

    def _files(self, directory: Path, names: list[str], *, is_spacks: bool) -> Iterator[Readable]:
        of_environment = _MANIFEST_OF_ENVIRONMENT in names or DETAILS in names
        if is_saved_run(frozenset(names)):
            saved = [file.path for file in saved_files(directory)]
            yield self._thing(directory, partial(read_saved_run, directory), saved)
            names = sorted(set(names) - {path.name for path in saved})
        ignored = _NO_DOCUMENTS_OF_DATABASE if directory.name == _DATABASE else _NO_DOCUMENTS
        for name in sorted(set(names) - ignored):
            readable = self.file(directory / name)
            if is_spacks or of_environment:
                # A prefix that is being made, or that Spack has lost, holds files of any kind.
                any_kind = is_spacks and name not in _DOCUMENTS_OF_SPACK
                readable = replace(readable, read=partial(_understood, readable.read, any_kind=any_kind))
            yield readable

    def _thing(self, path: Path, read: Callable[[], Iterator[Submission]], files: list[Path]) -> Readable:
        size_bytes = 0
        for file in files:
            with suppress(OSError):
                size_bytes += file.lstat().st_size
        return Readable(self._place(path), size_bytes, read)

    def _name(self, path: Path) -> str:
        """What a buildcache is known by, from wherever it is imported."""
        return _text(Path(self._shown).absolute() / path.relative_to(self._root) if self._unpacked else path)

    def _place(self, path: Path) -> str:
        below = path.relative_to(self._root)
        return printable(self._shown if below == Path() else os.path.join(self._shown, below))


def _document(path: Path, place: str, spack_version: str | None, known: KnownNodes) -> Iterator[Submission]:
    """What a file states, compressed or not."""
    if is_archive(path):
        sentence = "an archive within a directory is not unpacked: import it by itself"
        raise Refused(Code.ARCHIVE_NESTED, sentence)
    if _is_binary(path):
        raise Refused(Code.DOCUMENT_UNKNOWN, "it is no text, and so no document of Spack")
    try:
        yield from detect.read_document("", read_file(path), spack_version, known=known, place=place)
    except Refused as refused:
        # The place where it was found names it.
        raise Refused(refused.code, refused.sentence.removeprefix(": ")) from None


def _understood(read: Callable[[], Iterator[Submission]], *, any_kind: bool) -> Iterator[Submission]:
    """What a file among Spack's own states; it need not be a document, `any_kind` not even a whole one."""
    try:
        yield from read()
    except Refused as refused:
        if not any_kind and refused.code not in _NOT_UNDERSTOOD:
            raise


def _is_spack_itself(directory: Path, directories: list[str]) -> bool:
    return {"bin", "lib"} <= set(directories) and (directory / "bin" / "spack").is_file()


def _text(path: Path) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _is_buildcache(directory: Path, directories: list[str]) -> bool:
    return any(layout.split("/")[0] in directories and (directory / layout).is_dir() for layout in _LAYOUTS)


def _buildcache_paths(directory: Path) -> Iterator[str]:
    """The files of a buildcache, by their paths in it."""
    for layout in (*_LAYOUTS, "blobs"):
        for parent, directories, files in os.walk(directory / layout):
            directories.sort()
            for name in sorted(files):
                yield (Path(parent) / name).relative_to(directory).as_posix()


def _buildcache(directory: Path, name: str, spack_version: str | None) -> Iterator[Submission]:
    def fetch(path: str) -> bytes:
        file = directory / path
        file.lstat()  # one that is missing is no damage to a buildcache
        return read_file(file, path)

    return read_buildcache(fetch, _buildcache_paths(directory), spack_version, name)


def _is_binary(path: Path) -> bool:
    """Whether a file begins as no text does: a large one is not read to find that out."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    return b"\0" in head and not head.startswith(_COMPRESSED)


def _files_in(directory: Path) -> list[Path]:
    try:
        return [directory / name for name in Folder(directory).names]
    except Refused:
        return []


def _refused(place: str, code: Code, sentence: str) -> Readable:
    return Readable(printable(place), 0, partial(_raise, Refused(code, sentence)))


def _raise(refused: Refused) -> Iterator[Submission]:
    raise refused
