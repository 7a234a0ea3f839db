"""Files on this machine's disks, and where its loader looks for those of the system."""

import errno
import glob
import os
import platform
from collections.abc import Iterator

from spackmon.abi.apart import ReaderApart
from spackmon.abi.elf import ELF_STATIC, ELF_TOO_COSTLY, ELF_UNKNOWN, Unreadable
from spackmon.abi.files import File
from spackmon.abi.loader import System

_CONFIGURATION = "/etc/ld.so.conf"
_ALWAYS = ("/lib64", "/usr/lib64", "/lib", "/usr/lib")
_MAXIMUM_INCLUDES = 8
# What `.spack` holds is about the files of a prefix.
_LEFT_OUT = ".spack"


class DiskFiles:
    """The files of this machine, each read once."""

    def __init__(self, reader: ReaderApart) -> None:
        self._reader = reader
        self._files: dict[str, File] = {}

    def at(self, path: str) -> File | None:
        """What is at a path, links followed; None where nothing is, or nothing that may be opened."""
        try:
            status = os.stat(path)
        except OSError:
            return None
        identity = f"{status.st_dev}:{status.st_ino}"
        if identity not in self._files:
            file = self._read(identity, path)
            if file is None:
                return None
            self._files[identity] = file
        return self._files[identity]

    def below(self, prefix: str) -> Iterator[str]:
        """The paths of the ELF files below a prefix, without links, in order."""
        return elf_paths(prefix)

    def _read(self, identity: str, path: str) -> File | None:
        try:
            return File(identity, self._reader.read_file(path))
        except Unreadable as unreadable:
            return File(
                identity, None, _fault(unreadable),
                is_static=unreadable.code == ELF_STATIC, is_readable=unreadable.code != ELF_TOO_COSTLY,
            )  # fmt: skip
        except OSError as error:
            # The loader goes on past what it may not open.
            return None if error.errno in (errno.EACCES, errno.ENOENT) else File(identity, None, str(error))


def elf_paths(prefix: str) -> Iterator[str]:
    """The paths of the ELF files below a prefix, without links, in order."""
    for folder, folders, names in os.walk(prefix):
        folders[:] = sorted(name for name in folders if name != _LEFT_OUT)
        for name in sorted(names):
            path = os.path.join(folder, name)
            if _is_elf(path):
                yield path


def _fault(unreadable: Unreadable) -> str:
    if unreadable.code == ELF_UNKNOWN:
        return "invalid ELF header"
    if unreadable.code == ELF_STATIC:
        return "object file has no dynamic section"
    return unreadable.sentence


def _is_elf(path: str) -> bool:
    if os.path.islink(path) or not os.path.isfile(path):
        return False
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def this_system() -> System:
    """Where the loader of this machine looks last, and what it puts for $LIB and $PLATFORM."""
    directories = list(dict.fromkeys([*_configured(_CONFIGURATION, _MAXIMUM_INCLUDES), *_ALWAYS]))
    machine = platform.machine()
    words = [f"lib/{machine}-linux-gnu", "lib64", "lib"]
    return System(
        directories=tuple(directories),
        library_words=tuple(word for word in words if os.path.exists(f"/{word}/libc.so.6")) or ("lib",),
        # Of the processors of today glibc until 2.36 says it by this name.
        platform_words=(machine, "haswell") if machine == "x86_64" else (machine,),
    )


def _configured(path: str, includes_left: int) -> Iterator[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return
    for line in lines:
        words = line.partition("#")[0].split()
        if words[:1] == ["include"] and includes_left:
            for pattern in words[1:]:
                for included in sorted(glob.glob(os.path.join(os.path.dirname(path), pattern))):
                    yield from _configured(included, includes_left - 1)
        elif words and words[0].startswith("/"):
            yield words[0].rstrip("/")
