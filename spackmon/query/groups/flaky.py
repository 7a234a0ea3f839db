"""What ends now so, now otherwise: runs of one spec in one environment, some passed and some failed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import strawberry
from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Float,
    Select,
    Text,
    and_,
    case,
    func,
    literal_column,
    select,
)
from sqlalchemy import cast as sql_cast
from strawberry.types.arguments import StrawberryArgument

from spackmon.errors import Code, Refused
from spackmon.history.proportion import wilson_interval
from spackmon.models import Attempt, Build, BuildEnvironment
from spackmon.query.groups.aggregates import is_built, read_first, read_offset
from spackmon.query.meanings.fields import SQL
from spackmon.query.meanings.meaning import At, Meaning, scalar
from spackmon.query.rows.failures import is_no_consequence
from spackmon.query.sql.conditions import ValueOf
from spackmon.query.sql.json_text import Json, constant, joined
from spackmon.query.sql.scope import Scope
from spackmon.query.sql.selection import Selected
from spackmon.query.sql.values import Given
from spackmon.status import BuildStatus

if TYPE_CHECKING:
    from spackmon.query.meanings.limits import Measure
    from spackmon.query.meanings.statement import Statement

DEFAULT_FLAKY = 50
# Reads every run that its filter leaves.
_COST = 2_000
_COUNTS = "minimumRuns", "minimumChanges"
ALIKE = BuildEnvironment.platform, BuildEnvironment.operating_system, BuildEnvironment.target
"""What machines have in common that count as one where it is asked across machines."""


@dataclass(frozen=True, slots=True)
class Flaky(Meaning):
    """A root field: all that is flaky among the runs that `where` leaves."""

    @property
    def own_cost(self) -> int:
        """See Meaning."""
        return _COST

    def json(self, at: At, statement: "Statement") -> Json:
        """See Meaning."""
        arguments = statement.arguments(at)
        least = [_count(name, statement.decided(arguments[name])) for name in _COUNTS]
        across = bool(statement.decided(arguments["acrossMachines"]))
        ended = _ended(arguments, across, at, statement).cte(statement.new_name())
        found = _flaky(ended, *least).cte(statement.new_name())
        return statement.object(at, at.row.limited({"flaky": found}))


@dataclass(frozen=True, slots=True)
class FlakyRows(Meaning):
    """The list of what is flaky: what changed its end most often first, then what failed most often."""

    def length(self, selected: Selected, measure: "Measure") -> int:
        """See Meaning."""
        return measure.first(selected, DEFAULT_FLAKY)

    def json(self, at: At, statement: "Statement") -> Json:
        """See Meaning."""
        arguments = statement.arguments(at)
        first = read_first(statement.decided(arguments["first"]))
        offset = read_offset(statement.decided(arguments["offset"]))
        row = at.row.beneath(at.row.limits["flaky"])
        body = statement.object(at, row).label("body")
        names = "changes", "failed", "last_began", "last_id"
        order = (row.column(name).desc().nulls_last() for name in names)
        listed = select(body).select_from(row.joined()).order_by(*order)
        return statement.listed(listed.limit(literal_column(str(first))).offset(literal_column(str(offset))))


def flaky(arguments: list[StrawberryArgument], *, description: str) -> Any:
    """The root field."""
    field = strawberry.field(metadata={SQL: Flaky()}, description=description)
    field.arguments = arguments
    return field


def flaky_rows(arguments: list[StrawberryArgument], *, description: str) -> Any:
    """The list in it, with `first` and `offset`."""
    field = strawberry.field(metadata={SQL: FlakyRows()}, description=description)
    field.arguments = arguments
    return field


def fact(name: str) -> ValueOf:
    """A column of what is flaky."""
    return lambda row: row.column(name)


def failure_rate(row: Scope) -> ColumnElement[Any]:
    """The share of the runs that failed."""
    return sql_cast(row.column("failed"), Float(53)) / sql_cast(row.column("runs"), Float(53))


def how_many(flaky: Scope) -> ColumnElement[Any]:
    """How many there are."""
    return scalar(select(func.count(type_=BigInteger())).select_from(flaky.limits["flaky"]))


def counts_of_ends(at: At, statement: "Statement", arguments: Mapping[str, Given]) -> Json:
    """JSON [failed runs, all runs]."""
    failed, runs = (sql_cast(at.row.column(name), Text) for name in ("failed", "runs"))
    return joined(["[", failed, ",", runs, "]"])


def interval_of_rate(facts: Any, arguments: Mapping[str, Any]) -> dict[str, float]:
    """The schema's ConfidenceInterval. Raises Refused ARGUMENT_INVALID."""
    failed, runs = facts
    confidence = arguments["confidence"]
    if not 0 < confidence < 1:
        sentence = f"`confidence` must be above 0 and below 1, as 0.95, it is {confidence}"
        raise Refused(Code.ARGUMENT_INVALID, sentence)
    low, high = wilson_interval(failed, runs, confidence)
    return {"low": low, "high": high}


def _count(name: str, value: int) -> int:
    least = 2 if name == "minimumRuns" else 1
    if not least <= value < 2**31:
        raise Refused(Code.ARGUMENT_INVALID, f"`{name}` must be {least} or more, it is {value}")
    return value


def _ended(arguments: Mapping[str, Given], across: bool, at: At, statement: "Statement") -> Select[Any]:
    """The runs that passed or failed by themselves, each with the end of the one before it."""
    attempt = at.row.beneath(Attempt.__table__)
    spec_id = attempt.follow(Attempt.build_id)[Build.spec_id]
    status = attempt[Attempt.status]
    holds = [
        spec_id.is_not(None),
        status.in_([constant(BuildStatus.FAILED), constant(BuildStatus.SUCCESS)]),
        is_built(attempt[Attempt.installed_from]),
        is_no_consequence(attempt),
        *statement.holds_by(at, "where", attempt),
    ]
    keys = [spec_id, *_environment(attempt, across)]
    began = attempt[Attempt.started_at]
    latest = began.desc().nulls_last(), attempt.row_id.desc()
    is_failed = case((status == constant(BuildStatus.FAILED), literal_column("1")), else_=literal_column("0"))
    return (
        select(
            *(key.label(f"key{number}") for number, key in enumerate(keys)),
            attempt.row_id.label("id"),
            attempt[Attempt.environment_id].label("environment_id"),
            began.label("began"),
            is_failed.label("is_failed"),
            func.lead(is_failed).over(partition_by=keys, order_by=latest).label("before"),
            func.row_number().over(partition_by=keys, order_by=latest).label("place"),
            func.row_number().over(partition_by=[*keys, is_failed], order_by=latest).label("place_of_end"),
        )
        .select_from(attempt.joined())
        .where(*holds)
    )


def _environment(attempt: Scope, across: bool) -> list[ColumnElement[Any]]:
    if not across:
        return [attempt[Attempt.environment_id]]
    machine = attempt.follow(Attempt.environment_id)
    return [machine[one] for one in ALIKE]


def _flaky(ended: CTE, runs: int, changes: int) -> Select[Any]:
    is_last, is_failed = ended.c.place == literal_column("1"), ended.c.is_failed == literal_column("1")
    is_last_of_end = ended.c.place_of_end == literal_column("1")
    failed = func.sum(ended.c.is_failed, type_=BigInteger())
    changed = case((ended.c.before != ended.c.is_failed, literal_column("1")), else_=literal_column("0"))
    number, changed_times = func.count(type_=BigInteger()), func.sum(changed, type_=BigInteger())

    def run(*conditions: ColumnElement[bool]) -> ColumnElement[Any]:
        return func.max(case((and_(*conditions), ended.c.id)))

    return (
        select(
            ended.c.key0.label("spec_id"),
            func.max(case((is_last, ended.c.environment_id))).label("environment_id"),
            number.label("runs"),
            failed.label("failed"),
            changed_times.label("changes"),
            func.min(ended.c.began).label("first_began"),
            func.max(ended.c.began).label("last_began"),
            run(is_last).label("last_id"),
            run(is_last_of_end, is_failed).label("last_failure_id"),
            run(is_last_of_end, ~is_failed).label("last_success_id"),
        )
        .group_by(*(column for column in ended.c if column.name.startswith("key")))
        .having(number >= literal_column(str(runs)), changed_times >= literal_column(str(changes)))
    )
