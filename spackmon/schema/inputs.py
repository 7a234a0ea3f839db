"""What is the same for every noun: how its filters combine, how many rows must pass, how it is ordered."""

from typing import Annotated, Any, Generic, TypeVar

import strawberry
from strawberry.schema.name_converter import NameConverter
from strawberry.types.base import StrawberryObjectDefinition, StrawberryType

from spackmon.query.meanings.fields import predicate
from spackmon.query.rows.filters import all_hold, does_not_hold, one_holds

Input = TypeVar("Input")


def filter_input(declared: type[Input]) -> type[Input]:
    """Makes a class of conditions a filter: an input type that has `and`, `or` and `not` besides them.

    The class's docstring says which rows it is about and becomes its description.
    """
    name = declared.__name__
    itself: Any = Annotated[name, strawberry.lazy(declared.__module__)]
    for combinator, type_, condition, description in (
        ("and", list[itself], all_hold(name), "All of these hold; an empty list matches nothing."),
        ("or", list[itself], one_holds(name), "One of these holds; an empty list matches nothing."),
        ("not", itself, does_not_hold(name), "Negates this filter."),
    ):
        declared.__annotations__[f"{combinator}_"] = type_ | None
        setattr(declared, f"{combinator}_", predicate(condition, name=combinator, description=description))
    return strawberry.input(declared, description=f"{declared.__doc__} All that are given must hold.")


@strawberry.input(description="How many related rows must match a filter; all that are given must hold.")
class Quantified(Generic[Input]):
    """How many of the rows that belong to a row pass a filter."""

    some: Input | None = strawberry.field(default=strawberry.UNSET, description="At least one matches.")
    none: Input | None = strawberry.field(default=strawberry.UNSET, description="None matches.")
    every: Input | None = strawberry.field(
        default=strawberry.UNSET, description="All match; true if there are none."
    )


class Names(NameConverter):
    """Strawberry's names, but `BuildListFilter` for a Quantified[BuildFilter]."""

    def from_generic(
        self, generic_type: StrawberryObjectDefinition, types: list[StrawberryType | type]
    ) -> str:
        """The name of a generic type with its arguments."""
        if generic_type.name != Quantified.__name__:
            return super().from_generic(generic_type, types)
        (filtered,) = types
        return self.get_name_from_type(filtered).removesuffix("Filter") + "ListFilter"
