"""Libraries as libabigail's abidw describes them, from its XML."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from spackmon.abi.interfaces import Function, Interface, Member, Passed, Type

_ROOTS = frozenset({"abi-corpus", "abi-corpus-group", "abi-instr"})
_KINDS = {"class-decl": "class", "union-decl": "union", "enum-decl": "enum"}
_POINTERS = {"pointer-type-def": "*", "reference-type-def": "&"}
_SAME_AS = frozenset({"qualified-type-def", "typedef-decl"})
_FLOATING = ("float", "double", "complex")
_YES = "yes"
_DEEPEST = 50
_LONGEST_NAME = 500
_MOST_TAGS, _MOST_ATTRIBUTES = 250_000, 1_000_000


class NotAbidw(ValueError):  # noqa: N818 -- an answer about a value
    """A text that is no description by abidw, or one beyond measure."""


@dataclass(frozen=True)
class _Use:
    """A type where it is used; `names` are those of types that it leads to."""

    passed: Passed
    names: frozenset[str] = frozenset()


def read_abidw(text: str) -> Interface:
    """The library of one XML document. Raises NotAbidw."""
    if text.count("<") > _MOST_TAGS or text.count("=") > _MOST_ATTRIBUTES:
        raise NotAbidw(f"it has more than {_MOST_TAGS:,} tags or {_MOST_ATTRIBUTES:,} attributes")
    try:
        root: Element = fromstring(text, forbid_dtd=True)
    except ParseError as problem:
        raise NotAbidw(f"it is no XML: {problem}") from problem
    except DefusedXmlException as problem:
        raise NotAbidw("it has a DTD") from problem
    except ValueError as problem:
        raise NotAbidw("it has characters that are none") from problem
    if root.tag not in _ROOTS:
        raise NotAbidw(f"its outermost element is {root.tag[:50]!r}")
    return _Reading(root).interface()


class _Reading:
    def __init__(self, root: Element) -> None:
        self._root = root
        self._types: dict[str, tuple[Element, str]] = {}
        self._functions: list[Element] = []
        self._uses: dict[str, _Use] = {}
        self._find(root)

    def _find(self, root: Element) -> None:
        left = [(root, "")]
        while left:
            element, scope = left.pop()
            inner = scope
            name = element.get("name", "")
            if element.tag in ("function-decl", "var-decl") and element.get("elf-symbol-id"):
                self._functions.append(element)
            if id_ := element.get("id"):
                known = self._types.get(id_)
                if known is None or _is_declaration(known[0]):
                    self._types[id_] = element, _short(f"{scope}{name}")
            if name and (element.tag == "namespace-decl" or element.tag in _KINDS):
                inner = _short(f"{scope}{name}::")
            left += [(child, inner) for child in reversed(element)]

    def interface(self) -> Interface:
        found = Interface()
        for tag in ("elf-function-symbols", "elf-variable-symbols"):
            for group in self._root.iter(tag):
                found.symbols |= {one.get("name", "") for one in group if one.get("is-defined") == _YES}
        for id_, (element, _) in self._types.items():
            name = self._name(id_)
            if element.tag in _KINDS and name and not _is_declaration(element) and name not in found.types:
                found.types[name] = self._type(element)
        for element in self._functions:
            symbol = element.get("elf-symbol-id", "").partition("@")[0]
            found.exported.setdefault(symbol, self._function(element))
        return found

    def _name(self, id_: str) -> str:
        """That of a typedef, where it names a type that has none."""
        element, name = self._types[id_]
        typedef = element.get("naming-typedef-id", "")
        if typedef in self._types:
            return self._types[typedef][1]
        return "" if element.get("is-anonymous") == _YES else name

    def _type(self, element: Element) -> Type:
        found = Type(_KINDS[element.tag], _number(element.get("size-in-bits")))
        for number, (part, offset, type_id) in enumerate(_parts(element)):
            use = self._use(type_id)
            found.used |= use.names
            called = f"base {use.passed.text}" if part is None else part or f"(unnamed {number})"
            found.members.append(Member(called, _number(offset), use.passed))
        for one in element.findall("enumerator"):
            found.enumerators[one.get("name", "")] = one.get("value", "")
        for one in element.findall("member-function"):
            place = _number(one.get("vtable-offset"))
            function = one.find("function-decl")
            if place is not None and function is not None:
                name = function.get("mangled-name") or function.get("name") or ""
                found.virtual_functions[place] = name
        return found

    def _function(self, element: Element) -> Function:
        if element.tag == "var-decl":
            use = self._use(element.get("type-id", ""))
            return Function(None, use.passed, set(use.names))
        uses = [
            _Use(Passed("...", ("variadic",)))
            if one.get("is-variadic") == _YES
            else self._use(one.get("type-id", ""))
            for one in element.findall("parameter")
        ]
        given = self._use(_target(element.find("return")))
        names = set(given.names).union(*(one.names for one in uses))
        return Function([one.passed for one in uses], given.passed, names)

    def _use(self, id_: str, depth: int = 0) -> _Use:
        if id_ not in self._uses:
            # What is deeper than anything that people write is not looked into.
            if id_ not in self._types or depth > _DEEPEST:
                return _Use(Passed("void" if not id_ else "?", ("none",)))
            self._uses[id_] = _Use(Passed("?", ("none",)))
            element, _ = self._types[id_]
            self._uses[id_] = self._made(id_, element, lambda one: self._use(one, depth + 1))
        return self._uses[id_]

    def _made(self, id_: str, element: Element, use: Callable[[str], _Use]) -> _Use:
        tag, size = element.tag, element.get("size-in-bits", "")
        name = self._name(id_) or "(unnamed)"
        if tag in _SAME_AS:
            return use(element.get("type-id", ""))
        if tag in _POINTERS:
            target = use(element.get("type-id", ""))
            to = target.passed.form[1] if target.passed.form[0] == "aggregate" else ""
            return _Use(Passed(f"{target.passed.text}{_POINTERS[tag]}", ("pointer", to)), target.names)
        if tag == "enum-decl":
            underlying = use(_target(element.find("underlying-type"))).passed.form
            return _Use(Passed(f"enum {name}", underlying), frozenset((name,)))
        if tag in _KINDS:
            word = "struct" if element.get("is-struct") == _YES else _KINDS[tag]
            return _Use(Passed(f"{word} {name}", ("aggregate", name)), frozenset((name,)))
        if tag == "array-type-def":
            of = use(element.get("type-id", ""))
            lengths = _short("".join(f"[{one.get('length', '')}]" for one in element.findall("subrange")))
            return _Use(Passed(f"{of.passed.text}{lengths}", ("array", lengths, *of.passed.form)), of.names)
        if tag == "function-type":
            used = [use(one.get("type-id", "")).names for one in element.findall("parameter")]
            names = use(_target(element.find("return"))).names.union(*used)
            return _Use(Passed("function", ("function",)), names)
        is_floating = any(word in name for word in _FLOATING)
        return _Use(Passed(name, ("floating" if is_floating else "integer", size)))


def _parts(element: Element) -> Iterator[tuple[str | None, str | None, str]]:
    """The bases, without a name, and the members that have a place: name, offset, type."""
    for one in element.findall("base-class"):
        yield None, one.get("layout-offset-in-bits"), one.get("type-id", "")
    for one in element.findall("data-member"):
        variable = one.find("var-decl")
        if variable is not None and one.get("static") != _YES:
            offset = one.get("layout-offset-in-bits", "0")
            yield variable.get("name", ""), offset, variable.get("type-id", "")


def _short(name: str) -> str:
    """A name that many types may stand in, which is still another for another."""
    if len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{name[: _LONGEST_NAME // 2]}…{digest[:16]}"


def _is_declaration(element: Element) -> bool:
    return element.get("is-declaration-only") == _YES


def _target(element: Element | None) -> str:
    return "" if element is None else element.get("type-id", "")


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None
