"""Argument values that remember which variable they came from.

A plan is compiled once and run with other variables later; a value that came from one is bound by its
path, a value written into the document is a constant of the plan.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from graphql import (
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
)
from graphql.utilities import coerce_input_literal

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Given:
    """A value that a document or its variables give. `path` leads to it from the variables, if there.

    `value` is a scalar, None, a dict or a list; members written in the document are Given themselves.
    """

    value: Any
    path: Path | None = None

    def members(self) -> dict[str, "Given"]:
        """The fields of an input object, absent ones left out."""
        return {key: self._member(key, value) for key, value in self.value.items()}

    def elements(self) -> list["Given"]:
        """The elements of a list."""
        return [self._member(position, value) for position, value in enumerate(self.value)]

    def names(self) -> set[str]:
        """The names of the fields of all input objects within it."""
        if isinstance(self.value, dict):
            members = self.members()
            return set(members).union(*(member.names() for member in members.values()))
        return (
            set().union(*(one.names() for one in self.elements())) if isinstance(self.value, list) else set()
        )

    def _member(self, key: str | int, value: Any) -> "Given":
        if isinstance(value, Given):
            return value
        return Given(value, None if self.path is None else (*self.path, key))


def read_value(node: ValueNode, type_: GraphQLInputType, variables: Mapping[str, Given]) -> Given | None:
    """The value of a node of a validated document; None where it is a variable that was not sent."""
    if isinstance(node, VariableNode):
        return variables.get(node.name.value)
    if isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    if isinstance(node, ObjectValueNode) and isinstance(type_, GraphQLInputObjectType):
        written = {field.name.value: field.value for field in node.fields}
        members: dict[str, Given] = {}
        for name, field in type_.fields.items():
            member = read_value(written[name], field.type, variables) if name in written else None
            if member is not None:
                members[name] = member
        return Given(members)
    if isinstance(type_, GraphQLList) and not isinstance(node, NullValueNode):
        # What is not a list stands for a list of itself.
        nodes = node.values if isinstance(node, ListValueNode) else (node,)
        elements = [read_value(element, type_.of_type, variables) or Given(None) for element in nodes]
        return Given(elements)
    value = coerce_input_literal(node, type_)
    return None if value is Undefined else Given(value)


def plain(value: Any) -> Any:
    """A value as the driver wants it."""
    return value.value if isinstance(value, Enum) else value


def at(path: Path, variables: Mapping[str, Any]) -> Any:
    """The value a path leads to."""
    value: Any = variables
    for step in path:
        value = value[step]
    return plain(value)


def shape(value: Any) -> Any:
    """What of a variable's value decides the statement: which keys, how many objects, null or not.

    How many scalars a list has does not: it is one parameter, or `Statement.each` notes their number.
    """
    if isinstance(value, dict):
        return tuple((key, shape(member)) for key, member in value.items())
    if isinstance(value, list):
        if not any(isinstance(element, dict | list) for element in value):
            return list
        return tuple(shape(element) for element in value)
    return value is None


def value_count(value: Any, most: int) -> int:
    """How many values are within a value: members, elements, and theirs; counted to `most` and one more."""
    count = 0
    left = [value]
    while left and count <= most:
        one = left.pop()
        inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        count += len(inner)
        if count <= most:
            left += [member for member in inner if isinstance(member, dict | list)]
    return count


def is_deeper(value: Any, levels: int) -> bool:
    """Whether objects and lists stand in each other on more than so many levels."""
    level = [value]
    for _ in range(levels):
        level = [
            member
            for one in level
            for member in (one.values() if isinstance(one, dict) else one)
            if isinstance(member, dict | list)
        ]
        if not level:
            return False
    return True
