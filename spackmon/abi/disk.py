"""Files on this machine's disks, and where its loader looks for those of the system."""

import errno
import os
import platform
from collections.abc import Iterator

from spackmon.abi.files import File
from spackmon.abi.loader import System
from spackmon.abi.reader.apart import ReaderApart
from spackmon.abi.reader.elf import ELF_STATIC, ELF_TOO_COSTLY, ELF_UNKNOWN, Unreadable
from spackmon.abi.reader.prefix import elf_paths
from spackmon.abi.reader.system import this_machines


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


def _fault(unreadable: Unreadable) -> str:
    if unreadable.code == ELF_UNKNOWN:
        return "invalid ELF header"
    if unreadable.code == ELF_STATIC:
        return "object file has no dynamic section"
    return unreadable.sentence


def this_system() -> System:
    """Where the loader of this machine looks last, and what it puts for $LIB and $PLATFORM."""
    places = this_machines()
    machine = platform.machine()
    words = [f"lib/{machine}-linux-gnu", "lib64", "lib"]
    return System(
        by_name={name: tuple(paths) for name, paths in places.by_name.items()},
        directories=tuple(places.directories),
        library_words=tuple(word for word in words if os.path.exists(f"/{word}/libc.so.6")) or ("lib",),
        # Of the processors of today glibc until 2.36 says it by this name.
        platform_words=(machine, "haswell") if machine == "x86_64" else (machine,),
    )
