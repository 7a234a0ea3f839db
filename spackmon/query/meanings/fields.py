"""What a field of the schema means in SQL, declared beside its type.

Each function here makes a strawberry field without a resolver; its meaning travels in the field's
`metadata` under the key SQL and is read back by `registry`. There is no second list to keep in step.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import strawberry
from sqlalchemy import ColumnElement
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument

from spackmon.graph.spack_rules import SpackVersion
from spackmon.query.meanings.computing import COST, Computed, Facts, selected
from spackmon.query.meanings.connections import MOST_RANKED, Connected
from spackmon.query.meanings.finding import Lookup, NodeLookup
from spackmon.query.meanings.live import Live
from spackmon.query.meanings.log_searching import SearchedLog, SearchedLogs
from spackmon.query.meanings.row_fields import (
    Chosen,
    Column,
    Embedded,
    Expression,
    Identity,
    JsonExpression,
    Listing,
    Relation,
)
from spackmon.query.sql.conditions import (
    Among,
    Belongs,
    Builder,
    Collects,
    Driver,
    Finder,
    Leads,
    Limits,
    Make,
    Predicate,
    Satisfying,
    SpecIds,
    ValueOf,
)
from spackmon.query.sql.scope import Attribute, Scope
from spackmon.status import ChangeKind

# Under these keys a field's metadata has its meaning, what a filter asks of it, and what it sorts by.
SQL, FILTERS, SORTS = "spackmon.sql", "spackmon.filters", "spackmon.sorts"


@dataclass(frozen=True, slots=True)
class By:
    """What a filter compares a field with: the input type of the operand, and the condition it makes."""

    operand: Any
    condition: Predicate


def by(operand: Any, condition: Predicate) -> By:
    """How a field is filtered, where its own type does not say it: an input type and its condition."""
    return By(operand, condition)


def _field(
    meaning: object,
    description: str,
    *,
    arguments: Sequence[Any] = (),
    filters: bool | By = False,
    sorts: "Column | Expression | None" = None,
) -> Any:
    made = strawberry.field(metadata={SQL: meaning, FILTERS: filters, SORTS: sorts}, description=description)
    if arguments:
        made.arguments = list(arguments)
    return made


def column(
    *path: Attribute,
    description: str,
    filters: bool | By = False,
    sorts: bool | Attribute | tuple[Attribute, ...] = False,
) -> Any:
    """A field that is a column; foreign keys to follow stand before it.

    `filters` and `sorts` put it into the noun's filter and order; another path there is what it is sorted by.
    """
    meaning = _column(path)
    other = sorts if isinstance(sorts, tuple) else None if isinstance(sorts, bool) else (sorts,)
    order = meaning if sorts is True else None if other is None else _column(other)
    return _field(meaning, description, filters=filters, sorts=order)


def _column(path: Sequence[Attribute]) -> Column:
    return Column(tuple(path[:-1]), path[-1])


def value(
    value_of: ValueOf,
    *,
    description: str,
    cost: int = 1,
    filters: bool = False,
    sorts: bool | ValueOf = False,
) -> Any:
    """A field that SQL computes of its row; all rows are sorted by what `sorts` computes of them together."""
    of_all = None if isinstance(sorts, bool) else sorts
    meaning = Expression(value_of, cost, of_all)
    return _field(meaning, description, filters=filters, sorts=meaning if sorts else None)


def json_value(build: Builder, *, description: str, cost: int = 1, filters: bool | By = False) -> Any:
    """A field that SQL computes of its row, as JSON text."""
    return _field(JsonExpression(build, cost), description, filters=filters)


def identity(model: Any, *, is_bare: bool = False, description: str = "Its id in this schema.") -> Any:
    """The field `id` of a type whose rows are found by `node`."""
    return _field(Identity(model, is_bare), description, filters=True)


def relation(
    *path: Attribute, description: str, filters: bool = False, sorts: Attribute | None = None
) -> Any:
    """A field that is another row, through foreign keys; `sorts` is a column of that row to sort by."""
    order = None if sorts is None else _column((*path, sorts))
    return _field(Relation(tuple(path)), description, filters=filters, sorts=order)


def chosen(model: Any, row_id: ValueOf, *, description: str, filters: bool = False) -> Any:
    """A field that is another row, which SQL chooses."""
    return _field(Chosen(model, row_id), description, filters=filters)


def embedded(
    *,
    description: str,
    present: Callable[[Scope], ColumnElement[bool]] | None = None,
    arguments: Sequence[StrawberryArgument] = (),
    limits: "Limits | None" = None,
    collects: "Collects | None" = None,
) -> Any:
    """A field that is an object made of this same row."""
    return _field(Embedded(present, limits, collects), description, arguments=arguments)


def listing(
    model: Any,
    *,
    description: str,
    order: Sequence[Attribute | tuple[Attribute, ...]],
    belongs: Belongs | None = None,
    is_collected: bool = False,
    ends: Sequence[Attribute] = (),
    rows: int = 10,
    filters: bool = False,
    has_where: bool = False,
) -> Any:
    """A field that lists rows whose number the thing itself bounds; open-ended ones are connections.

    One that `has_where` takes the filter of what it lists as an argument.
    """
    meaning = Listing(model, belongs, is_collected, tuple(ends), _paths(order), rows, has_where)
    return _field(meaning, description, filters=filters)


def connection(
    model: Any,
    *,
    description: str,
    belongs: Belongs | None = None,
    satisfying: Satisfying | None = None,
    order: Sequence[Attribute | tuple[Attribute, ...]] = (),
    rows: int | None = None,
    walk: Callable[[Scope, Scope], Driver] | None = None,
    counted: ValueOf | None = None,
    words: Attribute | None = None,
    among: Among | None = None,
    led: Leads | None = None,
    newest: Callable[[Scope, Scope], ColumnElement[Any]] | None = None,
    filters: bool = False,
) -> Any:
    """A field that is a Relay connection over a table; its noun's filter and order become arguments."""
    arguments = list(PAGING)
    if words is not None:
        sentence = (
            f"Only those with these words, as a filter's `search`: of the latest {MOST_RANKED:,} first those "
            "with all of them side by side, errors before warnings."
        )
        arguments.append(argument("search", str | None, sentence))
    if satisfying is not None:
        arguments += [
            argument("satisfying", str | None, "Only what satisfies this, in Spack's spec language."),
            JUDGED_AS,
        ]
    meaning = Connected(
        model, belongs, satisfying, _paths(order), rows, walk, counted, words, among, led, newest
    )
    return _field(meaning, description, arguments=arguments, filters=filters)


def _paths(order: Sequence[Attribute | tuple[Attribute, ...]]) -> tuple[tuple[Attribute, ...], ...]:
    return tuple(step if isinstance(step, tuple) else (step,) for step in order)


def lookup(model: Any, find: Finder, arguments: Sequence[StrawberryArgument], *, description: str) -> Any:
    """A root field that finds one row by its arguments."""
    return _field(Lookup(model, find), description, arguments=arguments)


def satisfies(
    model: Any,
    find: Finder,
    satisfying: Satisfying,
    arguments: Sequence[StrawberryArgument],
    *,
    description: str,
) -> Any:
    """A root field that tells whether one row satisfies what its argument `spec` says."""
    return _field(Lookup(model, find, satisfying), description, arguments=arguments)


def node_lookup(*, description: str) -> Any:
    """The root field `node(id:)`."""
    arguments = [argument("id", strawberry.ID, "The id, as the schema wrote it.")]
    return _field(NodeLookup(), description, arguments=arguments)


def nodes_lookup(*, most: int, description: str) -> Any:
    """The root field `nodes(ids:)`."""
    arguments = [argument("ids", list[strawberry.ID], f"The ids, at most {most}.")]
    return _field(NodeLookup(is_list=True), description, arguments=arguments)


def computed(
    facts: str | Callable[[Mapping[str, Any]], str],
    make: Make,
    *,
    description: str,
    arguments: Sequence[StrawberryArgument] = (),
    decides: Sequence[str] = (),
    specs: SpecIds | None = None,
) -> Any:
    """A field that Python computes of what a selection on the same object answers."""
    selection = (lambda _: facts) if isinstance(facts, str) else facts
    return _field(Computed(selected(selection, decides), make, specs), description, arguments=arguments)


def counted(
    facts: Facts,
    make: Make,
    *,
    description: str,
    cost: int = COST,
    arguments: Sequence[StrawberryArgument] = (),
    specs: SpecIds | None = None,
) -> Any:
    """A field that Python computes of what SQL selects or counts, at so many units of cost."""
    return _field(Computed(facts, make, specs, cost=cost), description, arguments=arguments)


def searched_logs(arguments: Sequence[StrawberryArgument], *, description: str) -> Any:
    """The root field that looks through whole logs."""
    return _field(SearchedLogs(), description, arguments=arguments)


def searched_log(arguments: Sequence[StrawberryArgument], *, description: str) -> Any:
    """A field of a log that looks through it."""
    return _field(SearchedLog(), description, arguments=arguments)


def live(model: Any, kind: ChangeKind, where: Any, *, description: str) -> Any:
    """A field of a subscription: rows of a model as they change; `where` is the type of its filter."""
    arguments = [
        argument("where", where | None, "Only these rows, as they are after the change."),
        argument("after", str | None, "Begin after this cursor, with what was missed; else with what comes."),
    ]
    return _field(Live(model, kind), description, arguments=arguments)


def predicate(condition: Predicate, *, description: str, name: str | None = None) -> Any:
    """A field of a filter input that is written out; `condition` says what it asks of a row."""
    return strawberry.field(
        metadata={SQL: condition}, description=description, name=name, default=strawberry.UNSET
    )


@dataclass(frozen=True, slots=True)
class Input:
    """A field of an input that no field of a type says: its type, its meaning and its description."""

    type_: Any
    meaning: Any
    description: str


def condition(operand: Any, condition: Predicate, *, description: str) -> Any:
    """A field of a noun's filter that is no field of the noun."""
    return Input(operand, condition, description)


def sorted_by(*path: Attribute, description: str) -> Any:
    """A field of a noun's order that is no field of the noun; rows without a value come last."""
    return Input(None, _column(path), description)


def sorted_by_value(value_of: ValueOf, *, description: str) -> Any:
    """As `sorted_by`, of a value that SQL computes of the row."""
    return Input(None, Expression(value_of), description)


def argument(name: str, type_: Any, description: str, default: Any = strawberry.UNSET) -> StrawberryArgument:
    """An argument of a field."""
    return StrawberryArgument(
        python_name=name,
        graphql_name=None,
        type_annotation=StrawberryAnnotation(type_),
        description=description,
        default=default,
    )


@strawberry.enum(name="SpackVersion", description="A Spack, by whose rules specs are judged.")
class JudgingSpack(Enum):
    """The members of SpackVersion, each with its description."""

    SPACK_1_2 = strawberry.enum_value(SpackVersion.SPACK_1_2.value, description="Spack 1.2.")
    SPACK_1_3 = strawberry.enum_value(SpackVersion.SPACK_1_3.value, description="Spack 1.3.")


JUDGED_AS = argument("as", JudgingSpack | None, "By the rules of this Spack; else of the site's.")
"""The argument beside a text in the spec language, which Spacks do not all judge alike."""

PAGING = (
    argument(
        "first",
        int | None,
        "How many rows to return from the start: 50 by default, at most 500.",
    ),
    argument("after", str | None, "Only rows after this cursor."),
    argument("last", int | None, "How many rows to return from the end: at most 500."),
    argument("before", str | None, "Only rows before this cursor."),
)
