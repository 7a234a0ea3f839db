"""The schema's meaning in SQL, read off the schema itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLInputObjectType, GraphQLObjectType, GraphQLSchema
from strawberry import Schema
from strawberry.types.base import StrawberryObjectDefinition

from spackmon.query.fields import SQL, Predicate


@dataclass(frozen=True, slots=True)
class Registry:
    """What each field of each type means (a declaration of `fields`), by GraphQL names.

    `predicates` holds the filter inputs' fields by the names that coerced values use.
    """

    schema: GraphQLSchema
    meanings: Mapping[str, Mapping[str, Any]]
    predicates: Mapping[str, Mapping[str, Predicate]]


def read_registry(schema: Schema) -> Registry:
    """The registry of a strawberry schema."""
    meanings: dict[str, dict[str, Any]] = {}
    predicates: dict[str, dict[str, Predicate]] = {}
    core: GraphQLSchema = schema._schema
    for name, type_ in core.type_map.items():
        definition = schema.get_type_by_name(name)
        if not isinstance(definition, StrawberryObjectDefinition):
            continue
        known = {
            schema.config.name_converter.from_field(field): field.metadata[SQL]
            for field in definition.fields
            if SQL in field.metadata
        }
        if isinstance(type_, GraphQLObjectType):
            meanings[name] = known
        elif isinstance(type_, GraphQLInputObjectType):
            predicates[name] = {
                type_.fields[field].out_name or field: meaning for field, meaning in known.items()
            }
    return Registry(core, meanings, predicates)
