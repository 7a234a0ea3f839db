"""The spec language, read: `hdf5@1.12: +mpi %gcc@11: ^zlib@1.2.11` becomes an AbstractSpec.

The grammar is that of Spack 1.2. Attributes after a dependency belong to it; `^` hangs a dependency on
the spec itself, `%` on what stands before it. The same name twice on one node is one dependency with the
constraints of both.
"""

import re
from collections.abc import Iterator

from spackmon.graph.abstract_spec import COMPILER_PACKAGES, NO_DEPTYPES, AbstractSpec
from spackmon.graph.open_node import Conflict, OpenEdge, OpenNode
from spackmon.graph.spec import Deptype
from spackmon.graph.spec_tokens import Kind, SpecSyntaxError, Token, tokens
from spackmon.graph.versions import BadVersionRange, version_ranges

MAXIMUM_LENGTH = 4_000
MAXIMUM_TOKENS = 200
"""Nobody writes more by hand; a statement with thousands of conditions would keep the database busy."""

_QUOTED = re.compile(r"(['\"])(.*)\1", re.DOTALL)
_EDGE_ATTRIBUTES = ("deptypes", "virtuals", "when")
_DEPTYPES = {deptype.name.lower(): deptype for deptype in Deptype if deptype.name}


def parse_spec(text: str) -> AbstractSpec:
    """The one spec that `text` states; nothing but blanks is a spec that everything satisfies.

    Raises SpecSyntaxError with the offset of what is wrong, also for several specs and for files.
    """
    if len(text) > MAXIMUM_LENGTH:
        raise SpecSyntaxError(f"a spec may have at most {MAXIMUM_LENGTH} characters", MAXIMUM_LENGTH)
    reader = _Reader(text)
    root = _spec(reader)
    beyond = reader.following
    if beyond is not None:
        raise SpecSyntaxError("one spec was expected, and here a second one begins", beyond.start)
    return root.closed()


class _Reader:
    """The tokens, one of which can be seen before it is taken; `position` is where the last taken began."""

    def __init__(self, text: str) -> None:
        self._tokens: Iterator[Token] = tokens(text)
        self._taken = 0
        self.position = 0
        self.end = len(text)
        self.following: Token | None = next(self._tokens, None)

    def next_is(self, *kinds: Kind) -> bool:
        """Whether there is a next token, of one of these kinds."""
        return self.following is not None and self.following.kind in kinds

    def take(self) -> Token:
        """The next token, which there must be."""
        taken = self.following
        assert taken is not None  # noqa: S101 -- every caller has looked
        self._taken += 1
        if self._taken > MAXIMUM_TOKENS:
            raise SpecSyntaxError(f"a spec may have at most {MAXIMUM_TOKENS} parts", taken.start)
        self.position = taken.start
        self.following = next(self._tokens, None)
        return taken


def _spec(reader: _Reader) -> OpenNode:
    root = _node(reader)
    latest = root
    while reader.next_is(Kind.DEPENDENCY, Kind.EDGE_ATTRIBUTES):
        sigil = reader.take()
        edge = OpenEdge(OpenNode(), is_direct=sigil.text.startswith("%"))
        if sigil.kind is Kind.EDGE_ATTRIBUTES:
            _read_attributes(reader, edge)
        else:
            edge.virtuals = sigil.virtuals
            if edge.is_direct and reader.following is None:
                raise SpecSyntaxError("a package or a constraint must follow the %", sigil.start)
        edge.node = _node(reader)
        if edge.is_direct and edge.node.name is not None:
            edge.node.name = COMPILER_PACKAGES.get(edge.node.name, edge.node.name)
        parent = latest if edge.is_direct else root
        try:
            kept = parent.add(edge)
        except Conflict as conflict:
            raise SpecSyntaxError(str(conflict), reader.position) from None
        if not edge.is_direct:
            latest = kept
    return root


def _node(reader: _Reader) -> OpenNode:
    node = OpenNode()
    if reader.next_is(Kind.NAME):
        *namespace, name = reader.take().text.split(".")
        node.name = None if name == "*" else name
        node.namespace = ".".join(namespace) or None
    elif reader.next_is(Kind.FILE_NAME):
        raise SpecSyntaxError("this names a file, and files are not read here", reader.take().start)
    while reader.next_is(Kind.VERSION, Kind.SWITCH, Kind.VALUE, Kind.HASH):
        if reader.next_is(Kind.HASH) and node.hash_prefix is not None:
            break
        token = reader.take()
        try:
            _add_constraint(node, token)
        except (Conflict, BadVersionRange) as problem:
            raise SpecSyntaxError(str(problem), token.start) from None
    return node


def _add_constraint(node: OpenNode, token: Token) -> None:
    match token.kind:
        case Kind.VERSION:
            node.set_versions(version_ranges(token.text))
        case Kind.HASH:
            node.hash_prefix = token.text[1:]
        case Kind.SWITCH:
            sigil = token.text[: 2 if token.text[1] == token.text[0] else 1]
            name = token.text[len(sigil) :].strip()
            node.set_switch(name, sigil[0] == "+", is_propagated=len(sigil) == 2)
        case _:
            name, value = _key_and_value(token.text)
            is_propagated = value.startswith("=") and len(value) > 1
            node.set_value(
                name.removesuffix(":"),
                _unquoted(value[1:] if is_propagated else value),
                is_exact=name.endswith(":"),
                is_propagated=is_propagated,
            )


def _read_attributes(reader: _Reader, edge: OpenEdge) -> None:
    """What stands between `^[` and `]`, and the virtuals assigned behind it."""
    while reader.next_is(Kind.VALUE):
        token = reader.take()
        name, value = _key_and_value(token.text)
        name = name.removesuffix(":")
        if value.startswith("="):
            raise SpecSyntaxError("an attribute of a dependency is written with one =", token.start)
        if name not in _EDGE_ATTRIBUTES:
            raise SpecSyntaxError(
                "the attributes of a dependency are deptypes, virtuals and when", token.start
            )
        begin = token.start + len(token.text) - len(value)
        _set_attribute(edge, name, value, begin)
    if not reader.next_is(Kind.EDGE_ATTRIBUTES_END):
        place = reader.end if reader.following is None else reader.following.start
        raise SpecSyntaxError("the attributes of a dependency must end with ]", place)
    edge.virtuals += reader.take().virtuals


def _set_attribute(edge: OpenEdge, name: str, value: str, begin: int) -> None:
    # Spack takes the first of several conditions, and only quotes and blanks from around a value.
    elements = value.strip("'\" ").split(",")
    if name == "virtuals":
        edge.virtuals = tuple(elements)
    elif name == "when":
        begin += len(value) - len(value.lstrip("'\" "))
        try:
            edge.when = parse_spec(elements[0])
        except SpecSyntaxError as problem:
            raise SpecSyntaxError(problem.problem, begin + problem.position) from None
    else:
        edge.deptypes = NO_DEPTYPES
        for element in elements:
            if element not in _DEPTYPES:
                raise SpecSyntaxError("deptypes are build, link, run and test", begin)
            edge.deptypes |= _DEPTYPES[element]


def _key_and_value(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _unquoted(value: str) -> str:
    match = _QUOTED.fullmatch(value)
    return value if match is None else match[2].replace("\\" + match[1], match[1])
