"""The schema's meaning in SQL, read off the schema itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLSchema
from strawberry import Schema
from strawberry.types.base import StrawberryObjectDefinition

from spackmon.query.meanings.fields import SQL
from spackmon.query.meanings.row_fields import Identity


@dataclass(frozen=True, slots=True)
class Registry:
    """What each field of each type, inputs too, means (a declaration of `fields`), by GraphQL names.

    `nodes` are the types that `node` finds, by what stands before the colon of an id; "" for bare ids.
    """

    schema: GraphQLSchema
    meanings: Mapping[str, Mapping[str, Any]]
    nodes: Mapping[str, str]


def read_registry(schema: Schema) -> Registry:
    """The registry of a strawberry schema."""
    meanings: dict[str, dict[str, Any]] = {}
    core: GraphQLSchema = schema._schema
    for name in core.type_map:
        definition = schema.get_type_by_name(name)
        if not isinstance(definition, StrawberryObjectDefinition):
            continue
        known = {
            schema.config.name_converter.from_field(field): field.metadata[SQL]
            for field in definition.fields
            if SQL in field.metadata
        }
        meanings[name] = known
    identities = {name: known["id"] for name, known in meanings.items() if "id" in known}
    nodes = {name: name for name, meaning in identities.items() if isinstance(meaning, Identity)}
    (bare,) = (name for name in nodes if identities[name].is_bare)
    return Registry(core, meanings, {**nodes, "": bare})
