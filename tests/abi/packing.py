"""An ELF file that needs no compiler, and how it was packed before."""

import json
import zlib

from spackmon.abi.reader.elf import CALL, Elf, Symbol, VersionNeed

NEED = Symbol("puts", "GLOBAL", "FUNC", "DEFAULT", 0, False, 0, "GLIBC_2.2.5", 2, False, False, CALL)
GIVEN = Symbol("gré", "WEAK", "OBJECT", "PROTECTED", 0xFFF1, True, 2**40, None, 1, True, True, 0)


def elf(prefix: str, *symbols: Symbol) -> Elf:
    """A library of a prefix."""
    needs = [VersionNeed("libc.so.6", "GLIBC_2.2.5", 2, False)]
    return Elf(
        64, True, 62, "DYN", None, "libgreet.so.1", ["libc.so.6"], f"{prefix}/lib", None, [], [], ["NOW"],
        True, needs, [], list(symbols or (NEED, GIVEN)),
    )  # fmt: skip


def packed_first(file: Elf) -> bytes:
    """All in one, as the first version packed it."""
    return zlib.compress(json.dumps([1, *file], ensure_ascii=False).encode())
