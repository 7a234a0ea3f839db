"""How much of a document is written again and again, counted before it is validated.

That fields of one response key do not contradict each other is found by comparing them in pairs, those of
fragments too (GraphQL, 5.3.2): a few kilobytes can ask for millions of comparisons. Here each selection is
looked at once for each place where it is opened, and what the pairs would cost is added up.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)

from spackmon.errors import Code, Refused

# Each is some microseconds of validation: a tenth of a second, all together.
MAXIMUM_COMPARISONS = 20_000
MAXIMUM_OPENED = 10_000
# Arguments of one response key are compared as text.
_CHARACTERS_OF_A_COMPARISON = 8


@dataclass(slots=True)
class _Fields:
    """The fields of one response key, and what they select."""

    count: int = 0
    size: int = 0
    selections: list[SelectionSetNode] = field(default_factory=list)


def check_document(document: DocumentNode, maximum_aliases: int) -> None:
    """Raises Refused TOO_MANY_ALIASES or DOCUMENT_TOO_REPETITIVE."""
    fragments: dict[str, FragmentDefinitionNode] = {}
    operations: list[OperationDefinitionNode] = []
    for definition in document.definitions:
        if isinstance(definition, FragmentDefinitionNode):
            fragments[definition.name.value] = definition
        elif isinstance(definition, OperationDefinitionNode):
            operations.append(definition)
    aliases = spreads = 0
    for node in _selections([*operations, *fragments.values()]):
        aliases += isinstance(node, FieldNode) and node.alias is not None
        spreads += isinstance(node, FragmentSpreadNode)
    if aliases > maximum_aliases:
        sentence = f"the document may have {maximum_aliases} aliases, it has {aliases}"
        raise Refused(Code.TOO_MANY_ALIASES, sentence)
    # Each fragment is compared with each that is spread beside it, and followed from each operation.
    if len(fragments) * (spreads + len(operations)) > MAXIMUM_COMPARISONS // 2:
        raise _too_repetitive("spreads its fragments too often")
    _Opening(fragments).check(operations)


def _selections(
    definitions: Sequence[OperationDefinitionNode | FragmentDefinitionNode],
) -> Iterator[SelectionNode]:
    """Every selection that is written, once."""
    left: list[SelectionSetNode] = [one.selection_set for one in definitions]
    while left:
        for node in left.pop().selections:
            yield node
            inner = getattr(node, "selection_set", None)
            if inner is not None:
                left.append(inner)


class _Opening:
    """Opens fragments where they are spread, and counts."""

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._spread: set[str] = set()
        self._opened = self._comparisons = 0

    def check(self, operations: Sequence[OperationDefinitionNode]) -> None:
        """Raises Refused DOCUMENT_TOO_REPETITIVE."""
        for operation in operations:
            self._walk(operation.selection_set)
        # What no operation spreads is an error, but it is validated all the same.
        for name, fragment in self._fragments.items():
            if name not in self._spread:
                self._walk(fragment.selection_set)

    def _walk(self, selection_set: SelectionSetNode) -> None:
        left = [[selection_set]]
        while left:
            for fields in self._collected(left.pop()).values():
                self._comparisons += (fields.count - 1) * fields.size
                if fields.selections:
                    left.append(fields.selections)
            if self._comparisons > MAXIMUM_COMPARISONS:
                raise _too_repetitive("asks for the same fields too often")

    def _collected(self, selection_sets: list[SelectionSetNode]) -> dict[str, _Fields]:
        found: dict[str, _Fields] = {}
        opened: set[str] = set()
        left = list(selection_sets)
        while left:
            for node in left.pop().selections:
                self._opened += 1
                if self._opened > MAXIMUM_OPENED:
                    raise _too_repetitive("asks for too many fields, its fragments opened")
                if isinstance(node, FieldNode):
                    _add(found.setdefault((node.alias or node.name).value, _Fields()), node)
                    continue
                if isinstance(node, FragmentSpreadNode):
                    fragment = self._fragments.get(node.name.value)
                    if fragment is None or node.name.value in opened:
                        continue
                    opened.add(node.name.value)
                    self._spread.add(node.name.value)
                    left.append(fragment.selection_set)
                    continue
                left.append(node.selection_set)  # type: ignore[attr-defined]
        return found


def _add(fields: _Fields, node: FieldNode) -> None:
    fields.count += 1
    fields.size += 1
    if node.arguments:
        first, last = node.arguments[0].loc, node.arguments[-1].loc
        if first is not None and last is not None:
            fields.size += (last.end - first.start) // _CHARACTERS_OF_A_COMPARISON
    if node.selection_set is not None:
        fields.selections.append(node.selection_set)


def _too_repetitive(what: str) -> Refused:
    return Refused(Code.DOCUMENT_TOO_REPETITIVE, f"the document {what}")
