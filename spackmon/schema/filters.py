"""The operators of filters: one set for everything that can be compared, by the type of its values."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum, EnumMeta
from functools import cache
from typing import Any

import strawberry

from spackmon.schema.scalars import Long

IN = "Equal to one of these; an empty list matches nothing."
NOT_IN = "Equal to none of these; an empty list excludes nothing."
IS_NULL = "Whether the value is null."
_TEXT_OPERATORS = {
    "contains": "Contains this.",
    "starts_with": "Starts with this.",
    "ends_with": "Ends with this.",
}
_CASE = "The case of ASCII letters does not matter."

Field = tuple[Any, str]


@strawberry.enum(description="A direction to sort in.")
class Direction(Enum):
    """A direction to sort in."""

    ASC = strawberry.enum_value("ASC", description="The smallest first.")
    DESC = strawberry.enum_value("DESC", description="The largest first.")


def _input(name: str, sentence: str, fields: Mapping[str, Field]) -> Any:
    body: dict[str, Any] = {
        field: strawberry.field(
            name="in" if field == "in_" else None, default=strawberry.UNSET, description=description
        )
        for field, (_, description) in fields.items()
    }
    body["__annotations__"] = {field: type_ | None for field, (type_, _) in fields.items()}
    return strawberry.input(type(name, (), body), description=f"{sentence} All that are given must hold.")


def _equal(operand: Any, equal: str = "Equal.") -> dict[str, Field]:
    return {
        "eq": (operand, equal),
        "ne": (operand, "Not equal; rows without a value match."),
        "in_": (list[operand], IN),
        "not_in": (list[operand], NOT_IN),
    }


def _compared(operand: Any, less: str, greater: str, equal: str = "Equal.") -> dict[str, Field]:
    """The operators that every type has; `less` and `greater` say what its order is."""
    return {
        **_equal(operand, equal),
        "lt": (operand, f"{less}."),
        "le": (operand, f"Equal, or {less.lower()}."),
        "gt": (operand, f"{greater}."),
        "ge": (operand, f"Equal, or {greater.lower()}."),
        "is_null": (bool, IS_NULL),
    }


def _texts() -> dict[str, Field]:
    plain: dict[str, Field] = {name: (str, description) for name, description in _TEXT_OPERATORS.items()}
    twins = {
        f"{name}_insensitive": (str, f"{description} {_CASE}")
        for name, description in _TEXT_OPERATORS.items()
    }
    return plain | twins


StringFilter = _input(
    "StringFilter",
    "What a text must be. Case matters but where an operator says otherwise.",
    _compared(str, "Before it in the order of bytes", "After it in the order of bytes") | _texts(),
)
VersionFilter = _input(
    "VersionFilter",
    "What a version must be, in Spack's order: `1.10` is after `1.9`, `develop` after all numbers.",
    _compared(str, "Older", "Newer", "Equal: `1.2-3` equals `1.2.3`."),
)
IntFilter = _input("IntFilter", "What a number must be.", _compared(int, "Less", "Greater"))
LongFilter = _input("LongFilter", "What a large number must be.", _compared(Long, "Less", "Greater"))
FloatFilter = _input("FloatFilter", "What a measured number must be.", _compared(float, "Less", "Greater"))
DateTimeFilter = _input(
    "DateTimeFilter", "When something must have happened.", _compared(datetime, "Earlier", "Later")
)
BooleanFilter = _input(
    "BooleanFilter", "What must be true or not.", _compared(bool, "Less; false is less than true", "Greater")
)
IDFilter = _input("IDFilter", "Which ids; a bare number is an id of the type itself.", _equal(strawberry.ID))
ParameterValueFilter = _input(
    "ParameterValueFilter",
    "What an element of a parameter must be.",
    _equal(str, "Equal, as Spack shows it: `true`, `shared`, `-O2`."),
)


@strawberry.input(description="What a list of texts must be. All that are given must hold.")
class StringListFilter:
    """What a list of texts must be."""

    contains: str | None = strawberry.field(default=strawberry.UNSET, description="Has this text.")
    is_empty: bool | None = strawberry.field(default=strawberry.UNSET, description="Whether it has none.")


@strawberry.input(description="Whether there is one.")
class PresenceFilter:
    """Whether there is one."""

    is_null: bool | None = strawberry.field(default=strawberry.UNSET, description=IS_NULL)


@cache
def enum_filter(values: EnumMeta) -> Any:
    """What a value of an enum must be."""
    return _input(
        f"{values.__name__}Filter",
        f"Which {values.__name__} it must be.",
        _compared(values, "Before it in the order of names", "After it in the order of names"),
    )
