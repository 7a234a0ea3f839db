"""How long phases and runs took before a moment and since, and what that says of each package."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import ColumnElement, Select, Text, case, false, func, literal_column, select, union_all

from spackmon.errors import Code, Refused
from spackmon.history.durations import Stratum, Timed, shift, trend
from spackmon.models import (
    Architecture,
    Attempt,
    Build,
    BuildEnvironment,
    Package,
    Phase,
    PhaseKind,
    Spec,
    Target,
)
from spackmon.models.columns import UtcDateTime
from spackmon.query.groups.aggregates import is_built, read_first
from spackmon.query.groups.comparison import before_days, read_days
from spackmon.query.groups.flaky import ALIKE
from spackmon.query.meanings.meaning import At
from spackmon.query.rows.lookups import without_nul
from spackmon.query.sql.json_text import Json, constant, joined
from spackmon.query.sql.scope import Scope
from spackmon.query.sql.values import Given
from spackmon.status import BuildStatus

if TYPE_CHECKING:
    from spackmon.query.meanings.statement import Statement

MOST_OF_A_SIDE = 40
"""So many runs of a package and phase are looked at on either side of the moment, the newest."""
MOST_ROWS = 5_000
"""So many of them in one answer: all pairs of a package and phase are compared."""
COST_OF_CHANGES = 50_000
"""As much as looking through logs, which takes Python as long: up to a sixth of a second."""
_SECONDS_OF_A_DAY = 86_400


class Row(NamedTuple):
    """How long one phase of a run took, or the run as a whole (`phase` is null); `kind` is its stratum."""

    package: str
    phase: str | None
    kind: list[Any]
    began: str
    is_after: bool
    seconds: float


def rows_of_durations(at: At, statement: "Statement", arguments: Mapping[str, Given]) -> Json:
    """JSON rows by package and phase, one more than MOST_ROWS if there are more."""
    across = bool(statement.decided(arguments["acrossMachines"]))
    phase = at.row.beneath(Phase.__table__)
    of_phase, whole = phase.follow(Phase.attempt_id), at.row.beneath(Attempt.__table__)
    kind = phase.follow(Phase.kind_id)
    succeeded = kind[PhaseKind.status] == constant("SUCCESS")
    whole_succeeded = whole[Attempt.status] == constant(BuildStatus.SUCCESS)
    both = union_all(
        _timed(phase, of_phase, kind[PhaseKind.name], succeeded, across, at, statement),
        _timed(whole, whole, None, whole_succeeded, across, at, statement),
    ).cte(statement.new_name())
    keys = [column for column in both.c if column.name.startswith("kind")]
    latest = both.c.began.desc(), both.c.id.desc()
    place = func.row_number().over(
        partition_by=[both.c.package, both.c.phase, both.c.is_after], order_by=latest
    )
    placed = select(both, place.label("place")).cte(statement.new_name())
    newest = (
        select(placed)
        .where(placed.c.place <= literal_column(str(MOST_OF_A_SIDE)))
        .order_by(placed.c.package)
        .limit(literal_column(str(MOST_ROWS + 1)))
        .cte(statement.new_name())
    )
    json = statement.json
    pieces: list[str | Json] = ["[", json.value(newest.c.package, nullable=False)]
    pieces += [",", json.value(newest.c.phase, nullable=True), ",["]
    for number, key in enumerate(keys):
        pieces += ["," if number else "", json.value(newest.c[key.name], nullable=True)]
    pieces += ["],", json.value(newest.c.began, nullable=False), ",", newest.c.is_after]
    pieces += [",", json.value(newest.c.seconds, nullable=False), "]"]
    listed = select(joined(pieces).label("body")).select_from(newest)
    return statement.listed(listed.order_by(newest.c.package))


def changes_of_durations(facts: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The schema's DurationChanges, of the rows. Raises Refused ARGUMENT_INVALID."""
    first, least, most_p = read_first(arguments["first"]), arguments["minimumRuns"], arguments["maximumP"]
    if least < 2:
        raise Refused(Code.ARGUMENT_INVALID, f"`minimumRuns` must be 2 or more, it is {least}")
    if not 0 < most_p <= 1:
        raise Refused(Code.ARGUMENT_INVALID, f"`maximumP` must be above 0 and at most 1, it is {most_p}")
    rows, end = _whole_packages([Row(*one) for one in facts])
    tested = list(_tested(rows, least))
    for one in tested:
        for name, corrected in (("p", "adjustedP"), ("trendP", "adjustedTrendP")):
            one[corrected] = None if one[name] is None else min(1.0, one[name] * len(tested))
    found = [one for one in tested if one["adjustedP"] <= most_p]
    found.sort(key=_order)
    return {
        "durationCount": len(rows),
        "endPackage": end,
        "testCount": len(tested),
        "totalCount": len(found),
        "changes": found[:first],
    }


def _order(one: Mapping[str, Any]) -> tuple[float, float, str, str]:
    return one["adjustedP"], -abs(one["shiftSeconds"]), one["package"], one["phase"] or ""


def _whole_packages(rows: list[Row]) -> tuple[list[Row], str | None]:
    """The rows of packages that are there as a whole, and the last one's name if there are more."""
    if len(rows) <= MOST_ROWS:
        return rows, None
    cut = rows[-1].package
    whole = [row for row in rows if row.package != cut]
    # Of a package that is more than an answer has room for as much as there is.
    return (whole, whole[-1].package) if whole else (rows[:MOST_ROWS], cut)


def _tested(rows: list[Row], least: int) -> Iterator[dict[str, Any]]:
    """What has enough runs on both sides in strata that have any on both."""
    kinds: dict[tuple[str, str | None], dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        kinds[row.package, row.phase][str(row.kind)].append(row)
    for (package, phase), strata in kinds.items():
        both = [one for one in map(_stratum, strata.values()) if one.before and one.after]
        before = [run.seconds for one in both for run in one.before]
        after = [run.seconds for one in both for run in one.after]
        if min(len(before), len(after)) < least:
            continue
        shifted, rising = shift(both), trend(both)
        if shifted is None:
            continue
        yield {
            "package": package,
            "phase": phase,
            "direction": "SLOWER" if shifted.seconds > 0 else "FASTER" if shifted.seconds < 0 else "SAME",
            "runsBefore": len(before),
            "runsAfter": len(after),
            "medianSecondsBefore": median(before),
            "medianSecondsAfter": median(after),
            "shiftSeconds": shifted.seconds,
            "p": shifted.p,
            "trendSecondsPerDay": None if rising is None else rising.seconds_per_day,
            "trendP": None if rising is None else rising.p,
        }


def _stratum(rows: list[Row]) -> Stratum:
    sides: tuple[list[Timed], list[Timed]] = [], []
    for row in rows:
        day = datetime.fromisoformat(row.began).timestamp() / _SECONDS_OF_A_DAY
        sides[row.is_after].append(Timed(day, row.seconds))
    return Stratum(*sides)


def _timed(
    row: Scope,
    attempt: Scope,
    phase: ColumnElement[Any] | None,
    succeeded: ColumnElement[bool],
    across: bool,
    at: At,
    statement: "Statement",
) -> Select[Any]:
    """The durations of phases, or of runs, that ended well and built something."""
    arguments = statement.arguments(at)
    given, days = arguments["since"], read_days(statement.decided(arguments["lookBackDays"]))
    since = statement.bind(given, UtcDateTime())
    least = statement.bind(given, UtcDateTime(), lambda moment: before_days(moment, days))
    began, seconds = attempt[Attempt.started_at], row.column("duration_seconds")
    build = attempt.follow(Attempt.build_id)
    package = build.follow(Build.package_id)
    holds = [
        succeeded, seconds.is_not(None), began >= least, package.row_id.is_not(None),
        is_built(attempt[Attempt.installed_from]), *statement.holds_by(at, "among", attempt),
    ]  # fmt: skip
    if "after" in arguments:
        after = statement.bind(arguments["after"], Text(), lambda name: without_nul("after", name))
        holds.append(package[Package.name] > after)
    kinds = _kinds(attempt, across)
    name = package[Package.name]
    # PostgreSQL wants to know how a phase that is no phase is sorted.
    shown = case((false(), name)) if phase is None else phase
    is_after = case((began >= since, constant("true")), else_=constant("false"))
    columns = [
        name.label("package"), shown.label("phase"), attempt.row_id.label("id"),
        began.label("began"), is_after.label("is_after"),
        seconds.label("seconds"), *(kind.label(f"kind{number}") for number, kind in enumerate(kinds)),
    ]  # fmt: skip
    return select(*columns).select_from(row.joined()).where(*holds)


def _kinds(attempt: Scope, across: bool) -> list[ColumnElement[Any]]:
    """What runs that are compared have in common: the machine, the target and the variants."""
    machine, spec = (
        attempt.follow(Attempt.environment_id),
        attempt.follow(Attempt.build_id).follow(Build.spec_id),
    )
    names = ALIKE if across else (BuildEnvironment.hostname,)
    target = spec.follow(Spec.architecture_id).follow(Architecture.target_id)
    return [*(machine[name] for name in names), target[Target.name], spec[Spec.parameter_set_id]]
