"""Where the loader looks for the libraries of the system, and which of them are recorded."""

import random
import struct
from pathlib import Path

from spackmon.abi.reader.elf import Elf, Unreadable
from spackmon.abi.reader.system import Places, SystemLibraries, read_cache
from tests.abi.packing import elf

_MAGIC = b"glibc-ld.so.cache1.1"


def _cache(*entries: tuple[str, str, int]) -> bytes:
    """What ldconfig writes: a header, an entry each, and their names."""
    at = 48 + 24 * len(entries)
    written, names = b"", b""
    for name, path, processors in entries:
        key = at + len(names)
        names += name.encode() + b"\0"
        written += struct.pack("=iIIIQ", 0x303, key, at + len(names), 0, processors)
        names += path.encode() + b"\0"
    return struct.pack("=20sII20x", _MAGIC, len(entries), len(names)) + written + names


CACHE = _cache(
    ("libz.so.1", "/lib64/libz.so.1", 0),
    ("libz.so.1", "/lib64/glibc-hwcaps/x86-64-v3/libz.so.1", 1 << 62),
    ("libz.so.1", "/lib/libz.so.1", 0),
    ("libc.so.6", "/lib64/libc.so.6", 0),
)


def test_the_cache_says_where_libraries_are_in_the_order_of_the_loader() -> None:
    expected = {"libz.so.1": ["/lib64/libz.so.1", "/lib/libz.so.1"], "libc.so.6": ["/lib64/libc.so.6"]}
    assert read_cache(CACHE) == expected
    # An older format may stand before it; names count from the new one on.
    assert read_cache(b"ld.so-1.7.0\0" + bytes(4) + CACHE) == expected


def test_a_damaged_cache_names_what_is_left_of_it() -> None:
    dice = random.Random(7)
    for _ in range(200):
        content = bytearray(CACHE[: dice.randrange(len(CACHE))] if dice.random() < 0.5 else CACHE)
        for _ in range(3):
            if content:
                content[dice.randrange(len(content))] = dice.randrange(256)
        for name, paths in read_cache(bytes(content)).items():
            assert name
            assert all(path.startswith("/") for path in paths)
    many = struct.pack("=20sII20x", _MAGIC, 0xFFFFFFFF, 0) + struct.pack("=iIIIQ", 3, 1 << 31, 1 << 31, 0, 0)
    assert read_cache(many) == {}


def test_what_files_need_of_the_system_is_read_once_and_nothing_of_a_prefix_is(tmp_path: Path) -> None:
    system, vendor, prefix = (tmp_path / name for name in ("system", "vendor", "prefix"))
    for folder in (system, vendor, prefix / "lib"):
        folder.mkdir(parents=True)
    (prefix / ".spack").mkdir()
    (prefix / ".spack" / "spec.json").touch()
    libraries = {
        system / "libc.so.6": elf("/nowhere")._replace(needed=[]),
        system / "liba.so.1": elf("/nowhere")._replace(needed=["libc.so.6"]),
        vendor / "libv.so.1": elf("/nowhere")._replace(needed=["liba.so.1"]),
        prefix / "lib" / "libp.so.1": elf("/nowhere"),
        system / "libother.so.1": elf("/nowhere")._replace(elf_class=32),
    }
    for path in libraries:
        path.write_bytes(path.name.encode())
    read: list[str] = []

    def reading(path: str) -> Elf:
        read.append(path)
        if Path(path) not in libraries:
            raise Unreadable("ELF_UNKNOWN", "it is none")
        return libraries[Path(path)]

    needed = ["libv.so.1", "libp.so.1", "libother.so.1", "libgone.so.1", str(system / "liba.so.1")]
    own = elf(str(prefix))._replace(rpath=f"{prefix}/lib:{vendor}", needed=needed)
    found = SystemLibraries(reading, Places({}, [str(system)]))
    for _ in range(2):
        named = {
            (Path(one.path).name, one.name) for one in found.needed_by([(str(prefix / "bin" / "x"), own)])
        }
        assert named == {("libv.so.1", None), ("liba.so.1", None), ("libc.so.6", "libc.so.6")}
    assert len(read) == len(set(read))
