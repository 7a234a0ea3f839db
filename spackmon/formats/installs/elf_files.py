"""The programs and libraries of a prefix, as the loader reads them."""

from pathlib import Path

from spackmon.abi.disk import elf_paths
from spackmon.abi.elf import ELF_STATIC, Unreadable
from spackmon.abi.elf_file import read_file
from spackmon.abi.packed import ANALYZER, pack
from spackmon.formats.bytes.fields import escaped
from spackmon.submission import AttributeValue


def elf_files(prefix: Path, place: str | None) -> tuple[AttributeValue, ...]:
    """A finding for each ELF file that the loader may read; `place` is the prefix's own path, if known.

    Of a file that cannot be read the finding is a text that says why.
    """
    found = []
    for path in elf_paths(str(prefix)):
        named = escaped(f"{place or prefix}{path[len(str(prefix)) :]}")
        try:
            found.append(AttributeValue(ANALYZER, named, binary_value=pack(read_file(path))))
        except Unreadable as unreadable:
            if unreadable.code != ELF_STATIC:
                found.append(AttributeValue(ANALYZER, named, value=unreadable.sentence))
        except OSError as error:
            found.append(AttributeValue(ANALYZER, named, value=error.strerror or "it cannot be opened"))
    return tuple(found)
