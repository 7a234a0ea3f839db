"""The spec language, read: `hdf5@1.12: +mpi %gcc@11: ^zlib@1.2.11` becomes an AbstractSpec.

The rules are those of docs/spec-language.md. Attributes after a dependency belong to it; `^` hangs a
dependency on the spec itself, `%` on what stands before it. The same name twice on one node is one dependency
with the constraints of both.
"""

from collections.abc import Iterator
from typing import TypeVar

from spackmon.graph.abstract_spec import COMPILER_PACKAGES, NO_DEPTYPES, AbstractSpec
from spackmon.graph.open_node import Conflict, OpenEdge, OpenNode
from spackmon.graph.spack_rules import RULES, Rules, SpackVersion
from spackmon.graph.spec import Deptype
from spackmon.graph.spec_tokens import (
    Assignment,
    AttributesEnd,
    Constraint,
    DependencySign,
    FilePath,
    HashPrefix,
    Name,
    SpecSyntaxError,
    Switch,
    Token,
    Versions,
    tokens,
)
from spackmon.graph.versions import BadVersionRange, version_ranges

Taken = TypeVar("Taken", bound=Token)

MAXIMUM_LENGTH = 4_000
MAXIMUM_TOKENS = 200
"""Nobody writes more by hand; a statement with thousands of conditions would keep the database busy."""

_EDGE_ATTRIBUTES = ("deptypes", "virtuals", "when")
_DEPTYPES = {deptype.name.lower(): deptype for deptype in Deptype if deptype.name}


def parse_spec(text: str, rules: Rules = RULES[SpackVersion.SPACK_1_2]) -> AbstractSpec:
    """The one spec that `text` states; nothing but blanks is a spec that everything satisfies.

    `rules` are those of the Spack that reads it. Raises SpecSyntaxError with the offset of what is wrong,
    also for several specs and for files.
    """
    if len(text) > MAXIMUM_LENGTH:
        raise SpecSyntaxError(f"a spec may have at most {MAXIMUM_LENGTH} characters", MAXIMUM_LENGTH)
    reader = _Reader(text, rules)
    root = _spec(reader)
    beyond = reader.following
    if beyond is not None:
        raise SpecSyntaxError("one spec was expected, and here a second one begins", beyond.start)
    return root.closed()


class _Reader:
    """The tokens, one of which can be seen before it is taken; `position` is where the last taken began."""

    def __init__(self, text: str, rules: Rules) -> None:
        self.rules = rules
        self._tokens: Iterator[Token] = tokens(text)
        self._taken = 0
        self.position = 0
        self.end = len(text)
        self.following: Token | None = next(self._tokens, None)

    def take(self, kind: type[Taken]) -> Taken | None:
        """The next token if it is of this kind."""
        taken = self.following
        if not isinstance(taken, kind):
            return None
        self._taken += 1
        if self._taken > MAXIMUM_TOKENS:
            raise SpecSyntaxError(f"a spec may have at most {MAXIMUM_TOKENS} parts", taken.start)
        self.position = taken.start
        self.following = next(self._tokens, None)
        return taken


def _spec(reader: _Reader) -> OpenNode:
    root = _node(reader)
    latest = root
    while sign := reader.take(DependencySign):
        edge = OpenEdge(OpenNode(), sign.is_direct, virtuals=sign.virtuals)
        if sign.opens_attributes:
            _read_attributes(reader, edge)
        elif edge.is_direct and reader.following is None and not reader.rules.takes_lone_percent:
            raise SpecSyntaxError("a package or a constraint must follow the %", sign.start)
        edge.node = _node(reader)
        if edge.is_direct and edge.node.name is not None:
            edge.node.name = COMPILER_PACKAGES.get(edge.node.name, edge.node.name)
        parent = latest if edge.is_direct else root
        try:
            parent.add(edge)
        except Conflict as conflict:
            raise SpecSyntaxError(str(conflict), reader.position) from None
        if not edge.is_direct:
            # Of a name that came before, what it asks for was added there; a `%` behind it is lost.
            latest = edge.node
    return root


def _node(reader: _Reader) -> OpenNode:
    node = OpenNode()
    if file := reader.take(FilePath):
        raise SpecSyntaxError("this names a file, and files are not read here", file.start)
    if named := reader.take(Name):
        *namespace, name = named.text.split(".")
        node.name = None if name == "*" else name
        node.namespace = ".".join(namespace) or None
    while node.hash_prefix is None or not isinstance(reader.following, HashPrefix):
        token = reader.take(Constraint)
        if token is None:
            break
        try:
            _add_constraint(node, token)
        except (Conflict, BadVersionRange) as problem:
            raise SpecSyntaxError(str(problem), token.start) from None
    return node


def _add_constraint(node: OpenNode, token: Constraint) -> None:
    match token:
        case Versions():
            node.set_versions(version_ranges(token.text))
        case HashPrefix():
            node.hash_prefix = token.text
        case Switch():
            node.set_switch(token.name, token.is_on, is_propagated=token.is_propagated)
        case Assignment():
            node.set_value(token.key, token.value, is_exact=token.is_exact, is_propagated=token.is_propagated)


def _read_attributes(reader: _Reader, edge: OpenEdge) -> None:
    """What stands between `^[` and `]`, and the virtuals assigned behind it."""
    while token := reader.take(Assignment):
        if token.is_propagated:
            raise SpecSyntaxError("an attribute of a dependency is written with one =", token.start)
        if token.key not in _EDGE_ATTRIBUTES:
            raise SpecSyntaxError(
                "the attributes of a dependency are deptypes, virtuals and when", token.start
            )
        _set_attribute(edge, token, reader.rules)
    end = reader.take(AttributesEnd)
    if end is None:
        place = reader.end if reader.following is None else reader.following.start
        raise SpecSyntaxError("the attributes of a dependency must end with ]", place)
    edge.virtuals += end.virtuals


def _set_attribute(edge: OpenEdge, token: Assignment, rules: Rules) -> None:
    # Spack takes the first of several conditions, and only quotes and blanks from around a value.
    blanks = len(token.value) - len(token.value.lstrip("'\" "))
    begin = token.value_start + blanks
    elements = token.value.strip("'\" ").split(",")
    if token.key == "virtuals":
        edge.virtuals = tuple(elements)
    elif token.key == "when":
        if not elements[0].strip():
            raise SpecSyntaxError("a condition must not be empty", token.value_start)
        try:
            edge.when = parse_spec(elements[0], rules)
        except SpecSyntaxError as problem:
            raise SpecSyntaxError(problem.problem, begin + problem.position) from None
    else:
        edge.deptypes = NO_DEPTYPES
        for element in elements:
            if element not in _DEPTYPES:
                raise SpecSyntaxError("deptypes are build, link, run and test", begin)
            edge.deptypes |= _DEPTYPES[element]
