"""Two sets of runs, configuration by configuration: how each ended last in either, and what that comes to.

Only runs count that ended and built something, of a package that is known. What is the same in both sets
although its hash is not is said by RunMatch in the schema.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import strawberry
from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    and_,
    case,
    func,
    literal_column,
    select,
    union_all,
)
from strawberry.types.arguments import StrawberryArgument

from spackmon.errors import Code, Refused
from spackmon.models import Architecture, Attempt, Build, Spec, Target
from spackmon.models.columns import UtcDateTime
from spackmon.query.groups.aggregates import is_built
from spackmon.query.meanings.connections import Connected
from spackmon.query.meanings.fields import PAGING, SQL
from spackmon.query.meanings.meaning import At, Meaning, scalar
from spackmon.query.rows.failures import is_no_consequence
from spackmon.query.rows.paging import Rows
from spackmon.query.sql.conditions import Belongs, ValueOf
from spackmon.query.sql.json_text import Json, constant
from spackmon.query.sql.scope import Scope
from spackmon.query.sql.values import Given
from spackmon.status import FINISHED, BuildStatus

if TYPE_CHECKING:
    from spackmon.query.meanings.statement import Statement

NEWLY_FAILING, NEWLY_PASSING, STILL_FAILING, STILL_PASSING, ADDED, REMOVED, ADDED_FAILING = (
    "NEWLY_FAILING", "NEWLY_PASSING", "STILL_FAILING", "STILL_PASSING", "ADDED", "REMOVED", "ADDED_FAILING",
)  # fmt: skip
_BASE, _HEAD = 0, 1
# Reads every run of both sets.
_COST = 2_000
MAXIMUM_DAYS = 36_500
Conditions = Callable[[Scope], list[ColumnElement[bool]]]


@dataclass(frozen=True, slots=True)
class Compared(Meaning):
    """A root field: the runs that the filters `base` and `head` leave, compared."""

    @property
    def own_cost(self) -> int:
        """See Meaning."""
        return _COST

    def json(self, at: At, statement: "Statement") -> Json:
        """See Meaning."""
        arguments = statement.arguments(at)

        def those(name: str) -> Conditions:
            return lambda attempt: statement.holds_by(at, name, attempt)

        pairs = _pairs(those("base"), those("head"), arguments, at, statement)
        listed = _listed(pairs, arguments, at, statement)
        return statement.object(at, at.row.limited({"pairs": pairs, "listed": listed}))


@dataclass(frozen=True, slots=True)
class ChangedSince(Connected):
    """A root connection of runs that began at or after `since`, compared with those of some days before."""

    kinds: tuple[str, ...] = ()

    @property
    def own_cost(self) -> int:
        """See Meaning."""
        return _COST

    def json(self, at: At, statement: "Statement") -> Json:
        """See Meaning. The page and what is counted share one comparison."""
        row = at.row.limited({"listed": self._listed(at, statement)})
        return Connected.json(self, replace(at, row=row), statement)

    def filtered(self, at: At, statement: "Statement") -> Rows:
        """See Connected."""
        # Not by super(), which does not know a class with slots.
        rows = Connected.filtered(self, at, statement)
        limits = at.row.limits
        listed = limits["listed"] if "listed" in limits else self._listed(at, statement)
        return replace(rows, conditions=[*rows.conditions, _is_of(rows.row, listed, self.kinds)])

    def _listed(self, at: At, statement: "Statement") -> CTE:
        arguments = statement.arguments(at)
        given, days = arguments["since"], read_days(statement.decided(arguments["lookBackDays"]))

        def base(attempt: Scope) -> list[ColumnElement[bool]]:
            since = statement.bind(given, UtcDateTime())
            least = statement.bind(given, UtcDateTime(), lambda moment: before_days(moment, days))
            began = attempt[Attempt.started_at]
            return [began >= least, began < since, *statement.holds_by(at, "among", attempt)]

        def head(attempt: Scope) -> list[ColumnElement[bool]]:
            since = statement.bind(given, UtcDateTime())
            return [attempt[Attempt.started_at] >= since, *statement.holds_by(at, "among", attempt)]

        return _listed(_pairs(base, head, arguments, at, statement), arguments, at, statement)


def read_days(days: int) -> int:
    """How many days are looked back; Refused ARGUMENT_INVALID when that cannot be meant."""
    if not 1 <= days <= MAXIMUM_DAYS:
        raise Refused(
            Code.ARGUMENT_INVALID, f"`lookBackDays` must be from 1 to {MAXIMUM_DAYS:,}, it is {days}"
        )
    return days


def before_days(moment: datetime, days: int) -> datetime:
    """The moment so many days before; not before all times."""
    try:
        return moment - timedelta(days=days)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def compared(arguments: Sequence[StrawberryArgument], *, description: str) -> Any:
    """The root field that compares two sets; its arguments are `base`, `head` and how they are compared."""
    field = strawberry.field(metadata={SQL: Compared()}, description=description)
    field.arguments = list(arguments)
    return field


def changed_since(
    kinds: tuple[str, ...], arguments: Sequence[StrawberryArgument], *, description: str
) -> Any:
    """A root connection; beside those of its pages its arguments are `since`, `among` and how."""
    meaning = ChangedSince(Attempt, None, kinds=kinds)
    field = strawberry.field(metadata={SQL: meaning}, description=description)
    field.arguments = [*PAGING, *arguments]
    return field


def compared_as(*kinds: str) -> Belongs:
    """The runs of a comparison that are of one of these kinds."""
    return lambda comparison, attempt: _is_of(attempt, comparison.limits["listed"], kinds)


def counted_in(side: str) -> ValueOf:
    """How many things there are in the base or in the head of a comparison."""

    def count(comparison: Scope) -> ColumnElement[Any]:
        pairs: CTE = comparison.limits["pairs"]
        number = func.count(pairs.c[f"{side}_id"], type_=BigInteger())
        return scalar(select(number).select_from(pairs))

    return count


def _is_of(attempt: Scope, listed: CTE, kinds: tuple[str, ...]) -> ColumnElement[bool]:
    return attempt.row_id.in_(select(listed.c.id).where(listed.c.kind.in_([constant(one) for one in kinds])))


def _pairs(
    base: Conditions, head: Conditions, arguments: Mapping[str, Given], at: At, statement: "Statement"
) -> CTE:
    """The last run of each thing in either set, and their kind: `base_id`, `head_id`, `kind`.

    It stands before the statement, as all of these: within its lists, SQLite's parser has no room.
    """
    match = statement.decided(arguments["matchedBy"])
    sides = ((_BASE, base), (_HEAD, head))
    both = union_all(*(_last(side, some, match, at, statement) for side, some in sides))
    every = both.cte(statement.new_name())

    def of(side: int, name: str) -> ColumnElement[Any]:
        return func.max(case((every.c.side == literal_column(str(side)), every.c[name])))

    names = {"base": _BASE, "head": _HEAD}
    keys = [column for column in every.c if column.name.startswith("key")]
    grouped = (
        select(
            *(of(side, "id").label(f"{name}_id") for name, side in names.items()),
            *(of(side, "is_broken").label(f"{name}_broken") for name, side in names.items()),
        )
        .group_by(*keys)
        .cte(statement.new_name())
    )
    pairs = select(grouped.c.base_id, grouped.c.head_id, _kind(grouped).label("kind"))
    return pairs.cte(statement.new_name())


def _listed(pairs: CTE, arguments: Mapping[str, Given], at: At, statement: "Statement") -> CTE:
    """The `id` of the run that stands for each pair and its `kind`: the head's, if there is one."""
    attempt, run = at.row.beneath(Attempt.__table__), func.coalesce(pairs.c.head_id, pairs.c.base_id)
    holds: list[ColumnElement[bool]] = []
    if statement.decided(arguments["rootCausesOnly"]):
        holds.append(is_no_consequence(attempt))
    source = attempt.joined(pairs.join(attempt.source, attempt.row_id == run))
    listed = select(attempt.row_id.label("id"), pairs.c.kind).select_from(source).where(*holds)
    return listed.cte(statement.new_name())


def _kind(pair: FromClause) -> ColumnElement[str]:
    was, is_ = pair.c.base_broken == literal_column("1"), pair.c.head_broken == literal_column("1")
    return case(
        (and_(pair.c.base_id.is_(None), is_), constant(ADDED_FAILING)),
        (pair.c.base_id.is_(None), constant(ADDED)),
        (pair.c.head_id.is_(None), constant(REMOVED)),
        (and_(was, is_), constant(STILL_FAILING)),
        (was, constant(NEWLY_PASSING)),
        (is_, constant(NEWLY_FAILING)),
        else_=constant(STILL_PASSING),
    )


def _last(side: int, conditions: Conditions, match: str, at: At, statement: "Statement") -> Select[Any]:
    """The last run of each configuration."""
    attempt = at.row.beneath(Attempt.__table__)
    build, status = attempt.follow(Attempt.build_id), attempt[Attempt.status]
    keys = [key.label(f"key{number}") for number, key in enumerate(_keys(build, match))]
    order = attempt[Attempt.started_at].desc().nulls_last(), attempt.row_id.desc()
    place = func.row_number().over(partition_by=[key.element for key in keys], order_by=order)
    is_broken = case(
        (status == constant(BuildStatus.SUCCESS), literal_column("0")), else_=literal_column("1")
    )
    holds = [
        status.in_([constant(one) for one in sorted(FINISHED)]),
        build[Build.package_id].is_not(None),
        is_built(attempt[Attempt.installed_from]),
        *conditions(attempt),
    ]
    columns = attempt.row_id.label("id"), is_broken.label("is_broken"), place.label("place"), *keys
    ended = select(*columns).select_from(attempt.joined()).where(*holds)
    every = ended.cte(statement.new_name())
    kept = [column for column in every.c if column.name != "place"]
    return select(literal_column(str(side)).label("side"), *kept).where(every.c.place == literal_column("1"))


def _keys(build: Scope, match: str) -> list[ColumnElement[Any]]:
    """What runs of one configuration share; a spec that is not known has nothing but its package."""
    package, spec = build[Build.package_id], build.follow(Build.spec_id)
    nothing: ColumnElement[Any] = literal_column("0")
    no_text = constant("")
    if match == "HASH":
        return [package, func.coalesce(build[Build.spec_id], nothing)]
    architecture = spec.follow(Spec.architecture_id)
    target = architecture.follow(Architecture.target_id)
    numbers = [spec[Spec.compiler_id], spec[Spec.parameter_set_id]]
    if match == "CONFIGURATION":
        numbers.append(spec[Spec.package_version_id])
    texts = (
        architecture[Architecture.platform],
        architecture[Architecture.operating_system],
        target[Target.name],
    )
    return [
        package,
        *(func.coalesce(one, nothing) for one in numbers),
        *(func.coalesce(one, no_text) for one in texts),
    ]
