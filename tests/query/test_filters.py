"""Every operator of every field finds the rows that looking at each finds, on both databases.

Filters within filters are those of test_differential, which draws them at random.
"""

import json
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

from graphql import GraphQLInputObjectType, GraphQLObjectType, get_named_type, is_required_argument

from spackmon.schema import schema
from tests.query.conftest import AskedSite
from tests.reference import related
from tests.reference.answers import Reference
from tests.reference.filters import is_of_groups, type_of
from tests.reference.rows import Rows
from tests.reference.values import Dice, Pools, Values, Word

TYPES = schema._schema.type_map
QUERY = TYPES["Query"]
assert isinstance(QUERY, GraphQLObjectType)
Filter = Mapping[str, Any]

# Root fields that a filter alone narrows, by the filter's type.
ROOTS = {
    get_named_type(field.args["where"].type).name: name
    for name, field in QUERY.fields.items()
    if "where" in field.args
    and get_named_type(field.type).name.endswith("Connection")
    and not any(is_required_argument(argument) for argument in field.args.values())
}
# Nouns that no root field lists: the noun and the field where they are found.
REACHED = {
    "Analysis": ("Attempt", "analyses"), "Claim": ("Attempt", "sources"),
    "EnvironmentVariable": ("Attempt", "environmentVariables"),
    "ErrorGroupRuling": ("ErrorGroup", "rulings"),
    "Parameter": ("Spec", "parameters"), "SpecHash": ("Spec", "hashes"),
    "TransitiveDependency": ("Spec", "transitiveDependencies"),
}  # fmt: skip
OPERATORS = {
    "eq", "ne", "in", "notIn", "lt", "le", "gt", "ge", "isNull", "contains", "startsWith", "endsWith",
    "containsInsensitive", "startsWithInsensitive", "endsWithInsensitive",
}  # fmt: skip


def _inputs() -> Iterator[tuple[str, GraphQLInputObjectType]]:
    for name, type_ in TYPES.items():
        if not isinstance(type_, GraphQLInputObjectType) or is_of_groups(type_of(name)):
            continue
        if "and" in type_.fields:
            yield name, type_


def _compared() -> Iterator[tuple[str, str, GraphQLInputObjectType]]:
    """Every noun with each of its fields that an operand is compared with, and that operand's type."""
    for name, type_ in _inputs():
        for field, definition in type_.fields.items():
            operand = get_named_type(definition.type)
            if not isinstance(operand, GraphQLInputObjectType):
                assert field == "search"
                continue
            if not {"and", "some"} & operand.fields.keys() and operand.name != "ContainedFilter":
                yield name.removesuffix("Filter"), field, operand


def literal(value: Any) -> str:
    """A value as a document writes it."""
    if isinstance(value, Word):
        return value
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {literal(one)}" for key, one in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def test_every_type_has_the_same_operators() -> None:
    seen = set()
    for noun, field, type_ in _compared():
        names = set(type_.fields)
        seen.add(type_.name)
        if type_.name in ("IDFilter", "ParameterValueFilter"):
            assert names == {"eq", "ne", "in", "notIn"}
        elif type_.name == "StringFilter":
            assert names == OPERATORS
        elif type_.name not in ("DeptypesFilter", "PresenceFilter", "StringListFilter"):
            assert names == {name for name in OPERATORS if "With" not in name and "contains" not in name}, (
                noun,
                field,
            )
    assert len(seen) > 10


def test_whatever_has_an_id_is_filtered_by_it() -> None:
    nodes = {name for name in related.MODELS if "id" in getattr(TYPES[name], "fields", {})}
    assert {noun for noun, field, _ in _compared() if field == "id"} == nodes


def test_each_operator_of_each_field_alone_finds_what_looking_finds(furnished: AskedSite) -> None:
    rows = Rows(furnished.database)
    reference = Reference(schema.as_str(), rows)
    values = Values(Dice(1), reference, Pools(rows))
    some = 0
    for noun, field, type_ in _compared():
        about, way = REACHED.get(noun, (noun, None))
        shown = "parent { hash } child { hash } virtuals" if about == "Dependency" else "id"
        parts = []
        for operator in type_.fields:
            operand = values.operand(type_, operator, noun, field).sample()
            where: Filter = {field: {operator: operand}}
            written = literal(where if way is None else {way: {"some": where}})
            listed = f"{ROOTS[f'{about}Filter']}(where: {written}, first: 500)"
            parts.append(f"{operator}: {listed} {{ totalCount nodes {{ {shown} }} }}")
        document = "{ " + " ".join(parts) + " }"
        expected, codes = reference.answer(document, {})
        assert expected is not None, codes
        answered = furnished.ask(document)
        for part in parts:
            operator = part.partition(":")[0]
            assert answered[operator] == expected[operator], part
        counts = [one["totalCount"] for one in answered.values()]
        some += sum(0 < count < len(rows.all(related.MODELS[about])) for count in counts)
    # Filters that nothing or everything passes would prove little.
    assert some > 300


def test_sizes_are_compared_beyond_32_bits(furnished: AskedSite) -> None:
    asked = "query($size: Long!) { installFiles(where: {sizeBytes: {gt: $size}}) { nodes { sizeBytes } } }"
    large = {"nodes": [{"sizeBytes": 2**40}]}
    for size in (3_000_000_000, 3e9):
        assert furnished.ask(asked, size=size)["installFiles"]["nodes"][:1] == large["nodes"]
    written = "{ installFiles(where: {sizeBytes: {gt: 3e9}}, first: 1) { nodes { sizeBytes } } }"
    assert furnished.ask(written)["installFiles"] == large
    for wrong in ("3.5", '"3"', "true", str(2**63), "1e300"):
        error = furnished.error(f"{{ installFiles(where: {{sizeBytes: {{eq: {wrong}}}}}) {{ totalCount }} }}")
        assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED", error


DEEP, DEEPER = 30, 3000
REFUSED: list[tuple[Filter, str]] = [
    ({"name": {"equals": "zlib"}}, "VARIABLES_INVALID"),
    ({"nme": {"eq": "zlib"}}, "VARIABLES_INVALID"),
    ({"name": {"eq": None}}, "FILTER_NULL"),
    ({"compiler": {"name": {"in": None}}}, "FILTER_NULL"),
    ({"builds": {"some": None}}, "FILTER_NULL"),
    ({"name": {"eq": "a\0b"}}, "ARGUMENT_INVALID"),
    ({"name": {"endsWithInsensitive": "a\0b"}}, "ARGUMENT_INVALID"),
    ({"version": {"lt": "\ud800"}}, "ARGUMENT_INVALID"),
    ({"parameters": {"some": {"value": {"notIn": ["\0"]}}}}, "ARGUMENT_INVALID"),
    ({"id": {"in": ["Build:1"]}}, "ID_INVALID"),
    (reduce(lambda inner, _: {"not": inner}, range(DEEP), {}), "FILTER_TOO_DEEP"),
    (reduce(lambda inner, _: {"and": [inner]}, range(DEEPER), {}), "VARIABLES_INVALID"),
]


def test_a_filter_that_cannot_be_meant_is_a_coded_error(site: AskedSite) -> None:
    for where, code in REFUSED:
        error = site.error("query($where: SpecFilter) { specs(where: $where) { totalCount } }", where=where)
        assert error["extensions"]["code"] == code, error
