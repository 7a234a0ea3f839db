"""What runs with an error have, and what passing runs of the same packages have, read for `suspects`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    SelectBase,
    Text,
    and_,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
    true,
    union,
    union_all,
)

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
from spackmon.query.groups.run_facts import ALL_RUNS, PARAMETERS
from spackmon.query.meanings.meaning import At, scalar
from spackmon.query.sql.json_text import Json, constant, joined
from spackmon.query.sql.scope import Scope
from spackmon.query.sql.values import Given
from spackmon.status import BuildStatus

if TYPE_CHECKING:
    from spackmon.query.meanings.statement import Statement

MAXIMUM_RUNS = 300
"""So many failing runs are looked at, the newest of as many builds, the newest."""
COST = 20_000
"""A tenth of a second, so that 49 groups are one operation's most."""
_MOST_OF_BUILD = 10
"""So many passing runs of a build are looked at, the newest."""


class _Near(NamedTuple):
    """A failing run is compared with the runs of so many builds before and after it on each side.

    Where a package begins or ceases to fail these are more: `of_failing` and `of_packages` are how many
    failing runs and how many packages there are at most.
    """

    builds: int
    of_failing: int
    of_packages: int


# The first that holds.
_NEAR = _Near(40, 0, 4), _Near(10, 60, 20), _Near(2, MAXIMUM_RUNS, MAXIMUM_RUNS)
_REACH = "reach"
_SPEC, _VERSION, _PACKAGE = Spec.__table__, PackageVersion.__table__, Package.__table__
_ARCHITECTURE, _TARGET, _COMPILER = Architecture.__table__, Target.__table__, Compiler.__table__
_SET = ParameterSet.__table__
_VARIABLE = Base.metadata.tables[EnvironmentVariable.__tablename__]
_MACHINE, _CLOSURE = BuildEnvironment.__table__, Closure.__table__


def facts_of_runs(at: At, statement: "Statement", arguments: Mapping[str, Given]) -> Json:
    """JSON rows [kind, name, value, numbers] for `run_facts`: runs, and what several failing ones have.

    Rows of the kind RUNS have a package, a version of Spack, and the numbers of the spec, the machine and the
    set of variables, 1 for a failing run, and the run's own number. Others have the numbers of all specs,
    machines or sets that have a fact; those of PARAMETERS have a whole set of variants.
    """
    kept = _Kept(statement)
    runs = _runs(at.row, statement, kept)
    specs, machines, sets = (
        _grouped(runs, key, statement) for key in ("spec_id", "environment_id", "environment_set_id")
    )
    facts = [*_of_specs(specs, statement), _of_machines(machines, statement), _of_variables(sets, statement)]
    rows = union_all(_all(runs), *facts).subquery(statement.new_name())
    json = statement.json
    pieces: list[str | Json] = ["["]
    for name in ("kind", "name", "value"):
        pieces += [json.value(rows.c[name], nullable=name == "value"), ","]
    return kept.around(select(json.array(joined([*pieces, rows.c.numbers, "]"]))).select_from(rows))


class _Kept:
    """What several parts of a statement look at, and is looked up once.

    PostgreSQL keeps the rows of a common table expression. SQLite would look them up anew for each part, as
    they depend on the group: there they are kept as JSON in a row around all parts.
    """

    def __init__(self, statement: "Statement") -> None:
        self._statement = statement
        self._ctes: list[CTE] = []
        self._rows: list[FromClause] = []

    def of(self, rows: SelectBase) -> FromClause:
        """The rows under a name."""
        if self._statement.dialect_name != "sqlite":
            self._ctes.append(rows.cte(self._statement.new_name()))
            return self._ctes[-1]
        named = rows.subquery(self._statement.new_name())
        document = func.json_group_array(func.json_array(*named.c))
        listed = select(document.label("listed")).correlate_except(None)
        one: ColumnElement[Any] = literal_column("1")
        none: ColumnElement[Any] = literal_column("0")
        # OFFSET keeps SQLite from putting the subquery wherever its value is used.
        row = listed.limit(one).offset(none).subquery(self._statement.new_name())
        self._rows.append(row)
        each = func.json_each(row.c.listed).table_valued("value", name=self._statement.new_name())
        columns = (
            func.json_extract(each.c.value, constant(f"$[{place}]"), type_=column.type).label(column.name)
            for place, column in enumerate(named.c)
        )
        return select(*columns).select_from(each).subquery(self._statement.new_name())

    def around(self, body: Select[Any]) -> Json:
        """What is made of them."""
        whole = scalar(body.add_cte(*self._ctes, nest_here=True).correlate_except(None))
        for row in reversed(self._rows):
            whole = scalar(select(whole.label("body")).select_from(row).correlate_except(row))
        return whole


def _runs(group: Scope, statement: "Statement", kept: _Kept) -> FromClause:
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
    failing = kept.of(select(*found.c, _reach(found).label(_REACH)))
    near = [
        _near(failing, statement, some, status, is_before=is_before)
        for some in _NEAR
        for status in (BuildStatus.SUCCESS, BuildStatus.FAILED)
        for is_before in (True, False)
    ]
    # What two failing runs are near to is one build.
    passing = _passing(union(*near).subquery(statement.new_name()), statement)
    return kept.of(union_all(select(*(one for one in failing.c if one.name != _REACH)), passing))


def _reach(found: FromClause) -> ColumnElement[Any]:
    """How many builds on each side a failing run is compared with; counted here, once for each run."""
    by_package = [found.c.package_id]
    is_edge = or_(
        found.c.build_id == func.min(found.c.build_id).over(partition_by=by_package),
        found.c.build_id == func.max(found.c.build_id).over(partition_by=by_package),
    )
    ordered = func.dense_rank().over(order_by=found.c.package_id)
    descending = func.dense_rank().over(order_by=found.c.package_id.desc())
    packages, failing = ordered + descending - 1, func.count().over()
    return case(
        *(
            (or_(failing <= some.of_failing, and_(is_edge, packages <= some.of_packages)), some.builds)
            for some in _NEAR[:-1]
        ),
        else_=_NEAR[-1].builds,
    )


def _near(
    failing: FromClause, statement: "Statement", some: _Near, status: BuildStatus, *, is_before: bool
) -> Select[Any]:
    """The builds of a failing run's package next to it, where what moves with time is the same."""
    near = Build.__table__.alias()
    next_to_it = (
        select(near.c.id)
        .where(
            near.c.package_id == failing.c.package_id,
            near.c.status == constant(status),
            near.c.id < failing.c.build_id if is_before else near.c.id >= failing.c.build_id,
        )
        .order_by(near.c.id.desc() if is_before else near.c.id)
        .limit(literal_column(str(some.builds)))
        .correlate(failing)
    )
    # SQLite takes no limit that depends on rows.
    is_so_far = failing.c[_REACH] == literal_column(str(some.builds))
    if statement.dialect_name == "sqlite":
        build = Build.__table__.alias()
        return select(build.c.id).join_from(failing, build, build.c.id.in_(next_to_it)).where(is_so_far)
    found = next_to_it.lateral(statement.new_name())
    return select(found.c.id).join_from(failing, found, true()).where(is_so_far)


def _passing(builds: FromClause, statement: "Statement") -> Select[Any]:
    """The newest passing runs of builds: a build that failed at last may have passed before."""
    attempt, build = Attempt.__table__.alias(), Build.__table__.alias()
    newest = func.row_number().over(partition_by=attempt.c.build_id, order_by=attempt.c.number.desc())
    found = (
        _run(attempt, build, 0)
        .add_columns(newest.label("place"))
        .join_from(builds, build, build.c.id == builds.c.id)
        .join(attempt, attempt.c.build_id == build.c.id)
        .where(attempt.c.status == constant(BuildStatus.SUCCESS))
        .subquery(statement.new_name())
    )
    return select(*(one for one in found.c if one.name != "place")).where(
        found.c.place <= literal_column(str(_MOST_OF_BUILD))
    )


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


def _all(runs: FromClause) -> Select[Any]:
    pieces: list[str | Json] = ["["]
    for name in ("spec_id", "environment_id", "environment_set_id", "failing"):
        pieces += [func.coalesce(cast(runs.c[name], Text), constant("null")), ","]
    return select(
        constant(ALL_RUNS).label("kind"),
        cast(runs.c.package_id, Text).label("name"),
        runs.c.spack_version.label("value"),
        joined([*pieces, cast(runs.c.id, Text), "]"]).label("numbers"),
    )


def _grouped(runs: FromClause, key: str, statement: "Statement") -> FromClause:
    """How many failing runs have each value of one of their columns."""
    return (
        select(runs.c[key].label("key"), func.sum(runs.c.failing, type_=BigInteger()).label("failing"))
        .select_from(runs)
        .where(runs.c[key].is_not(None))
        .group_by(runs.c[key])
        .subquery(statement.new_name())
    )


def _row(
    counted: FromClause, statement: "Statement", kind: str, name: Any = None, value: Any = None
) -> Select[Any]:
    """The numbers of all that have a name and a value; what one failing run has proves nothing.

    But a set of variants that one has may have a variant that several have, and a compiler that one has is no
    dependency of its own.
    """
    by = [one for one in (name, value) if one is not None]
    least = 0 if kind in (PARAMETERS, "COMPILER") else 2
    return (
        select(
            constant(kind).label("kind"),
            (constant("") if name is None else name).label("name"),
            value.label("value"),
            statement.json.array(cast(counted.c.key, Text)).label("numbers"),
        )
        .group_by(*by)
        .having(func.sum(counted.c.failing) >= literal_column(str(least)))
    )


def _of_specs(specs: FromClause, statement: "Statement") -> list[Select[Any]]:
    spec, package = _SPEC.alias(), _PACKAGE.alias()
    own = specs.join(spec, spec.c.id == specs.c.key)
    architecture = own.join(_ARCHITECTURE, _ARCHITECTURE.c.id == spec.c.architecture_id)
    # Numbers are grouped before they are named: there are as many rows as edges of closures.
    numbers = statement.json.array(cast(specs.c.key, Text)).label("numbers")
    below = (
        select(spec.c.package_version_id, numbers)
        .join_from(specs, _CLOSURE, _CLOSURE.c.ancestor_id == specs.c.key)
        .join(spec, spec.c.id == _CLOSURE.c.descendant_id)
        .group_by(spec.c.package_version_id)
        .having(func.sum(specs.c.failing) > 1)
        .subquery(statement.new_name())
    )
    dependencies = (
        select(
            constant("DEPENDENCY").label("kind"),
            package.c.name.label("name"),
            _VERSION.c.version.label("value"),
            below.c.numbers,
        )
        .join_from(below, _VERSION, _VERSION.c.id == below.c.package_version_id)
        .join(package, package.c.id == _VERSION.c.package_id)
    )
    version = own.join(_VERSION, _VERSION.c.id == spec.c.package_version_id)

    def row(kind: str, name: Any, value: Any, rows: FromClause) -> Select[Any]:
        return _row(specs, statement, kind, name, value).select_from(rows)

    return [
        dependencies,
        row(
            "VERSION", package.c.name, _VERSION.c.version,
            version.join(package, package.c.id == _VERSION.c.package_id),
        ),
        row(
            "COMPILER", _COMPILER.c.name, _COMPILER.c.version,
            own.join(_COMPILER, _COMPILER.c.id == spec.c.compiler_id),
        ),
        row(PARAMETERS, None, _SET.c.document, own.join(_SET, _SET.c.id == spec.c.parameter_set_id)),
        row(
            "TARGET", None, _TARGET.c.name,
            architecture.join(_TARGET, _TARGET.c.id == _ARCHITECTURE.c.target_id),
        ),
        row("OPERATING_SYSTEM", None, _ARCHITECTURE.c.operating_system, architecture),
    ]  # fmt: skip


def _of_machines(machines: FromClause, statement: "Statement") -> Select[Any]:
    named = machines.join(_MACHINE, _MACHINE.c.id == machines.c.key)
    return _row(machines, statement, "HOST", None, _MACHINE.c.hostname).select_from(named)


def _of_variables(sets: FromClause, statement: "Statement") -> Select[Any]:
    named = sets.join(_VARIABLE, _VARIABLE.c.environment_set_id == sets.c.key)
    seen = statement.names.sees(_VARIABLE.info)
    row = _row(sets, statement, "VARIABLE", _VARIABLE.c.name, _VARIABLE.c.value)
    return row.select_from(named).where(*seen)
