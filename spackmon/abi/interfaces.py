"""What a library's types and functions look like to what is compiled against it, and what differs for that.

The loader sees nothing of this: a program starts, and then takes a struct for what it was.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

_MOST_REACHED = 5


class ChangeKind(StrEnum):
    """What is different, in the words of the schema."""

    SYMBOL_REMOVED = "SYMBOL_REMOVED"
    SYMBOL_ADDED = "SYMBOL_ADDED"
    TYPE_REMOVED = "TYPE_REMOVED"
    TYPE_ADDED = "TYPE_ADDED"
    TYPE_SIZE = "TYPE_SIZE"
    TYPE_LAYOUT = "TYPE_LAYOUT"
    VTABLE = "VTABLE"
    ENUMERATOR_REMOVED = "ENUMERATOR_REMOVED"
    ENUMERATOR_ADDED = "ENUMERATOR_ADDED"
    ENUMERATOR_VALUE = "ENUMERATOR_VALUE"
    PARAMETERS = "PARAMETERS"
    RETURN_TYPE = "RETURN_TYPE"
    VARIABLE_TYPE = "VARIABLE_TYPE"
    MISSING_IMPORT = "MISSING_IMPORT"
    MISSING_EXPORT = "MISSING_EXPORT"


class Passed(NamedTuple):
    """A type as it is used: its name for people, and what decides how it is passed."""

    text: str
    form: tuple[str, ...]


class Member(NamedTuple):
    """A member or a base of a type; `offset_bits` is None where it is not known."""

    name: str
    offset_bits: int | None
    type: Passed


@dataclass
class Type:
    """A named type that is defined. `used` are names of the types that it leads to."""

    kind: str
    size_bits: int | None
    members: list[Member] = field(default_factory=list)
    enumerators: dict[str, str] = field(default_factory=dict)
    virtual_functions: dict[int, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)


@dataclass
class Function:
    """A function, or a variable with no `parameters`. `used` are names of the types that it leads to."""

    parameters: list[Passed] | None
    type: Passed
    used: set[str] = field(default_factory=set)


@dataclass
class Interface:
    """One library: `symbols` it defines, its types by name, and by symbol what it exports."""

    symbols: set[str] = field(default_factory=set)
    types: dict[str, Type] = field(default_factory=dict)
    exported: dict[str, Function] = field(default_factory=dict)

    def reached_from(self) -> Mapping[str, list[str]]:
        """For each type to which something exported leads, the first of what does."""
        found: dict[str, list[str]] = {}
        for symbol, function in sorted(self.exported.items()):
            left, seen = list(function.used), set(function.used)
            while left:
                name = left.pop()
                by = found.setdefault(name, [])
                # What it leads to has as many already.
                if len(by) == _MOST_REACHED:
                    continue
                by.append(symbol)
                more = self.types[name].used - seen if name in self.types else set()
                seen |= more
                left += more
        return found


class Change(NamedTuple):
    """Something that is different; None where it is not there.

    `breaks` says that what was compiled against the first library takes the other for what it is not;
    `reached_from` are the first exported functions and variables that lead to a type.
    """

    kind: ChangeKind
    name: str
    before: str | None
    after: str | None
    breaks: bool
    reached_from: tuple[str, ...] = ()


def changes(before: Interface, after: Interface) -> list[Change]:
    """All that differs, what breaks first."""
    found = [*_of_symbols(before, after), *_of_functions(before, after), *_of_types(before, after)]
    return sorted(found, key=lambda one: (not one.breaks, one.kind, one.name, one.before or ""))


def _of_symbols(before: Interface, after: Interface) -> Iterator[Change]:
    for name in before.symbols - after.symbols:
        yield Change(ChangeKind.SYMBOL_REMOVED, name, name, None, breaks=True)
    for name in after.symbols - before.symbols:
        yield Change(ChangeKind.SYMBOL_ADDED, name, None, name, breaks=False)


def _of_functions(before: Interface, after: Interface) -> Iterator[Change]:
    for symbol in before.exported.keys() & after.exported.keys():
        old, new = before.exported[symbol], after.exported[symbol]
        if old.parameters is None or new.parameters is None:
            if old.parameters is None and new.parameters is None:
                yield from _of_use(ChangeKind.VARIABLE_TYPE, symbol, [old.type], [new.type])
            continue
        yield from _of_use(ChangeKind.PARAMETERS, symbol, old.parameters, new.parameters)
        yield from _of_use(ChangeKind.RETURN_TYPE, symbol, [old.type], [new.type])


def _of_use(kind: ChangeKind, symbol: str, old: list[Passed], new: list[Passed]) -> Iterator[Change]:
    was, is_now = (", ".join(one.text for one in some) for some in (old, new))
    breaks = [one.form for one in old] != [one.form for one in new]
    if breaks or was != is_now:
        yield Change(kind, symbol, was, is_now, breaks)


def _of_types(before: Interface, after: Interface) -> Iterator[Change]:
    reached = before.reached_from()
    for name, old in before.types.items():
        by = tuple(reached.get(name, ()))
        new = after.types.get(name)
        if new is None or new.kind != old.kind:
            text = new.kind if new else None
            yield Change(ChangeKind.TYPE_REMOVED, name, old.kind, text, breaks=bool(by), reached_from=by)
            continue
        for kind, what, was, is_now, breaks in _of_type(name, old, new):
            yield Change(kind, what, was, is_now, breaks and bool(by), by)
    for name in after.types.keys() - before.types.keys():
        yield Change(ChangeKind.TYPE_ADDED, name, None, after.types[name].kind, breaks=False)


_Found = tuple[ChangeKind, str, str | None, str | None, bool]


def _of_type(name: str, old: Type, new: Type) -> Iterator[_Found]:
    if old.size_bits != new.size_bits:
        yield ChangeKind.TYPE_SIZE, name, _size(old.size_bits), _size(new.size_bits), True
    yield from _of_members(name, old, new)
    for one, value in old.enumerators.items():
        if one not in new.enumerators:
            yield ChangeKind.ENUMERATOR_REMOVED, f"{name}::{one}", value, None, True
        elif new.enumerators[one] != value:
            yield ChangeKind.ENUMERATOR_VALUE, f"{name}::{one}", value, new.enumerators[one], True
    for one in new.enumerators.keys() - old.enumerators.keys():
        yield ChangeKind.ENUMERATOR_ADDED, f"{name}::{one}", None, new.enumerators[one], False
    tables = old.virtual_functions, new.virtual_functions
    for place in sorted(tables[0].keys() | tables[1].keys()):
        was, is_now = (table.get(place) for table in tables)
        if was != is_now:
            yield ChangeKind.VTABLE, f"{name}, entry {place}", was, is_now, True


def _of_members(name: str, old: Type, new: Type) -> Iterator[_Found]:
    by_name = {one.name: one for one in new.members}
    places = {(one.offset_bits, one.type.form) for one in new.members}
    for one in old.members:
        other = by_name.get(one.name)
        is_same = other is not None and (other.offset_bits, other.type.form) == (
            one.offset_bits,
            one.type.form,
        )
        # Under another name it is the same to what is compiled.
        if not is_same and (other is not None or (one.offset_bits, one.type.form) not in places):
            text = None if other is None else _place(other)
            yield ChangeKind.TYPE_LAYOUT, f"{name}::{one.name}", _place(one), text, True


def _place(member: Member) -> str:
    if member.offset_bits is None:
        return member.type.text
    whole, bits = divmod(member.offset_bits, 8)
    return f"{member.type.text} at byte {whole}" + (f", bit {bits}" if bits else "")


def _size(bits: int | None) -> str | None:
    return None if bits is None else f"{bits // 8} bytes"
