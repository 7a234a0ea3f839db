"""What a spec's text asks for, in words: `hdf5@1.12:+mpi ^zlib` as a line for each package that it speaks of.

The words keep the text's own versions and values, so that a reader sees what became of what they typed.
"""

from collections.abc import Iterable, Iterator

from spackmon.graph.spec_syntax import parse_spec
from spackmon.graph.spec_tokens import (
    Assignment,
    AttributesEnd,
    Constraint,
    DependencySign,
    HashPrefix,
    Name,
    Switch,
    Token,
    Versions,
    tokens,
)

_SYSTEM = {
    "os": "for the operating system",
    "operating_system": "for the operating system",
    "platform": "for the platform",
    "target": "for the target",
    "arch": "for the architecture",
    "architecture": "for the architecture",
    "namespace": "of the namespace",
}
_FLAGS = frozenset({"cflags", "cppflags", "cxxflags", "fflags", "ldflags", "ldlibs"})


def in_words(text: str) -> list[str]:
    """One line for the spec itself and one for each dependency that it asks for, in the text's order.

    Raises SpecSyntaxError where the text is no spec.
    """
    parse_spec(text)
    lines: list[str] = []
    subject = ""
    for edge, node in _nodes(tokens(text)):
        if edge:
            lines.append(f"{_verb(edge, subject)} {_described(node, _edge_words(edge))}")
        elif node:
            lines.append(_described(node, []))
        if not _is_direct(edge):
            subject = _name(node) if edge else ""
    return lines


def _nodes(read: Iterable[Token]) -> Iterator[tuple[list[Token], list[Token]]]:
    """Each node's own tokens, behind those of the edge that leads to it; the root has no edge."""
    edge: list[Token] = []
    node: list[Token] = []
    is_within = False
    for token in read:
        if isinstance(token, DependencySign):
            yield edge, node
            edge, node = [token], []
            is_within = token.opens_attributes
        elif isinstance(token, AttributesEnd):
            edge.append(token)
            is_within = False
        else:
            (edge if is_within else node).append(token)
    yield edge, node


def _described(node: list[Token], beside: list[str]) -> str:
    constraints = [words for token in node if isinstance(token, Constraint) and (words := _constraint(token))]
    return ", ".join([_name(node), *beside, *constraints])


def _name(node: list[Token]) -> str:
    names = (token.text for token in node if isinstance(token, Name) and token.text != "*")
    return next(names, "any package")


def _is_direct(edge: list[Token]) -> bool:
    return bool(edge) and isinstance(edge[0], DependencySign) and edge[0].is_direct


def _verb(edge: list[Token], subject: str) -> str:
    who = f"{subject} " if subject and _is_direct(edge) else ""
    return f"{who}depends directly on" if _is_direct(edge) else "depends, at any depth, on"


def _edge_words(edge: list[Token]) -> list[str]:
    """What an edge's attributes ask for."""
    virtuals = [
        one for token in edge if isinstance(token, DependencySign | AttributesEnd) for one in token.virtuals
    ]
    words = [f"as {' and '.join(virtuals)}"] if virtuals else []
    for token in edge:
        if isinstance(token, Assignment):
            value = token.value.strip()
            form = {"when": "where {} holds", "virtuals": "as any of {}", "deptypes": "to {}"}[token.key]
            words.append(form.format(value.replace(",", ", ")))
    return words


def _constraint(token: Constraint) -> str:
    match token:
        case Versions(text=text):
            return "version " + " or ".join(map(_version, text.split(",")))
        case HashPrefix(text=text):
            return f"whose hash begins with {text}"
        case Switch():
            return f"{'with' if token.is_on else 'without'} {token.name}{_everywhere(token)}"
        case Assignment():
            return _assignment(token)
    return ""


def _version(part: str) -> str:
    part = part.strip()
    low, colon, high = part.partition(":")
    if part.startswith("="):
        return f"{part[1:]} exactly"
    if part.startswith("git.") or not colon:
        return part if part.startswith("git.") else f"{part} or {part}.x"
    match bool(low), bool(high):
        case True, True:
            return f"{low} to {high}"
        case True, False:
            return f"{low} and later"
        case False, True:
            return f"up to {high}"
    return "of whatever number"


def _assignment(token: Assignment) -> str:
    if token.key in _SYSTEM:
        return f"{_SYSTEM[token.key]} {token.value}"
    if token.key in _FLAGS:
        return f"with {token.value} among its {token.key}"
    if token.value == "*":
        return f"that has the variant {token.key}"
    only = " only" if token.is_exact else ""
    return f"with {token.key} {' and '.join(token.value.split(','))}{only}{_everywhere(token)}"


def _everywhere(token: Switch | Assignment) -> str:
    return " wherever in its graph there is such a variant" if token.is_propagated else ""
