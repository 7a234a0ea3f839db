"""The schema documents itself, and changes to it are seen."""

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
)

from spackmon.schema import schema
from spackmon.status import BuildStatus

PRINTED = Path(__file__).parents[2] / "schema.graphql"


def _described() -> Iterator[tuple[str, Any]]:
    """Whatever of the schema may have a description, by its path."""
    types = schema._schema.type_map
    for name, type_ in types.items():
        if name.startswith("__"):
            continue
        yield name, type_
        if isinstance(type_, GraphQLEnumType):
            yield from ((f"{name}.{key}", value) for key, value in type_.values.items())
        if not isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            continue
        for key, field in type_.fields.items():
            yield f"{name}.{key}", field
            arguments = getattr(field, "args", {})
            yield from ((f"{name}.{key}({argument}:)", part) for argument, part in arguments.items())


def test_everything_in_the_schema_is_described() -> None:
    described = dict(_described())
    assert len(described) > 500
    assert [path for path, part in described.items() if not part.description] == []


def test_every_status_that_a_report_may_have_is_in_the_schema() -> None:
    type_ = schema._schema.type_map["BuildStatus"]
    assert isinstance(type_, GraphQLEnumType)
    assert list(type_.values) == list(BuildStatus)


def test_the_printed_schema_is_the_schema() -> None:
    printed = PRINTED.read_text(encoding="utf-8").splitlines()
    current = schema.as_str().splitlines()
    difference = "\n".join(difflib.unified_diff(printed, current, "schema.graphql", "the code", lineterm=""))
    assert not difference, f"{difference}\n\nIf that is meant: spackmon schema > schema.graphql"
