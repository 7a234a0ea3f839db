"""Every filter gives exactly the rows that Python finds by looking at each, on both databases."""

import json
import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import reduce
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLObjectType,
    get_named_type,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spackmon.graph.versions import version_key
from spackmon.schema import schema
from tests.query.conftest import AskedSite
from tests.query.world import FIELDS, TABLES, TEXTS, Getter, Row, World, furnish

TYPES = schema._schema.type_map
QUERY = TYPES["Query"]
assert isinstance(QUERY, GraphQLObjectType)
Filter = Mapping[str, Any]
VERSIONS = ["1.9", "1.10", "1.9.9", "develop", "2.0", "1.10rc1", "1-10", "", "main"]

# Root fields with a filter, by the filter's type.
ROOTS = {
    get_named_type(field.args["where"].type).name: name
    for name, field in QUERY.fields.items()
    if "where" in field.args and get_named_type(field.type).name.endswith("Connection")
}

# Nouns that no root field lists: where they are found.
REACHED = {
    "Analysis": ("Build", "analyses"), "Claim": ("Build", "sources"),
    "EnvironmentVariable": ("Build", "environmentVariables"),
    "Parameter": ("Spec", "parameters"), "SpecHash": ("Spec", "hashes"),
}  # fmt: skip


def _fields(input_name: str) -> Mapping[str, GraphQLInputType]:
    type_ = TYPES[input_name]
    assert isinstance(type_, GraphQLInputObjectType)
    return {name: get_named_type(field.type) for name, field in type_.fields.items()}


# Brute force ----------------------------------------------------------------------------------------------


def passes(world: World, noun: str, row: Row, where: Filter) -> bool:
    """Whether a row passes a filter, by looking at it."""
    return all(_holds(world, noun, row, name, asked) for name, asked in where.items())


def _holds(world: World, noun: str, row: Row, name: str, asked: Any) -> bool:
    if name == "and":
        return bool(asked) and all(passes(world, noun, row, one) for one in asked)
    if name == "or":
        return any(passes(world, noun, row, one) for one in asked)
    if name == "not":
        return not passes(world, noun, row, asked)
    value, kind = FIELDS[noun][name](world, row), _fields(f"{noun}Filter")[name].name
    if kind == "ContainedFilter":
        return any(asked.items() <= {**found}.items() for found in value)
    other = kind.removesuffix("ListFilter").removesuffix("Filter")
    if other in FIELDS and not kind.endswith("ListFilter") and isinstance(value, list):
        return any(passes(world, other, one, asked) for one in value)
    if other in FIELDS and not kind.endswith("ListFilter"):
        return value is not None and passes(world, other, value, asked)
    if other in FIELDS:
        return all(_quantified(world, other, value, how, one) for how, one in asked.items())
    return all(_compared(kind, value, how, operand) for how, operand in asked.items())


def _quantified(world: World, noun: str, rows: list[Row], how: str, where: Filter) -> bool:
    passing = [passes(world, noun, row, where) for row in rows]
    return {"some": any(passing), "none": not any(passing), "every": all(passing)}[how]


COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq, "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
    "contains": operator.contains, "startsWith": lambda text, start: text.startswith(start),
}  # fmt: skip


def _compared(kind: str, value: Any, how: str, operand: Any) -> bool:
    if how == "in":
        return any(_compared(kind, value, "eq", one) for one in operand)
    if how == "ne":
        return not _compared(kind, value, "eq", operand)
    if how == "isNull":
        return bool((value is None) == operand)
    if how == "isEmpty":
        return (not value) == operand
    if value is None:
        return False
    if kind == "VersionFilter":
        value, operand = version_key(value), version_key(operand)
    elif kind == "DateTimeFilter":
        operand = datetime.fromisoformat(operand)
    elif kind == "ParameterValueFilter":
        return bool(operand == value or operand.lower() == str(value).lower() in ("true", "false")
                    or operand == json.dumps(value))  # fmt: skip
    elif kind == "DeptypesFilter" and how == "eq":
        return bool(operand) and set(operand) == value
    return bool(COMPARISONS[how](value, operand))


# Filters --------------------------------------------------------------------------------------------------


class Filters:
    """Makes filters whose operands are mostly what rows have."""

    def __init__(self, world: World) -> None:
        self._world = world

    def of(self, noun: str, depth: int) -> st.SearchStrategy[Filter]:
        """Filters of a noun, with relations and combinators down to a depth."""
        itself = st.deferred(lambda: self.of(noun, depth - 1))
        parts: dict[str, st.SearchStrategy[Any]] = {}
        for name, kind in _fields(f"{noun}Filter").items():
            if name in ("and", "or"):
                parts[name] = st.lists(itself, max_size=3)
            elif name == "not":
                parts[name] = itself
            else:
                parts[name] = self._operand(noun, name, kind.name, depth)
        flat = {name for name, kind in _fields(f"{noun}Filter").items() if not _is_relation(kind.name)}
        names = sorted(parts if depth > 0 else flat - {"and", "or", "not"})
        some = st.lists(st.sampled_from(names), min_size=0 if depth < 2 else 1, max_size=2, unique=True)
        return some.flatmap(lambda chosen: st.fixed_dictionaries({name: parts[name] for name in chosen}))

    def _operand(self, noun: str, name: str, kind: str, depth: int) -> st.SearchStrategy[Any]:
        if kind == "ContainedFilter":
            names = st.sampled_from(["zlib", "hdf5", "mpich", "éclair", "none"])
            return st.fixed_dictionaries({"name": names}, optional={"version": st.sampled_from(VERSIONS)})
        other = kind.removesuffix("ListFilter").removesuffix("Filter")
        if kind.endswith("ListFilter") and other in FIELDS:
            one = st.deferred(lambda: self.of(other, depth - 1))
            return st.dictionaries(st.sampled_from(["some", "none", "every"]), one, min_size=1, max_size=2)
        if other in FIELDS:
            return st.deferred(lambda: self.of(other, depth - 1))
        values = st.sampled_from(self.values(noun, FIELDS[noun][name], kind))
        operators = {
            how: st.lists(values, max_size=3) if _takes_list(type_) else st.booleans() if _is_flag(type_)
            else values
            for how, type_ in _operators(kind).items()
        }  # fmt: skip
        chosen = st.sampled_from(sorted(operators))
        return st.lists(chosen, min_size=1, max_size=2, unique=True).flatmap(
            lambda names: st.fixed_dictionaries({how: operators[how] for how in names})
        )

    def values(self, noun: str, getter: Getter, kind: str) -> list[Any]:
        """Operands: what the rows have, and what they have not."""
        rows = self._rows(noun)
        found = [getter(self._world, row) for row in rows]
        if kind in ("StringListFilter", "DeptypesFilter"):
            found = [element for elements in found for element in elements]
        known = {value for value in found if value is not None}
        match kind:
            case "DateTimeFilter":
                return sorted(value.isoformat() for value in known) or ["2026-01-01T00:00:00Z"]
            case "IntFilter":
                return [*sorted(value for value in known if value < 2**31), 0, -1, 2**31 - 1]
            case "FloatFilter":
                return [*sorted(known), 0.0, 1e300]
            case "BuildStatusFilter" | "DeptypesFilter" | "EventKindFilter" | "SourceKindFilter":
                return sorted(known)
            case "InstalledFromFilter":
                return sorted({*known, "SOURCE"})
            case "VersionFilter":
                return sorted({*known, *VERSIONS})
            case "ParameterValueFilter":
                return sorted({*map(str, known), "true", "TRUE", "3", "3.0", "[]", "x"})
        halves = {text[: len(text) // 2] for text in known}
        return sorted({*known, *halves, *TEXTS})

    def _rows(self, noun: str) -> list[Row]:
        if noun == "Parameter":
            specs = self._world.some("spec")
            return [row for spec in specs for row in FIELDS["Spec"]["parameters"](self._world, spec)]
        return self._world.some(TABLES[noun])


def _operators(kind: str) -> Mapping[str, GraphQLInputType]:
    type_ = TYPES[kind]
    assert isinstance(type_, GraphQLInputObjectType)
    return {name: field.type for name, field in type_.fields.items()}


def _takes_list(type_: GraphQLInputType) -> bool:
    return isinstance(type_, GraphQLList)


def _is_flag(type_: GraphQLInputType) -> bool:
    return get_named_type(type_).name == "Boolean"


def _is_relation(kind: str) -> bool:
    return kind.removesuffix("ListFilter").removesuffix("Filter") in FIELDS


def literal(value: Any, type_: GraphQLInputType) -> str:
    """A value as a document writes it."""
    named = get_named_type(type_)
    if isinstance(value, list):
        return "[" + ", ".join(literal(one, named) for one in value) + "]"
    if isinstance(value, dict) and isinstance(named, GraphQLInputObjectType):
        members = [f"{key}: {literal(member, named.fields[key].type)}" for key, member in value.items()]
        return "{" + ", ".join(members) + "}"
    return str(value) if isinstance(named, GraphQLEnumType) else json.dumps(value)


# Tests ----------------------------------------------------------------------------------------------------


@pytest.fixture
def furnished(site: AskedSite) -> AskedSite:
    """A site with some of everything."""
    furnish(site)
    return site


def test_every_filter_of_the_schema_is_held_against_python() -> None:
    inputs = {name for name in TYPES if name.endswith("Filter")}
    nouns = {name for name in inputs if "and" in _fields(name)}
    assert {noun.removesuffix("Filter") for noun in nouns} == set(FIELDS)
    for noun, fields in FIELDS.items():
        assert {*fields, "and", "or", "not"} == set(_fields(f"{noun}Filter")), noun


def _wanted(world: World, noun: str, row: Row) -> Any:
    if noun != "Dependency":
        return row["id"]
    hashes = [world.one("spec", row[key])["hash"] for key in ("parent_id", "child_id")]  # type: ignore[index]
    return (*hashes, json.loads(row["virtuals"]))


def _found(noun: str, node: Any) -> Any:
    if noun != "Dependency":
        return int(node["id"].rpartition(":")[2])
    return node["parent"]["hash"], node["child"]["hash"], node["virtuals"]


class Checker:
    """Asks for the rows that pass a filter and compares them with those that Python finds."""

    def __init__(self, site: AskedSite) -> None:
        self._site, self.world = site, World(site)
        self.shares: set[float] = set()

    def check(self, noun: str, where: Filter, *, as_variable: bool) -> None:
        """The answer is exactly the passing rows, newest first."""
        rows = self.world.some(TABLES[noun])
        assert 0 < len(rows) <= 100
        expected = [_wanted(self.world, noun, row) for row in rows if passes(self.world, noun, row, where)]
        answered = self._answer(noun, where, as_variable)
        assert [_found(noun, node) for node in answered["nodes"]] == expected, where
        assert answered["totalCount"] == len(expected)
        self.shares.add(len(expected) / len(rows))

    def _answer(self, noun: str, where: Filter, as_variable: bool) -> Any:
        name = f"{noun}Filter"
        head, written = f"query($where: {name})", "$where"
        if not as_variable:
            head, written = "", literal(where, TYPES[name])  # type: ignore[arg-type]
        shown = "parent { hash } child { hash } virtuals" if noun == "Dependency" else "id"
        list_ = f"{ROOTS[name]}(where: {written}, first: 100)"
        asked = f"{head} {{ it: {list_} {{ totalCount nodes {{ {shown} }} }} }}"
        return self._site.ask(asked, **({"where": where} if as_variable else {}))["it"]


def test_each_operator_of_each_field_alone_finds_what_looking_finds(furnished: AskedSite) -> None:
    checker = Checker(furnished)
    filters = Filters(checker.world)
    for noun, fields in FIELDS.items():
        for name, kind in _fields(f"{noun}Filter").items():
            if name not in fields or _is_relation(kind.name) or kind.name == "ContainedFilter":
                continue
            values = filters.values(noun, fields[name], kind.name)
            for how, type_ in _operators(kind.name).items():
                one = True if _is_flag(type_) else values[len(values) // 2]
                where: Filter = {name: {how: values[:2] if _takes_list(type_) else one}}
                if noun in REACHED:
                    other, way = REACHED[noun]
                    checker.check(other, {way: {"some": where}}, as_variable=True)
                else:
                    checker.check(noun, where, as_variable=True)


def test_a_filter_finds_what_looking_at_every_row_finds(furnished: AskedSite) -> None:
    checker = Checker(furnished)
    filters = Filters(checker.world)

    @settings(max_examples=300, suppress_health_check=list(HealthCheck))
    @given(data=st.data(), filter_name=st.sampled_from(sorted(ROOTS)), as_variable=st.booleans())
    def check(data: st.DataObject, filter_name: str, as_variable: bool) -> None:
        noun = filter_name.removesuffix("Filter")
        checker.check(noun, data.draw(filters.of(noun, 3)), as_variable=as_variable)

    check()
    # Filters that nothing or everything passes would prove little.
    assert len(checker.shares) > 8


DEEP, DEEPER = 30, 3000
REFUSED: list[tuple[Filter, str]] = [
    ({"name": {"equals": "zlib"}}, "VARIABLES_INVALID"),
    ({"nme": {"eq": "zlib"}}, "VARIABLES_INVALID"),
    ({"name": {"eq": None}}, "FILTER_NULL"),
    ({"compiler": {"name": {"in": None}}}, "FILTER_NULL"),
    ({"builds": {"some": None}}, "FILTER_NULL"),
    ({"name": {"eq": "a\0b"}}, "ARGUMENT_INVALID"),
    ({"version": {"lt": "\ud800"}}, "ARGUMENT_INVALID"),
    ({"parameters": {"some": {"value": {"eq": "\0"}}}}, "ARGUMENT_INVALID"),
    (reduce(lambda inner, _: {"not": inner}, range(DEEP), {}), "FILTER_TOO_DEEP"),
    (reduce(lambda inner, _: {"and": [inner]}, range(DEEPER), {}), "VARIABLES_INVALID"),
]


def test_a_filter_that_cannot_be_meant_is_a_coded_error(site: AskedSite) -> None:
    for where, code in REFUSED:
        error = site.error("query($where: SpecFilter) { specs(where: $where) { totalCount } }", where=where)
        assert error["extensions"]["code"] == code, error
