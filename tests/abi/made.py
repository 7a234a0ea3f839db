"""Shared libraries made by hand, of any class and byte order, and with any lie in them."""

import struct

_DYNAMIC_BYTES = 4096
_PROGRAM_HEADERS = 2


def library(
    symbols: list[str],
    *,
    bits: int = 64,
    order: str = "<",
    soname: str = "libmade.so.1",
    tags: dict[int, int] | None = None,
    tables: dict[int, bytes] | None = None,
) -> bytes:
    """A library that defines `symbols` and is found at address 0.

    `tables` are put behind it, each named by its tag; `tags` replace or add entries of the dynamic segment.
    """
    names = b"\0" + b"".join(name.encode() + b"\0" for name in [soname, *symbols])
    table = _symbol(bits, order, 0, 0) + b"".join(
        _symbol(bits, order, names.index(b"\0" + name.encode() + b"\0") + 1, 7) for name in symbols
    )
    hashed = struct.pack(f"{order}2I", 1, len(symbols) + 1)
    header_bytes, segment_bytes, entry_bytes = (64, 56, 16) if bits == 64 else (52, 32, 8)
    at = header_bytes + _PROGRAM_HEADERS * segment_bytes
    dynamic_at = at
    at += _DYNAMIC_BYTES
    content = b""
    values = {11: len(_symbol(bits, order, 0, 0)), 10: len(names), 14: 1}
    for tag, part in {5: names, 6: table, 4: hashed, **(tables or {})}.items():
        values[tag] = at + len(content)
        content += part.ljust(-len(part) % 8 + len(part), b"\0")
    values.update(tags or {})
    word = "qQ" if bits == 64 else "iI"
    dynamic = b"".join(struct.pack(order + word, tag, value) for tag, value in [*values.items(), (0, 0)])
    assert len(dynamic) <= _DYNAMIC_BYTES
    size = at + len(content)
    return b"".join((
        _header(bits, order, header_bytes, segment_bytes),
        _segment(bits, order, 1, 0, size),
        _segment(bits, order, 2, dynamic_at, len(values) * entry_bytes + entry_bytes),
        dynamic.ljust(_DYNAMIC_BYTES, b"\0"),
        content,
    ))  # fmt: skip


def _header(bits: int, order: str, header_bytes: int, segment_bytes: int) -> bytes:
    identity = b"\x7fELF" + bytes((bits // 32, 1 if order == "<" else 2, 1)).ljust(12, b"\0")
    form = "HHIQQQIHHHHHH" if bits == 64 else "HHIIIIIHHHHHH"
    return identity + struct.pack(
        order + form, 3, 21, 1, 0, header_bytes, 0, 0, header_bytes, segment_bytes, _PROGRAM_HEADERS, 0, 0, 0
    )  # fmt: skip


def _segment(bits: int, order: str, kind: int, at: int, size: int) -> bytes:
    if bits == 64:
        return struct.pack(order + "IIQQQQQQ", kind, 5, at, at, at, size, size, 8)
    return struct.pack(order + "8I", kind, at, at, at, size, size, 5, 8)


def _symbol(bits: int, order: str, name_at: int, section: int) -> bytes:
    value = 4096 if section else 0
    if bits == 64:
        return struct.pack(order + "IBBHQQ", name_at, 0x12, 0, section, value, 8)
    return struct.pack(order + "IIIBBH", name_at, value, 8, 0x12, 0, section)
