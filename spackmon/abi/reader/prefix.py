"""All ELF files of an installed prefix, as a report has them."""

import os
from typing import Callable, Iterator, List, NamedTuple, Optional, Tuple

from .elf import ELF_STATIC, Elf, Unreadable
from .packed import pack
from .system import Host, HostLibrary, SystemLibraries, this_host

# What `.spack` holds is about the files of a prefix.
_LEFT_OUT = ".spack"


class Finding(NamedTuple):
    """A file that the loader may read: what `pack` makes of it, or why it cannot be read."""

    path: str
    content: Optional[bytes]
    fault: Optional[str]


class Found(NamedTuple):
    """What a prefix has, and what it needs of the machine that it is on, if that was looked for."""

    files: List[Finding]
    host: Optional[Host]
    libraries: List[HostLibrary]


def read_files(prefix: str, read: Callable[[str], Elf], system: Optional[SystemLibraries]) -> Found:
    """What the files of a prefix are; `system` is None where they are not at home."""
    findings: List[Finding] = []
    readable: List[Tuple[str, Elf]] = []
    for path in elf_paths(prefix):
        try:
            elf = read(path)
            findings.append(Finding(path, pack(elf), None))
            # What is needed is known by now: symbols of all files of a prefix would take much memory.
            readable.append((path, elf._replace(symbols=[])))
        except Unreadable as unreadable:
            if unreadable.code != ELF_STATIC:
                findings.append(Finding(path, None, unreadable.sentence))
        except OSError as error:
            findings.append(Finding(path, None, error.strerror or "it cannot be opened"))
    if system is None or not readable:
        return Found(findings, None, [])
    return Found(findings, this_host(), system.needed_by(readable))


def elf_paths(prefix: str) -> Iterator[str]:
    """The paths of the ELF files below a prefix, without links, in order."""
    for folder, folders, names in os.walk(prefix):
        folders[:] = sorted(name for name in folders if name != _LEFT_OUT)
        for name in sorted(names):
            path = os.path.join(folder, name)
            if _is_elf(path):
                yield path


def _is_elf(path: str) -> bool:
    if os.path.islink(path) or not os.path.isfile(path):
        return False
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False
