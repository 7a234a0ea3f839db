"""Which fields a selection asks for: fragments opened, directives decided, equal keys merged."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from graphql import (
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    NamedTypeNode,
    SelectionSetNode,
    ValueNode,
)

from spackmon.errors import Code, Refused

MAXIMUM_DEPTH = 25


@dataclass(slots=True)
class Selected:
    """A field under its response key; the selections of all places that ask for it together."""

    node: FieldNode
    selections: list[SelectionSetNode] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The field's name in the schema."""
        return self.node.name.value


class Selector:
    """Opens selections of one document; `decide` gives the value of a directive's `if`."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        decide: Callable[[ValueNode], bool],
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._decide = decide

    def fields(
        self, type_: GraphQLObjectType, selections: list[SelectionSetNode], depth: int
    ) -> dict[str, Selected]:
        """The fields asked of an object of `type_`, by response key, in the document's order.

        Raises Refused QUERY_TOO_DEEP: each level is a subquery in the one statement.
        """
        if depth > MAXIMUM_DEPTH:
            raise Refused(
                Code.QUERY_TOO_DEEP, f"the operation nests more than {MAXIMUM_DEPTH} levels of fields"
            )
        found: dict[str, Selected] = {}
        # A fragment is opened once: each of a chain that spreads the next one twice would double the work.
        opened: set[str] = set()
        for selection in selections:
            self._collect(type_, selection, found, opened)
        return found

    def _collect(
        self,
        type_: GraphQLObjectType,
        selection: SelectionSetNode,
        found: dict[str, Selected],
        opened: set[str],
    ) -> None:
        for node in selection.selections:
            if not self._included(node.directives or ()):
                continue
            if isinstance(node, FieldNode):
                key = (node.alias or node.name).value
                selected = found.setdefault(key, Selected(node))
                if node.selection_set is not None:
                    selected.selections.append(node.selection_set)
                continue
            if isinstance(node, FragmentSpreadNode):
                if node.name.value in opened:
                    continue
                opened.add(node.name.value)
            fragment = self._fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
            if isinstance(fragment, InlineFragmentNode | FragmentDefinitionNode) and self._applies(
                fragment.type_condition, type_
            ):
                self._collect(type_, fragment.selection_set, found, opened)

    def _included(self, directives: tuple[DirectiveNode, ...]) -> bool:
        for directive in directives:
            if directive.name.value in ("skip", "include"):
                (condition,) = directive.arguments or ()
                if self._decide(condition.value) == (directive.name.value == "skip"):
                    return False
        return True

    def _applies(self, condition: NamedTypeNode | None, type_: GraphQLObjectType) -> bool:
        if condition is None or condition.name.value == type_.name:
            return True
        named = self._schema.type_map[condition.name.value]
        return self._schema.is_sub_type(named, type_)  # type: ignore[arg-type]
