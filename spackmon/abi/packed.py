"""What is read of an ELF file in a few bytes: equal files have equal ones."""

import json
import zlib

from .elf import Elf, Symbol, VersionDefinition, VersionNeed

_FORM = 1
_MAXIMUM_BYTES = 1 << 30


def pack(elf: Elf) -> bytes:
    """The bytes of one file."""
    written = json.dumps([_FORM, *elf], ensure_ascii=False, separators=(",", ":"))
    # A name may hold what no UTF-8 is.
    return zlib.compress(written.encode("utf-8", "surrogatepass"), 6)


def unpack(content: bytes) -> Elf:
    """The file of `pack`'s bytes. Raises ValueError for any others."""
    try:
        unpacking = zlib.decompressobj()
        written = unpacking.decompress(content, _MAXIMUM_BYTES)
        form, *fields = json.loads(written.decode("utf-8", "surrogatepass"))
        if form != _FORM:
            raise ValueError(f"a form of ELF files of number {form}")
        *fields, needs, definitions, symbols = fields
        return Elf._make(
            [
                *fields,
                [VersionNeed(*need) for need in needs],
                [
                    VersionDefinition(name, index, is_base, is_weak, tuple(parents))
                    for name, index, is_base, is_weak, parents in definitions
                ],
                [Symbol(*symbol) for symbol in symbols],
            ]
        )
    except (zlib.error, TypeError) as error:
        raise ValueError("no packed ELF file") from error
