"""A GraphQL document made one that can be asked page by page: its connection gets a cursor and says where
it stands."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSyntaxError,
    InlineFragmentNode,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    ValueNode,
    VariableNode,
    parse,
)

from spackmon.errors import Code, Refused

# Names that nobody gives to something else.
_CURSOR = "spackmonAfter"
_PAGE_INFO = "spackmonPageInfo"
_PAGE = f" {_PAGE_INFO}: pageInfo {{ hasNextPage endCursor }} "


@dataclass(frozen=True, slots=True)
class Paged:
    """A document with where its connection is: by the keys of `path` in `data`.

    `start` is the cursor that it was written with. `nodes_key` is the key of the nodes; where the document
    asks for edges, each has its node under `node_key`.
    """

    document: str
    path: tuple[str, ...]
    cursor_variable: str
    start: str | None
    nodes_key: str
    node_key: str | None
    page_info: str = _PAGE_INFO
    has_next_page: str = "hasNextPage"
    end_cursor: str = "endCursor"

    def first_cursor(self, variables: Mapping[str, Any]) -> str | None:
        """Where the document itself begins, if not at the first node."""
        value: str | None = variables.get(self.cursor_variable, self.start)
        return value

    def nodes(self, connection: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The nodes of one page."""
        for item in connection[self.nodes_key]:
            yield item if self.node_key is None else item[self.node_key]


def paged(document: str) -> Paged:
    """`document` with a cursor for the one connection that is in no other.

    Raises Refused DOCUMENT_NOT_PAGED.
    """
    try:
        parsed = parse(document)
    except GraphQLSyntaxError as error:
        raise _not_paged(f"it is no GraphQL: {error.message}") from None
    operations = [node for node in parsed.definitions if isinstance(node, OperationDefinitionNode)]
    if len(operations) != 1:
        raise _not_paged(f"expected one operation, it has {len(operations)}")
    (operation,) = operations
    connections = list(_connections(operation.selection_set, _fragments(parsed), ()))
    if len(connections) != 1:
        names = ", ".join(".".join(path) for path, _, _ in connections)
        raise _not_paged(f"expected one connection, it has {len(connections)}{names and f': {names}'}")
    ((path, connection, inner),) = connections
    nodes_key, node_key = _keys(inner)
    after = next((one.value for one in connection.arguments or () if one.name.value == "after"), None)
    edits = [(_end(inner) - 1, _end(inner) - 1, _PAGE)]
    if isinstance(after, VariableNode):
        return Paged(_rewritten(document, edits), path, after.name.value, None, nodes_key, node_key)
    edits += [_variable(operation), _argument(connection, after)]
    start = after.value if isinstance(after, StringValueNode) else None
    return Paged(_rewritten(document, edits), path, _CURSOR, start, nodes_key, node_key)


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {
        node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
    }


def _connections(
    selected: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], FieldNode, SelectionSetNode]]:
    for selection in selected.selections:
        match selection:
            case FieldNode(selection_set=SelectionSetNode() as inner):
                here = (*path, _key(selection))
                if any(isinstance(one, FieldNode) and one.name.value in _LISTS for one in inner.selections):
                    yield here, selection, inner
                else:
                    yield from _connections(inner, fragments, here)
            case InlineFragmentNode():
                yield from _connections(selection.selection_set, fragments, path)
            case FragmentSpreadNode() if selection.name.value in fragments:
                # A fragment that spreads itself is for the server to refuse.
                rest = {name: node for name, node in fragments.items() if name != selection.name.value}
                yield from _connections(fragments[selection.name.value].selection_set, rest, path)


_LISTS = ("nodes", "edges")


def _keys(selected: SelectionSetNode) -> tuple[str, str | None]:
    """The keys under which a connection's answer has its nodes."""
    fields = [selection for selection in selected.selections if isinstance(selection, FieldNode)]
    for field in fields:
        if field.name.value == "nodes":
            return _key(field), None
    for field in fields:
        if field.name.value == "edges" and field.selection_set is not None:
            for inner in field.selection_set.selections:
                if isinstance(inner, FieldNode) and inner.name.value == "node":
                    return _key(field), _key(inner)
    raise _not_paged("its connection must ask for nodes, or for edges with their node")


def _key(field: FieldNode) -> str:
    return (field.alias or field.name).value


_Edit = tuple[int, int, str]
"""From where to where, and what takes the place."""


def _rewritten(document: str, edits: list[_Edit]) -> str:
    for start, end, text in sorted(edits, reverse=True):
        document = document[:start] + text + document[end:]
    return document


def _variable(operation: OperationDefinitionNode) -> _Edit:
    definition = f"${_CURSOR}: String"
    start = _start(operation)
    if start == _start(operation.selection_set):
        return start, start, f"query ({definition}) "
    if operation.variable_definitions:
        at = _end(operation.variable_definitions[-1])
        return at, at, f", {definition}"
    at = start + len("query") if operation.name is None else _end(operation.name)
    return at, at, f"({definition})"


def _argument(connection: FieldNode, value: ValueNode | None) -> _Edit:
    if value is not None:
        return _start(value), _end(value), f"${_CURSOR}"
    if connection.arguments:
        at = _end(connection.arguments[-1])
        return at, at, f", after: ${_CURSOR}"
    at = _end(connection.name)
    return at, at, f"(after: ${_CURSOR})"


def _start(node: Node) -> int:
    return node.loc.start if node.loc else 0


def _end(node: Node) -> int:
    return node.loc.end if node.loc else 0


def _not_paged(problem: str) -> Refused:
    return Refused(Code.DOCUMENT_NOT_PAGED, f"the document cannot be asked page by page: {problem}")
