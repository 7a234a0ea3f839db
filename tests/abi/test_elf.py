"""The reader of ELF files, judged by another one, and given files that lie."""

import contextlib
import gzip
import random
import struct
from pathlib import Path
from typing import Any

import pytest

from spackmon.abi.reader.apart import ReaderApart
from spackmon.abi.reader.elf import ELF_DAMAGED, ELF_TOO_COSTLY, Unreadable, as_json
from spackmon.abi.reader.elf_file import read, read_file
from tests.abi.judge import judged
from tests.abi.made import library

LIBRARIES = Path("/usr/lib")
SMALL = Path(__file__).parents[1] / "data" / "elf"
_MAXIMUM_JUDGED, _MAXIMUM_JUDGED_BYTES = 40, 200_000
_ORDERS = [(bits, order) for bits in (32, 64) for order in "<>"]
_VERNEED, _VERDEF, _GNU_HASH, _RELA = 0x6FFFFFFE, 0x6FFFFFFC, 0x6FFFFEF5, 7
# Each says that it has more than it has, has no end, or points to nowhere.
LIES = {
    "2^32-1 symbols": library(["f"], tables={4: struct.pack("<2I", 1, 0xFFFFFFFF)}),
    "2^32-1 buckets": library(["f"], tables={_GNU_HASH: struct.pack("<4I", 0xFFFFFFFF, 1, 0, 0)}),
    "2^32-1 words of a filter": library(["f"], tables={_GNU_HASH: struct.pack("<4I", 1, 1, 0xFFFFFFFF, 0)}),
    "an endless hash": library(["f"], tables={_GNU_HASH: struct.pack("<7I", 1, 1, 0, 0, 1, 2, 2)}),
    "a hash of nothing": library(["f"], tables={_GNU_HASH: struct.pack("<6I", 1, 9, 0, 0, 2, 1)}),
    "endless versions": library(["f"], tables={_VERNEED: struct.pack("<HHIII", 1, 9, 1, 0, 1) * (1 << 12)}),
    "versions nowhere": library(["f"], tables={_VERDEF: struct.pack("<HHHHIII", 1, 0, 1, 1, 0, 1 << 31, 0)}),
    "an endless name": library(["f" * 70_000]),
    "a name nowhere": library(["f"], tags={14: 1 << 40}),
    "symbols of size 0": library(["f"], tags={11: 0}),
    "relocations of size 0": library(["f"], tags={8: 24, 9: 0}, tables={_RELA: bytes(24)}),
    "2^58 relocations": library(["f"], tags={8: 24 << 58, 9: 24}, tables={_RELA: bytes(24)}),
    "symbols nowhere": library(["f"], tags={6: 1 << 50}),
}


def ours(path: Path) -> dict[str, Any]:
    """What is read of a file, as far as tests.abi.judge has words for it."""
    found = as_json(read_file(str(path)))
    for name in ("byte_order", "interpreter", "filters", "auxiliaries", "flags"):
        del found[name]
    found["version_needs"] = [tuple(need.values()) for need in found["version_needs"]]
    found["version_definitions"] = [tuple(entry.values()) for entry in found["version_definitions"]]
    for symbol in found["symbols"]:
        del symbol["version"], symbol["is_defined"]
        symbol["lookups"].sort()
    found["symbols"] = [tuple(symbol.values()) for symbol in found["symbols"]]
    return found


def _some_libraries() -> list[Path]:
    """Small ones of this machine, as different as their sizes, and what is in the repository."""
    files = [path for path in LIBRARIES.rglob("*.so*") if path.is_file() and not path.is_symlink()]
    sizes = {path.stat().st_size: path for path in files if path.read_bytes()[:4] == b"\x7fELF"}
    small = [sizes[size] for size in sorted(sizes) if size <= _MAXIMUM_JUDGED_BYTES]
    return small[:: len(small) // _MAXIMUM_JUDGED + 1]


def test_libraries_of_this_machine_are_what_another_reader_says() -> None:
    libraries = _some_libraries()
    assert libraries
    for path in libraries:
        assert ours(path) == judged(path), path


def test_a_program_and_its_library_are_what_another_reader_says(tmp_path: Path) -> None:
    for packed in sorted(SMALL.glob("*.gz")):
        path = tmp_path / packed.stem
        path.write_bytes(gzip.decompress(packed.read_bytes()))
        assert ours(path) == judged(path), path


@pytest.mark.parametrize(("bits", "order"), _ORDERS)
def test_each_class_and_byte_order_is_read(bits: int, order: str) -> None:
    elf = read(library(["first", "größe"], bits=bits, order=order))
    assert (elf.elf_class, elf.is_little_endian, elf.machine) == (bits, order == "<", 21)
    assert (elf.soname, [symbol.name for symbol in elf.symbols]) == ("libmade.so.1", ["first", "größe"])
    assert all(symbol.is_found and symbol.size == 8 for symbol in elf.symbols)


@pytest.mark.parametrize("lie", LIES)
def test_a_file_that_lies_is_damaged(lie: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read(LIES[lie])
    assert refused.value.code == ELF_DAMAGED


def test_65535_program_headers_are_read_and_not_believed() -> None:
    content = bytearray(library(["f"]))
    struct.pack_into("<H", content, 56, 0xFFFF)
    with pytest.raises(Unreadable):
        read(bytes(content))
    # Zeros are headers that say nothing.
    assert read(bytes(content) + bytes(0xFFFF * 56)).soname == "libmade.so.1"


@pytest.mark.parametrize("name", ["hello.gz", "libgreet.so.2.gz"])
def test_a_changed_file_is_read_or_refused(name: str) -> None:
    original = gzip.decompress((SMALL / name).read_bytes())
    random.seed(name)
    for _ in range(100):
        content = bytearray(original)
        for _ in range(random.randrange(1, 40)):
            # Most tables are near the beginning.
            at = random.randrange(random.choice((64, 1024, 8192)))
            content[at : at + 4] = random.choice((bytes(4), b"\xff" * 4, random.randbytes(4)))
        end = random.choice((len(content), random.randrange(len(content))))
        with contextlib.suppress(Unreadable):
            read(bytes(content[:end]))


def test_a_file_that_ends_its_reader_is_refused_and_the_next_one_is_read(tmp_path: Path) -> None:
    costly, good = tmp_path / "costly.so", tmp_path / "good.so"
    good.write_bytes(library(["f"]))
    with costly.open("wb") as file:
        # The names are a hole of 2 GiB.
        file.write(library(["f"], tags={10: 1 << 31}, tables={5: b""}))
        size = 3 << 30
        file.truncate(size)
        # The sizes of the first segment.
        file.seek(64 + 32)
        file.write(struct.pack("<2Q", size, size))
    with ReaderApart() as reader:
        assert reader.read_file(str(good)).soname == "libmade.so.1"
        with pytest.raises(Unreadable) as refused:
            reader.read_file(str(costly))
        assert refused.value.code == ELF_TOO_COSTLY
        assert reader.read_file(str(good)).soname == "libmade.so.1"
        with pytest.raises(FileNotFoundError):
            reader.read_file(str(tmp_path / "none"))
