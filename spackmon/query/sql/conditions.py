"""What the parts of a statement give to each other: parameters, conditions, row ids, and who makes them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import ColumnElement, CompoundSelect, FromClause, Select, and_, not_, true

from spackmon.errors import Code
from spackmon.graph.spack_rules import Rules
from spackmon.query.sql.json_text import JsonWriter
from spackmon.query.sql.scope import Attribute, Scope
from spackmon.query.sql.values import Given, plain

Path = tuple[Attribute, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """SQL for the id of the row that a Lookup finds; NULL if no row matches.

    Where `ambiguous` is true the arguments name several rows, and the answer is the error.
    """

    row_id: ColumnElement[Any]
    ambiguous: ColumnElement[bool] | None = None
    ambiguous_code: Code = Code.ARGUMENT_INVALID
    ambiguous_sentence: str = ""


Make = Callable[[Any, Mapping[str, Any]], Any]
SpecIds = Callable[[Scope, Mapping[str, Given], "Filtering"], Select[Any] | CompoundSelect[Any]]


class Bind(Protocol):
    """Makes a parameter of a value; `convert` turns what was sent into what is bound, in every run."""

    def __call__(self, given: Given, type_: Any, convert: Callable[[Any], Any] = plain) -> ColumnElement[Any]:
        """The parameter."""


@dataclass(frozen=True, slots=True)
class Walk:
    """What a Driver is walked by where it has no column of ids: `columns`, in the order of which the ids are.

    The first of them is `first_of` an id.
    """

    columns: tuple[ColumnElement[Any], ...]
    first_of: Callable[[ColumnElement[Any]], ColumnElement[Any]]


@dataclass(frozen=True, slots=True)
class Driver:
    """What to walk instead of the table itself: a source with the rows' ids, each once, in an index.

    `backward` is the same to be walked from the end. `holds` says of a row of the table that it is found, and
    `number` how many are, where these are less to look at than the source.
    """

    source: FromClause
    row_id: ColumnElement[Any]
    conditions: tuple[ColumnElement[bool], ...] = ()
    walk: Walk | None = None
    backward: "Driver | None" = None
    holds: ColumnElement[bool] | None = None
    number: Select[Any] | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """A form of a condition; `is_taken` tells, whatever the row, whether it is the one to use.

    `walked` is the same where rows are looked at one by one, from the newest, until a page is full, and
    `counting` where all are counted, whether this is the form to use or not.
    """

    is_taken: ColumnElement[bool]
    condition: ColumnElement[bool]
    walked: ColumnElement[bool] | None = None
    counting: ColumnElement[bool] | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """What a filter asks of a row: SQL that is true, and if there is one a Driver that finds the rows.

    `among` finds these and perhaps others, `newest` is no less than the id of any, and `few` is the form to
    take where they are few. `is_few` tells, whatever the row, that an index finds so few that what they
    belong to is best found by way of them; `is_common` that so many of the newest are found that what they
    belong to is best walked, where `walked` is asked of each if it is there. `ways` are forms of `holds` for
    a list of the whole table. A form that `leads` finds the rows of such a list where nothing else is asked
    of them, or only what leads as well. Conditions that hold together are the `parts` of one.
    """

    holds: ColumnElement[bool]
    driver: Driver | None = None
    among: Driver | None = None
    newest: ColumnElement[Any] | None = None
    is_few: ColumnElement[bool] | None = None
    few: Way | None = None
    is_common: ColumnElement[bool] | None = None
    walked: ColumnElement[bool] | None = None
    ways: "Ways | None" = None
    leads: ColumnElement[bool] | None = None
    parts: tuple["Condition", ...] = ()

    def each(self) -> Iterator["Condition"]:
        """What holds together, each by itself."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.each()


@dataclass(frozen=True, slots=True)
class Ways:
    """A condition for which the database has several plans, each good for other data.

    `whole` is the condition itself. `ways` are several forms of it, exactly one of which is taken. `few`
    is one of them that counts rows faster, too, and `counting` is a form that counts all faster.
    """

    whole: ColumnElement[bool]
    ways: tuple[Way, ...]
    few: Way | None = None
    counting: ColumnElement[bool] | None = None

    @classmethod
    def led(cls, whole: ColumnElement[bool], leads: ColumnElement[bool]) -> "Ways":
        """Those of a condition that has a form by which rows are found, whatever their number."""
        return cls(whole, (Way(true(), leads),), counting=leads)

    @classmethod
    def few_or_many(cls, few: Way) -> "Ways":
        """Those of a condition that is asked anyway: rows are found by it where they are few."""
        return cls(true(), (few, Way(not_(few.is_taken), true())), few, few.counting)


def leading(conditions: Sequence[Condition]) -> ColumnElement[bool] | None:
    """The form of all together that leads, if each has one."""
    leads = [one.leads for one in conditions if one.leads is not None]
    return and_(*leads) if conditions and len(leads) == len(conditions) else None


class Filtering(Protocol):
    """What a predicate needs of the compilation that it is part of."""

    dialect_name: str

    @property
    def bind(self) -> Bind:
        """Makes parameters."""

    def all_of(self, input_name: str, given: Given, row: Scope) -> list[Condition]:
        """What every field that is given of a filter input asks of `row`."""

    def is_among(
        self, column_: ColumnElement[Any], given: Given, convert: Callable[[Any], Any] = plain
    ) -> ColumnElement[bool]:
        """The column has one of the values of a list: many are one parameter, so that plans are shared."""

    def each(self, given: Given) -> list[Given]:
        """The elements of a list, of which each becomes a piece of the statement."""

    def decided(self, value: Given | None, what: Callable[[Any], Any] = plain) -> Any:
        """What of a value decides the statement's form."""

    def rules(self, arguments: Mapping[str, Given]) -> Rules:
        """Those of the Spack that the argument `as` names, otherwise of the site's."""


Finder = Callable[[Mapping[str, Given], Filtering], Found]
Limits = Callable[[Mapping[str, Given], Filtering], Mapping[str, Any]]
Predicate = Callable[[Scope, Given, Filtering], Condition]
IdsOf = Callable[[Scope], Select[Any] | CompoundSelect[Any]]
Collects = tuple[Any, IdsOf]
Satisfying = Callable[[Scope, str, Rules], Ways]
Belongs = Callable[[Scope, Scope], ColumnElement[bool]]
Leads = Callable[[Scope, Scope], Condition]
Among = Callable[[Scope, Given, Filtering], Driver | None]
ValueOf = Callable[[Scope], ColumnElement[Any]]
Builder = Callable[[Scope, JsonWriter], ColumnElement[Any]]
