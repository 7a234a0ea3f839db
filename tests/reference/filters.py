"""Whether a row passes a filter, operator by operator.

A filter's field means what the field of its name means on the type that it is about; it is compared, or
its rows are put to their own filter. No condition is ever unknown: what is not there differs from every
value, so that `not` gives exactly the other rows.
"""

import json
from collections.abc import Callable, Mapping
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from spackmon import models
from spackmon.errors import Code, Refused
from spackmon.graph.parameters import indexed_name
from spackmon.graph.versions import version_key
from tests.reference import fields, related
from tests.reference.connected import connected
from tests.reference.rows import Rows
from tests.reference.searches import searched

Operator = Callable[[Any, Any], bool]

COMPARISONS: dict[str, Operator] = {
    "eq": lambda value, sought: value is not None and value == sought,
    "ne": lambda value, sought: value is None or value != sought,
    "in": lambda value, sought: value is not None and value in sought,
    "lt": lambda value, sought: value is not None and value < sought,
    "le": lambda value, sought: value is not None and value <= sought,
    "gt": lambda value, sought: value is not None and value > sought,
    "ge": lambda value, sought: value is not None and value >= sought,
    "notIn": lambda value, sought: value is None or value not in sought,
    "contains": lambda value, sought: value is not None and sought in value,
    "startsWith": lambda value, sought: value is not None and value.startswith(sought),
    "endsWith": lambda value, sought: value is not None and value.endswith(sought),
    "isNull": lambda value, sought: (value is None) == sought,
}
LISTS: dict[str, Operator] = {
    "contains": lambda elements, sought: sought in elements,
    "isEmpty": lambda elements, sought: (not elements) == sought,
    "eq": lambda elements, sought: bool(sought) and set(elements) == set(sought),
}


def _is_written(value: Any, text: str) -> bool:
    """Whether Spack would show a parameter's value so."""
    if value == text:
        return True
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    try:
        return isinstance(value, int | float) and json.dumps(json.loads(text)) == json.dumps(value)
    except ValueError:
        return False


PARAMETERS: dict[str, Operator] = {
    "eq": _is_written,
    "ne": lambda value, sought: not _is_written(value, sought),
    "in": lambda value, sought: any(_is_written(value, one) for one in sought),
    "notIn": lambda value, sought: not any(_is_written(value, one) for one in sought),
}
_TO_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)


def _insensitive(operator: Operator) -> Operator:
    """The operator for texts of which the case of ASCII letters does not matter."""
    return lambda value, sought: operator(
        None if value is None else value.translate(_TO_LOWER), sought.translate(_TO_LOWER)
    )


COMPARISONS |= {
    f"{name}Insensitive": _insensitive(COMPARISONS[name]) for name in ("contains", "startsWith", "endsWith")
}
_OPERATORS = {"StringListFilter": LISTS, "DeptypesFilter": LISTS, "ParameterValueFilter": PARAMETERS}


def type_of(input_name: str) -> str:
    """The type whose rows a filter is about."""
    return input_name.removesuffix("Filter").removesuffix("List")


def passes(rows: Rows, schema: Any, input_name: str, given: Mapping[str, Any], row: Any) -> bool:
    """Whether `row` passes what was given of a filter input."""
    asked = {name: sought for name, sought in given.items() if sought is not None}
    # Every condition is looked at, also where one is false already: it may be one that is refused.
    held = [_holds(rows, schema, input_name, name, sought, row) for name, sought in asked.items()]
    return all(held)


def _holds(rows: Rows, schema: Any, input_name: str, name: str, sought: Any, row: Any) -> bool:
    def one(filter_: Mapping[str, Any]) -> bool:
        return passes(rows, schema, input_name, filter_, row)

    if name in ("and", "or"):
        parts = [one(part) for part in sought]
        return bool(parts) and (all(parts) if name == "and" else any(parts))
    if name == "not":
        return not one(sought)
    if name == "search":
        return searched(row, sought)
    if name in ("dependency", "dependent"):

        def are_passed(where: Mapping[str, Any], spec: Any) -> bool:
            return passes(rows, schema, "SpecFilter", where, spec)

        return connected(rows, row, sought, are_passed, upwards=name == "dependent")
    type_name = type_of(input_name)
    inner = named(schema.type_map[input_name].fields[name].type)
    to_any = related.FILTERED_TO_ANY.get((type_name, name))
    if to_any is not None:
        passing = [passes(rows, schema, inner, sought, other) for other in to_any(rows, row)]
        return any(passing)
    to_one = related.TO_ONE.get((type_name, name))
    if to_one is not None:
        other = to_one(rows, row)
        return other is not None and passes(rows, schema, inner, sought, other)
    _refuse_null(sought)
    to_many = fields.FILTERED_TO_MANY.get((type_name, name)) or related.TO_MANY.get((type_name, name))
    if to_many is not None:
        others = list(to_many(rows, row))
        element = named(schema.type_map[inner].fields["some"].type)
        return all(_quantified(rows, schema, element, how, what, others) for how, what in sought.items())
    value = group_value(row, name) if isinstance(row, dict) else fields.value(rows, type_name, name, row)
    return _compared(rows, (type_name, name), inner, value, sought)


def group_value(group: Mapping[str, Any], name: str) -> Any:
    """What a group is compared by."""
    if name in group:
        return group[name]
    for measure, word in (("cpuTimes", "Cpu"), ("peakMemory", "Memory")):
        if word in name:
            return (group.get(measure) or {}).get(name.replace(word, ""))
    return (group.get("durations") or {}).get(name)


def _quantified(
    rows: Rows, schema: Any, input_name: str, how: str, sought: Mapping[str, Any], others: list[Any]
) -> bool:
    passing = [passes(rows, schema, input_name, sought, other) for other in others]
    return {"some": any(passing), "none": not any(passing), "every": all(passing)}[how]


def _compared(
    rows: Rows, key: tuple[str, str], input_name: str, value: Any, sought: Mapping[str, Any]
) -> bool:
    operators = _OPERATORS.get(input_name, COMPARISONS)
    convert = version_key if input_name == "VersionFilter" else _plain
    if key == ("Parameter", "name"):
        convert = indexed_name
    if key[1] == "id":
        convert = _number_of(rows, key[0])
    comparable = None if value is None else convert(value)
    return all(
        operators[name](comparable, operand if name == "isNull" else _each(convert, operand))
        for name, operand in sought.items()
    )


def _each(convert: Callable[[Any], Any], operand: Any) -> Any:
    return [convert(one) for one in operand] if isinstance(operand, list) else convert(operand)


def _number_of(rows: Rows, type_name: str) -> Callable[[str], int]:
    """Reads ids; that of a build merged into another one is the other's."""

    def number(text: str) -> int:
        digits = str(text).removeprefix(f"{type_name}:")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
            raise Refused(Code.ID_INVALID, "not an id")
        merged = rows.get(models.MergedBuild, int(digits)) if type_name == "Build" else None
        return int(digits) if merged is None else int(merged.build_id)

    return number


def _plain(value: Any) -> Any:
    return value


def _refuse_null(sought: Mapping[str, Any]) -> None:
    if any(operand is None for operand in sought.values()):
        raise Refused(Code.FILTER_NULL, "an operator without an operand")


def named(type_: Any) -> str:
    """The name of a type without its lists and exclamation marks."""
    while hasattr(type_, "of_type"):
        type_ = type_.of_type
    return str(type_.name)


def is_of_groups(type_name: str) -> bool:
    """Whether a filter is one of groups of rows."""
    return type_name.endswith("Group") and type_name != "ErrorGroup"


def knows(input_name: str, name: str) -> bool:
    """Whether a filter's field can be tested here."""
    key = type_of(input_name), name
    return (
        name in ("and", "or", "not", "dependency", "dependent", "search")
        or is_of_groups(key[0])
        or any(key in known for known in (related.TO_ONE,))
        or any(key in known for known in (fields.FILTERED_TO_MANY, related.TO_MANY))
        or fields.is_value(*key)
    )
