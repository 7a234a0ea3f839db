"""What runs with an error have, and what passing runs of the same packages have, counted for `suspects`."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from operator import add
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    func,
    literal_column,
    or_,
    select,
    true,
    union,
    union_all,
)

from spackmon.errors import Code, Refused
from spackmon.graph.parameters import parameter_rows
from spackmon.history.suspects import Count, Fact, Runs, Suspect, suspects
from spackmon.models import (
    Architecture,
    Attempt,
    Build,
    BuildEnvironment,
    BuildEvent,
    Closure,
    Compiler,
    EnvironmentVariable,
    ErrorGroupBuild,
    Package,
    PackageVersion,
    ParameterSet,
    Spec,
    Target,
)
from spackmon.models.columns import Base
from spackmon.query.meanings.meaning import At, scalar
from spackmon.query.sql.json_text import Json, constant, joined
from spackmon.query.sql.scope import Scope
from spackmon.query.sql.values import Given
from spackmon.status import BuildStatus

if TYPE_CHECKING:
    from spackmon.query.meanings.statement import Statement

MAXIMUM_RUNS = 300
"""So many failing runs are looked at, the newest of as many builds, the newest."""
MAXIMUM_SUSPECTS = 100
COST = 20_000
"""A tenth of a second, so that 49 groups are one operation's most."""
KINDS = (
    "VERSION", "COMPILER", "DEPENDENCY", "VARIANT", "TARGET", "OPERATING_SYSTEM", "HOST", "SPACK_VERSION",
    "VARIABLE",
)  # fmt: skip
"""What a fact may be, in the order in which facts of the same runs are named."""


class _Near(NamedTuple):
    """Of `least` to `most` failing runs each is compared with so many `passing` before and after it."""

    least: int
    most: int
    passing: int


_NEAR = _Near(1, 20, 20), _Near(21, 100, 4), _Near(101, MAXIMUM_RUNS, 1)
# What is no fact but all runs of a package, and what the facts of a kind are read of.
_ALL_RUNS, _PARAMETERS = "RUNS", "PARAMETERS"
_ALL = "all_failing"
_COUNTS = "failing", "passing", "mark"
_SPEC, _VERSION, _PACKAGE = Spec.__table__, PackageVersion.__table__, Package.__table__
_ARCHITECTURE, _TARGET, _COMPILER = Architecture.__table__, Target.__table__, Compiler.__table__
_SET = ParameterSet.__table__
_VARIABLE = Base.metadata.tables[EnvironmentVariable.__tablename__]
_MACHINE, _CLOSURE = BuildEnvironment.__table__, Closure.__table__


def counts_of_runs(at: At, statement: "Statement", arguments: Mapping[str, Given]) -> Json:
    """JSON rows [package, kind, name, value, failing runs, passing runs, sum of the runs' numbers].

    Rows of the kind RUNS count all runs of a package, those of PARAMETERS have a whole set of them.
    """
    ctes = _Ctes(statement)
    runs = _runs(at.row, statement, ctes)
    specs, machines, versions, sets = (
        _grouped(runs, key, ctes)
        for key in ("spec_id", "environment_id", "spack_version", "environment_set_id")
    )
    every = [_row(specs, _ALL_RUNS), *_of_specs(specs), _of_machines(machines), _of_spack(versions)]
    counted = union_all(*every, _of_variables(sets, statement)).subquery(statement.new_name())
    of_fact = func.sum(counted.c.failing).over(partition_by=[counted.c.kind, counted.c.name, counted.c.value])
    told = select(counted, of_fact.label("all_failing")).subquery(statement.new_name())
    json = statement.json
    columns = (
        ("package_id", False), ("kind", True), ("name", True), ("value", True), ("failing", False),
        ("passing", False), ("mark", False),
    )  # fmt: skip
    pieces: list[str | Json] = ["["]
    for name, nullable in columns:
        pieces += [json.value(told.c[name], nullable=nullable), ","]
    # What one failing run has proves nothing.
    body = select(joined([*pieces[:-1], "]"]).label("body")).where(
        or_(told.c.all_failing > 1, *(told.c.kind == constant(kind) for kind in (_ALL_RUNS, _PARAMETERS)))
    )
    rows = body.add_cte(*ctes.made, nest_here=True).correlate_except(None).subquery(statement.new_name())
    return scalar(select(json.array(rows.c["body"])).select_from(rows))


class _Ctes:
    """What several parts of a statement look at: each is written once, before them."""

    def __init__(self, statement: "Statement") -> None:
        self._statement, self.made = statement, list[CTE]()

    def of(self, rows: Any) -> CTE:
        """The rows under a name."""
        made: CTE = rows.cte(self._statement.new_name())
        self.made.append(made)
        return made


def suspects_of_runs(facts: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The schema's Suspects, of the counts."""
    first = arguments["first"]
    if not 0 <= first <= MAXIMUM_SUSPECTS:
        raise Refused(Code.PAGE_TOO_LARGE, f"`first` must be 0 to {MAXIMUM_SUSPECTS}, it is {first}")
    runs = {
        package: Runs(failing, passing)
        for package, kind, _, _, failing, passing, _ in facts
        if kind == _ALL_RUNS
    }
    counts = [
        Count(Fact(kind, name, value), package, failing, passing, mark)
        for package, kind, name, value, failing, passing, mark in facts
        if kind not in (_ALL_RUNS, _PARAMETERS)
    ]
    counts += _of_variants(facts)
    found = suspects(runs, counts, KINDS, first)
    return {
        "verdict": found.verdict.value,
        "reason": found.reason,
        "failingRuns": found.failing,
        "passingRuns": found.passing,
        "comparisons": found.tried,
        "suspects": [_shown(one) for one in found.suspects],
    }


def _of_variants(facts: Iterable[Any]) -> Iterator[Count]:
    """The counts of variants, by those of the sets that have them.

    Their rows would be looked up without an index: one of a set's rows is a price for each new set.
    """
    counts: dict[tuple[int, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for package, kind, _, document, *numbers in facts:
        if kind == _PARAMETERS:
            for name, value in parameter_rows(document):
                sums = counts[package, name, value]
                sums[:] = map(add, sums, numbers)
    for (package, name, value), (failing, passing, mark) in counts.items():
        yield Count(Fact("VARIANT", name, value), package, failing, passing, mark)


def _shown(one: Suspect) -> dict[str, Any]:
    expected = one.excess.expected
    return {
        "facts": [fact._asdict() for fact in one.facts],
        "failingWith": one.failing_with,
        "failingWithout": one.failing_without,
        "passingWith": one.passing_with,
        "passingWithout": one.passing_without,
        "lift": one.failing_with / expected if expected else None,
        "p": one.p,
        "adjustedP": one.adjusted_p,
    }


def _runs(group: Scope, statement: "Statement", ctes: _Ctes) -> CTE:
    """The failing runs and the passing ones that they are compared with."""
    of_group = ErrorGroupBuild.__table__.alias()
    most: ColumnElement[Any] = literal_column(str(MAXIMUM_RUNS))
    newest = (
        select(of_group.c.build_id)
        .where(of_group.c.error_group_id == group.row_id)
        .order_by(of_group.c.build_id.desc())
        .limit(most)
    )
    builds = newest.correlate_except(of_group).subquery(statement.new_name())
    attempt, build = Attempt.__table__.alias(), Build.__table__.alias()
    event = BuildEvent.__table__.alias()
    # Looked up of each run: OFFSET keeps PostgreSQL from reading all events of the group.
    has_it = (
        select(constant(""))
        .where(event.c.attempt_id == attempt.c.id, event.c.error_group_id + 0 == group.row_id)
        .limit(literal_column("1"))
        .offset(literal_column("0"))
    )
    found = (
        _run(attempt, build, 1)
        .join_from(builds, build, build.c.id == builds.c.build_id)
        .join(attempt, attempt.c.build_id == build.c.id)
        .where(build.c.package_id.is_not(None), has_it.correlate_except(event).exists())
        .order_by(attempt.c.id.desc())
        .limit(most)
        .subquery(statement.new_name())
    )
    # Counted beside each: SQLite would make a selection around anew for each row.
    failing = ctes.of(select(*found.c, func.count().over().label(_ALL)))
    near = [
        _passing(failing, statement, some, is_before=is_before)
        for some in _NEAR
        for is_before in (True, False)
    ]
    # What two failing runs are near to is one run.
    return ctes.of(union(select(*(one for one in failing.c if one.name != _ALL)), *near))


def _passing(failing: CTE, statement: "Statement", some: _Near, *, is_before: bool) -> Select[Any]:
    """The passing builds of a failing run's package next to it, where what moves with time is the same."""
    attempt, build, near = Attempt.__table__.alias(), Build.__table__.alias(), Build.__table__.alias()
    next_to_it = (
        select(near.c.id)
        .where(
            near.c.package_id == failing.c.package_id,
            near.c.status == constant(BuildStatus.SUCCESS),
            near.c.id < failing.c.build_id if is_before else near.c.id >= failing.c.build_id,
        )
        .order_by(near.c.id.desc() if is_before else near.c.id)
        .limit(literal_column(str(some.passing)))
        .correlate(failing)
    )
    run = _run(attempt, build, 0)
    if statement.dialect_name == "sqlite":
        named = run.join_from(failing, build, build.c.id.in_(next_to_it))
    else:
        found = next_to_it.lateral(statement.new_name())
        named = run.join_from(failing, found, true()).join(build, build.c.id == found.c.id)
    # SQLite takes no limit that depends on rows.
    is_so_many = failing.c[_ALL].between(literal_column(str(some.least)), literal_column(str(some.most)))
    return named.join(attempt, attempt.c.id == build.c.newest_attempt_id).where(is_so_many)


def _run(attempt: FromClause, build: FromClause, failing: int) -> Select[Any]:
    return select(
        attempt.c.id.label("id"),
        build.c.id.label("build_id"),
        build.c.package_id,
        build.c.spec_id,
        attempt.c.environment_id,
        attempt.c.environment_set_id,
        attempt.c.spack_version,
        literal_column(str(failing)).label("failing"),
    )


def _grouped(runs: CTE, key: str, ctes: _Ctes) -> CTE:
    """The runs counted by package and one of their columns."""
    failing = func.sum(runs.c.failing, type_=BigInteger())
    return ctes.of(
        select(
            runs.c.package_id,
            runs.c[key].label("key"),
            failing.label("failing"),
            (func.count(type_=BigInteger()) - failing).label("passing"),
            func.sum(runs.c.id, type_=BigInteger()).label("mark"),
        )
        .select_from(runs)
        .group_by(runs.c.package_id, runs.c[key])
    )


def _row(counted: FromClause, kind: str, name: Any = None, value: Any = None) -> Select[Any]:
    """Counts of one kind by package, name and value."""
    by = [counted.c.package_id, *(one for one in (name, value) if one is not None)]
    empty = constant("")
    return select(
        counted.c.package_id.label("package_id"),
        constant(kind).label("kind"),
        (empty if name is None else name).label("name"),
        (empty if value is None else value).label("value"),
        *(func.sum(counted.c[one], type_=BigInteger()).label(one) for one in _COUNTS),
    ).group_by(*by)


def _of_specs(specs: CTE) -> list[Select[Any]]:
    spec = _SPEC.alias()
    own = specs.join(spec, spec.c.id == specs.c.key)
    architecture = own.join(_ARCHITECTURE, _ARCHITECTURE.c.id == spec.c.architecture_id)
    # With all that is summed, each version once: SQLite would look through these for each spec to join them.
    below = (
        select(*specs.c, spec.c.package_version_id)
        .join_from(specs, _CLOSURE, _CLOSURE.c.ancestor_id == specs.c.key)
        .join(spec, spec.c.id == _CLOSURE.c.descendant_id)
        .distinct()
        .subquery()
    )
    # Numbers are grouped before they are named: there are as many rows as edges of closures.
    grouped = (
        select(
            below.c.package_id,
            below.c.package_version_id.label("key"),
            *(func.sum(below.c[one], type_=BigInteger()).label(one) for one in _COUNTS),
        )
        .group_by(below.c.package_id, below.c.package_version_id)
        .subquery()
    )
    dependencies = grouped.join(_VERSION, _VERSION.c.id == grouped.c.key).join(
        _PACKAGE, _PACKAGE.c.id == _VERSION.c.package_id
    )
    return [
        _row(specs, "VERSION", None, _VERSION.c.version).select_from(
            own.join(_VERSION, _VERSION.c.id == spec.c.package_version_id)
        ),
        _row(specs, "COMPILER", _COMPILER.c.name, _COMPILER.c.version).select_from(
            own.join(_COMPILER, _COMPILER.c.id == spec.c.compiler_id)
        ),
        _row(grouped, "DEPENDENCY", _PACKAGE.c.name, _VERSION.c.version).select_from(dependencies),
        _row(specs, _PARAMETERS, None, _SET.c.document).select_from(
            own.join(_SET, _SET.c.id == spec.c.parameter_set_id)
        ),
        _row(specs, "TARGET", None, _TARGET.c.name).select_from(
            architecture.join(_TARGET, _TARGET.c.id == _ARCHITECTURE.c.target_id)
        ),
        _row(specs, "OPERATING_SYSTEM", None, _ARCHITECTURE.c.operating_system).select_from(architecture),
    ]


def _of_machines(machines: CTE) -> Select[Any]:
    named = machines.join(_MACHINE, _MACHINE.c.id == machines.c.key)
    return _row(machines, "HOST", None, _MACHINE.c.hostname).select_from(named)


def _of_spack(versions: CTE) -> Select[Any]:
    return _row(versions, "SPACK_VERSION", None, versions.c.key).where(versions.c.key.is_not(None))


def _of_variables(sets: CTE, statement: "Statement") -> Select[Any]:
    named = sets.join(_VARIABLE, _VARIABLE.c.environment_set_id == sets.c.key)
    seen = statement.names.sees(_VARIABLE.info)
    return _row(sets, "VARIABLE", _VARIABLE.c.name, _VARIABLE.c.value).select_from(named).where(*seen)
