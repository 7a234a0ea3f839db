"""The operators of filters, by the type of what they compare, and the direction of an order."""

from datetime import datetime
from enum import Enum, EnumMeta
from functools import cache
from typing import Any

import strawberry

IN = "Equal to one of these; an empty list matches nothing."
IS_NULL = "Whether there is no value."


@strawberry.enum(description="A direction to sort in.")
class Direction(Enum):
    """A direction to sort in."""

    ASC = strawberry.enum_value("ASC", description="The smallest first.")
    DESC = strawberry.enum_value("DESC", description="The largest first.")


@strawberry.input(description="What a text must be; all given must hold. Case matters.")
class StringFilter:
    """What a text must be; all that is given must hold."""

    eq: str | None = strawberry.field(default=strawberry.UNSET, description="Equal.")
    ne: str | None = strawberry.field(default=strawberry.UNSET, description="Not equal.")
    in_: list[str] | None = strawberry.field(name="in", default=strawberry.UNSET, description=IN)
    lt: str | None = strawberry.field(default=strawberry.UNSET, description="Before, in the order of bytes.")
    ge: str | None = strawberry.field(default=strawberry.UNSET, description="Equal or after.")
    contains: str | None = strawberry.field(default=strawberry.UNSET, description="Contains.")
    starts_with: str | None = strawberry.field(default=strawberry.UNSET, description="Starts with.")
    is_null: bool | None = strawberry.field(default=strawberry.UNSET, description=IS_NULL)


@strawberry.input(description="What a version must be, in Spack's order of versions; all given must hold.")
class VersionFilter:
    """What a version must be, in Spack's order: `1.10` is after `1.9`, `develop` after all numbers."""

    eq: str | None = strawberry.field(default=strawberry.UNSET, description="Equal: `1.2-3` equals `1.2.3`.")
    ne: str | None = strawberry.field(default=strawberry.UNSET, description="Not equal.")
    in_: list[str] | None = strawberry.field(name="in", default=strawberry.UNSET, description=IN)
    lt: str | None = strawberry.field(default=strawberry.UNSET, description="Older.")
    le: str | None = strawberry.field(default=strawberry.UNSET, description="Equal or older.")
    gt: str | None = strawberry.field(default=strawberry.UNSET, description="Newer.")
    ge: str | None = strawberry.field(default=strawberry.UNSET, description="Equal or newer.")


@strawberry.input(description="What a number must be; all that is given must hold.")
class IntFilter:
    """What a number must be; all that is given must hold."""

    eq: int | None = strawberry.field(default=strawberry.UNSET, description="Equal.")
    ne: int | None = strawberry.field(default=strawberry.UNSET, description="Not equal.")
    in_: list[int] | None = strawberry.field(name="in", default=strawberry.UNSET, description=IN)
    lt: int | None = strawberry.field(default=strawberry.UNSET, description="Less.")
    le: int | None = strawberry.field(default=strawberry.UNSET, description="Equal or less.")
    gt: int | None = strawberry.field(default=strawberry.UNSET, description="Greater.")
    ge: int | None = strawberry.field(default=strawberry.UNSET, description="Equal or greater.")
    is_null: bool | None = strawberry.field(default=strawberry.UNSET, description=IS_NULL)


@strawberry.input(description="What a measured number must be; all that is given must hold.")
class FloatFilter:
    """What a measured number must be; all that is given must hold."""

    lt: float | None = strawberry.field(default=strawberry.UNSET, description="Less.")
    le: float | None = strawberry.field(default=strawberry.UNSET, description="Equal or less.")
    gt: float | None = strawberry.field(default=strawberry.UNSET, description="Greater.")
    ge: float | None = strawberry.field(default=strawberry.UNSET, description="Equal or greater.")
    is_null: bool | None = strawberry.field(default=strawberry.UNSET, description=IS_NULL)


@strawberry.input(description="When something must have happened; all that is given must hold.")
class DateTimeFilter:
    """When something must have happened; all that is given must hold."""

    lt: datetime | None = strawberry.field(default=strawberry.UNSET, description="Before.")
    ge: datetime | None = strawberry.field(default=strawberry.UNSET, description="At that moment or later.")
    is_null: bool | None = strawberry.field(default=strawberry.UNSET, description=IS_NULL)


@strawberry.input(description="What a list of texts must be; all that is given must hold.")
class StringListFilter:
    """What a list of texts must be; all that is given must hold."""

    contains: str | None = strawberry.field(default=strawberry.UNSET, description="Has this text.")
    is_empty: bool | None = strawberry.field(default=strawberry.UNSET, description="Whether it has none.")


@strawberry.input(description="Whether there is something.")
class PresenceFilter:
    """Whether there is something."""

    is_null: bool | None = strawberry.field(default=strawberry.UNSET, description=IS_NULL)


@cache
def enum_filter(values: EnumMeta) -> Any:
    """What a value of an enum must be."""
    fields = {
        "eq": (values, None, "This."),
        "ne": (values, None, "Not this."),
        "in_": (list[values], "in", IN),  # type: ignore[valid-type]
        "is_null": (bool, None, IS_NULL),
    }
    body = {
        field: strawberry.field(name=name, default=strawberry.UNSET, description=description)
        for field, (_, name, description) in fields.items()
    }
    annotations = {field: type_ | None for field, (type_, _, _) in fields.items()}
    made = type(f"{values.__name__}Filter", (), {**body, "__annotations__": annotations})
    return strawberry.input(made, description=f"Which {values.__name__} it must be; all given must hold.")
