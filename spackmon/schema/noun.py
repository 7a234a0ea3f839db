"""A noun is said once: its type, and of what its fields say, the filter and the order of its rows.

A field that `filters` is in the filter under its own name and description, one that `sorts` in the order.
What can only be filtered or sorted by stands in the classes `Filter` and `Order` within the noun.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from enum import EnumMeta
from types import NoneType
from typing import Annotated, Any, ForwardRef, TypeVar, get_args, get_origin

import strawberry
from strawberry.scalars import JSON
from strawberry.types.field import StrawberryField
from strawberry.types.lazy_type import StrawberryLazyReference

from spackmon.query.meanings.connections import Connected
from spackmon.query.meanings.fields import FILTERS, SORTS, SQL, By, Input, argument
from spackmon.query.meanings.row_fields import Chosen, Column, Expression, Identity, Listing, Relation
from spackmon.query.rows.filters import (
    compares,
    compares_value,
    has_element,
    has_tags,
    related,
    through,
    through_chosen,
)
from spackmon.query.rows.ids import compares_ids
from spackmon.query.rows.tags import Tags
from spackmon.schema import derived
from spackmon.schema.filters import (
    BooleanFilter,
    DateTimeFilter,
    Direction,
    FloatFilter,
    IDFilter,
    IntFilter,
    LongFilter,
    PresenceFilter,
    StringFilter,
    StringListFilter,
    enum_filter,
)
from spackmon.schema.inputs import Quantified, filter_input
from spackmon.schema.scalars import Long

Declared = TypeVar("Declared", bound=type)

_OPERANDS = {
    str: StringFilter,
    int: IntFilter,
    bool: BooleanFilter,
    Long: LongFilter,
    float: FloatFilter,
    datetime: DateTimeFilter,
    JSON: PresenceFilter,
}


def input_of(name: str) -> Any:
    """A derived input, by its name; it need not be there yet."""
    return Annotated[name, strawberry.lazy(derived.__name__)]


def quantified(name: str) -> Any:
    """How many of several rows must pass a derived filter."""
    return Quantified[input_of(name)]  # type: ignore[misc]


def object_type(declared: Declared) -> Declared:
    """Makes a class a type of the schema; its docstring becomes its description.

    Its connections take the filter and the order of what they list, and lists that have a `where` the filter.
    """
    for name, field in _fields(declared).items():
        meaning = field.metadata.get(SQL)
        if isinstance(meaning, Listing) and meaning.has_where:
            field.arguments = [_where(noun_of(declared.__annotations__[name]))]
        elif isinstance(meaning, Connected):
            target = noun_of(declared.__annotations__[name])
            field.arguments = [
                *field.arguments,
                _where(target),
                argument(
                    "order_by",
                    list[input_of(f"{target}Order")] | None,  # type: ignore[misc]
                    "Sorted by these values, in this order; then newest first.",
                ),
            ]
    return strawberry.type(declared, description=_sentence(declared))


def _where(target: str) -> Any:
    return argument("where", input_of(f"{target}Filter") | None, "Only these rows.")


def noun(plural: str, *, filter_name: str = "") -> Callable[[Declared], Declared]:
    """Makes a class a type of the schema, and derives its filter and its order.

    `plural` is what several are called; `filter_name` is the filter's own name, if it has one.
    """

    def declare(declared: Declared) -> Declared:
        name = declared.__name__
        inputs = dict(_filtered(declared))
        if inputs:
            made = _input(filter_name or f"{name}Filter", f"Which {plural}.", inputs)
            setattr(derived, made.__name__, filter_input(made))
        orders = dict(_sorted(declared))
        if orders:
            sentence = f"What {plural} are sorted by. Exactly one of its fields is set."
            made = _input(f"{name}Order", sentence, orders)
            setattr(derived, made.__name__, strawberry.input(made, description=sentence))
        return object_type(declared)

    return declare


def only_filtered(plural: str) -> Callable[[type], type]:
    """Makes a filter of a class with conditions, about rows that are no type of the schema."""

    def declare(declared: type) -> type:
        made = _input(f"{declared.__name__}Filter", f"Which {plural}.", dict(_conditions(declared)))
        setattr(derived, made.__name__, filter_input(made))
        return declared

    return declare


def _fields(declared: type) -> Mapping[str, StrawberryField]:
    return {name: one for name, one in vars(declared).items() if isinstance(one, StrawberryField)}


def _sentence(declared: type) -> str:
    return re.sub(r"\s+", " ", declared.__doc__ or "").strip()


def _filtered(declared: type) -> Iterator[tuple[str, Input]]:
    for name, field in _fields(declared).items():
        filters = field.metadata.get(FILTERS)
        if filters:
            by = filters if isinstance(filters, By) else _by(declared, name, field.metadata[SQL])
            yield name, Input(by.operand, by.condition, field.description or "")
    yield from _own(declared, "Filter")


def _sorted(declared: type) -> Iterator[tuple[str, Input]]:
    for name, field in _fields(declared).items():
        sorts = field.metadata.get(SORTS)
        if sorts is not None:
            yield name, Input(Direction, sorts, field.description or "")
    for name, own in _own(declared, "Order"):
        yield name, Input(Direction, own.meaning, own.description)


def _own(declared: type, inner: str) -> Iterator[tuple[str, Input]]:
    """What stands in the class `Filter` or `Order` of a noun."""
    yield from _conditions(vars(declared).get(inner, NoneType))


def _conditions(declared: type) -> Iterator[tuple[str, Input]]:
    yield from ((name, one) for name, one in vars(declared).items() if isinstance(one, Input))


def _input(name: str, sentence: str, inputs: Mapping[str, Input]) -> type:
    body = {
        field: strawberry.field(
            metadata={SQL: one.meaning}, description=one.description, default=strawberry.UNSET
        )
        for field, one in inputs.items()
    }
    annotations = {field: one.type_ | None for field, one in inputs.items()}
    own = {"__annotations__": annotations, "__doc__": sentence, "__module__": derived.__name__}
    return type(name, (), {**body, **own})


def _by(declared: type, field: str, meaning: object) -> By:
    """How a field is filtered that says no more than that it is."""
    annotation = declared.__annotations__[field]
    match meaning:
        case Identity():
            return By(IDFilter, compares_ids(declared.__name__))
        case Column(steps, attribute):
            kind = _not_null(annotation)
            if get_origin(kind) is list:
                return By(StringListFilter, has_element(*steps, attribute))
            return By(_operand(kind), compares(*steps, attribute))
        case Expression(value_of):
            return By(_operand(_not_null(annotation)), compares_value(value_of))
        case Relation(steps):
            name = f"{noun_of(annotation)}Filter"
            return By(input_of(name), through(name, *steps))
        case Chosen(model, row_id):
            name = f"{noun_of(annotation)}Filter"
            return By(input_of(name), through_chosen(name, model, row_id))
        case Connected(_, Tags() as tags):
            name = f"{noun_of(annotation)}Filter"
            return By(quantified(name), has_tags(name, tags))
        case Listing(model, belongs) | Connected(model, belongs) if belongs is not None:
            name = f"{noun_of(annotation)}Filter"
            among = meaning.among if isinstance(meaning, Connected) else None
            return By(quantified(name), related(name, model, belongs, among))
    raise TypeError(f"nothing says how this is filtered: {meaning!r}")


def _operand(kind: Any) -> Any:
    return enum_filter(kind) if isinstance(kind, EnumMeta) else _OPERANDS[kind]


def _not_null(annotation: Any) -> Any:
    some = [one for one in get_args(annotation) if one is not NoneType]
    return some[0] if NoneType in get_args(annotation) else annotation


def noun_of(annotation: Any) -> str:
    """The name of the noun that a field's type speaks of, through null, lists and connections."""
    if isinstance(annotation, str):
        return annotation.removesuffix(" | None")
    if isinstance(annotation, ForwardRef):
        return annotation.__forward_arg__
    if any(isinstance(one, StrawberryLazyReference) for one in getattr(annotation, "__metadata__", ())):
        return noun_of(annotation.__origin__)
    inner = [one for one in get_args(annotation) if one is not NoneType]
    if inner:
        return noun_of(inner[0])
    base = next(iter(getattr(annotation, "__orig_bases__", ())), None)
    return noun_of(base) if get_args(base) else str(annotation.__name__)
