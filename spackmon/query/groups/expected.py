"""What a build will probably need, from the nearest builds before it that ended well."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import ColumnElement, Integer, and_, case, exists, func, literal_column, or_, select

from spackmon.errors import Code, Refused
from spackmon.graph.abstract_spec import AbstractSpec
from spackmon.graph.spack_rules import Rules
from spackmon.models import Architecture, Attempt, Build, Package, PackageVersion, Spec
from spackmon.query.groups.aggregates import is_built
from spackmon.query.meanings.meaning import At
from spackmon.query.speclang.satisfying import read_spec, specs_fitting
from spackmon.query.sql.json_text import Json, constant, joined
from spackmon.query.sql.scope import Scope
from spackmon.query.sql.values import Given
from spackmon.status import BuildStatus

if TYPE_CHECKING:
    from spackmon.query.meanings.statement import Statement

MOST_OF_A_NEARNESS = 200
"""So many runs of each nearness are looked at, the newest of which something is known."""
COST_OF_EXPECTING = 2_000
"""Reads every run of the package."""
NEARNESSES = "SPEC", "COMPILER_AND_TARGET", "VERSION", "PACKAGE"
"""How near a run may be, the nearest first."""
_FACTS = {
    "duration_seconds": "durationSeconds", "cpu_seconds": "cpuSeconds",
    "peak_memory_bytes": "peakMemoryBytes",
}  # fmt: skip
_PERCENTS = {"p50": 50, "p95": 95}


class _Nearer(NamedTuple):
    """What holds of builds of the package, of which the three nearest are, one after the other."""

    is_of_package: ColumnElement[bool]
    nearest: tuple[ColumnElement[bool], ...]


def runs_to_expect_by(at: At, statement: "Statement", arguments: Mapping[str, Given]) -> Json:
    """JSON rows [place in NEARNESSES, seconds, CPU seconds, bytes], null where something is not looked at.

    Raises Refused SPEC_SYNTAX, and ARGUMENT_INVALID where the spec names no package.
    """
    rules = statement.rules(arguments)
    wanted = read_spec(statement.decided(arguments["spec"]), rules)
    attempt = at.row.beneath(Attempt.__table__)
    build = attempt.follow(Attempt.build_id)
    if wanted.hash_prefix is not None:
        nearer = _by_stored(build, wanted, rules)
    elif wanted.name is not None:
        nearer = _by_text(build, wanted, rules)
    else:
        raise Refused(Code.ARGUMENT_INVALID, "`spec` must name a package, or a spec by /hash")
    nearness = case(
        *((holds, literal_column(str(place))) for place, holds in enumerate(nearer.nearest)),
        else_=literal_column(str(len(nearer.nearest)), Integer()),
    )
    values = {name: attempt.column(name) for name in _FACTS}
    began = attempt[Attempt.started_at]
    found = (
        select(
            nearness.label("nearness"), began.label("began"), attempt.row_id.label("id"),
            *(value.label(name) for name, value in values.items()),
        )
        .select_from(attempt.joined())
        .where(
            nearer.is_of_package,
            attempt[Attempt.status] == constant(BuildStatus.SUCCESS),
            is_built(attempt[Attempt.installed_from]),
            or_(*(value.is_not(None) for value in values.values())),
        )
        .cte(statement.new_name())
    )  # fmt: skip
    return statement.listed(_newest(found, statement))


def _newest(found: Any, statement: "Statement") -> Any:
    """Of each nearness the newest runs of which something is known, each fact by itself."""
    latest = found.c.began.desc().nulls_last(), found.c.id.desc()
    places = {
        name: func.row_number().over(
            partition_by=[found.c.nearness, found.c[name].is_(None)], order_by=latest
        )
        for name in _FACTS
    }
    placed = select(found, *(place.label(f"{name}_place") for name, place in places.items()))
    rows = placed.cte(statement.new_name())
    most: ColumnElement[Any] = literal_column(str(MOST_OF_A_NEARNESS))
    shown = {name: case((rows.c[f"{name}_place"] <= most, rows.c[name])).label(name) for name in _FACTS}
    few = select(rows.c.nearness, *shown.values()).cte(statement.new_name())
    json = statement.json
    pieces: list[str | Json] = ["[", json.value(few.c.nearness, nullable=False)]
    for name in _FACTS:
        pieces += [",", json.value(few.c[name], nullable=True)]
    is_looked_at = or_(*(few.c[name].is_not(None) for name in _FACTS))
    return select(joined([*pieces, "]"]).label("body")).select_from(few).where(is_looked_at)


def expected(facts: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The schema's ExpectedResources, of the rows. Raises Refused ARGUMENT_INVALID."""
    least = arguments["minimumRuns"]
    if not 1 <= least <= MOST_OF_A_NEARNESS:
        sentence = f"`minimumRuns` must be from 1 to {MOST_OF_A_NEARNESS}, it is {least}"
        raise Refused(Code.ARGUMENT_INVALID, sentence)
    return {
        name: _expected([(row[0], row[place]) for row in facts if row[place] is not None], least)
        for place, name in enumerate(_FACTS.values(), 1)
    }


def _expected(known: list[tuple[int, Any]], least: int) -> dict[str, Any] | None:
    """Of the nearest runs that are enough; of all that there are, where they are fewer."""
    if not known:
        return None
    nearnesses = sorted({nearness for nearness, _ in known})
    for nearness in nearnesses:
        values = sorted(value for one, value in known if one <= nearness)
        if len(values) >= least:
            break
    return {
        "nearness": NEARNESSES[nearness],
        "runCount": len(values),
        "maximum": values[-1],
        **{name: values[-(-len(values) * percent // 100) - 1] for name, percent in _PERCENTS.items()},
    }


def _by_text(build: Scope, wanted: AbstractSpec, rules: Rules) -> _Nearer:
    """Of what is asked for: all of it, then less and less."""
    version = AbstractSpec(name=wanted.name, versions=wanted.versions)
    compilers = tuple(edge for edge in wanted.edges if edge.is_direct)
    near = replace(version, targets=wanted.targets, edges=compilers)
    spec_id = build[Build.spec_id]
    fitting = (specs_fitting(one, rules) for one in (wanted, near, version))
    package = AbstractSpec(name=wanted.name)
    is_named = build.follow(Build.package_id)[Package.name] == constant(package.name or "")
    return _Nearer(is_named, tuple(spec_id.in_(found) for found in fitting))


def _by_stored(build: Scope, wanted: AbstractSpec, rules: Rules) -> _Nearer:
    """Of a spec that is stored: what other specs have in common with it."""
    subject, version, place = (one.__table__.alias() for one in (Spec, PackageVersion, Architecture))
    subjects = (
        select(
            subject.c.id, subject.c.package_version_id, subject.c.compiler_id, version.c.package_id,
            place.c.target_id,
        )
        .join(version, version.c.id == subject.c.package_version_id)
        .join(place, place.c.id == subject.c.architecture_id)
        .where(subject.c.id.in_(specs_fitting(wanted, rules)))
        .cte()
    )  # fmt: skip
    spec = build.follow(Build.spec_id)
    target_id = spec.follow(Spec.architecture_id)[Architecture.target_id]

    def has(condition: Callable[[Any], ColumnElement[bool]]) -> ColumnElement[bool]:
        return exists(select(subjects.c.id).where(condition(subjects.c)))

    def is_version(one: Any) -> ColumnElement[bool]:
        same: ColumnElement[bool] = one.package_version_id == spec[Spec.package_version_id]
        return same

    return _Nearer(
        build[Build.package_id].in_(select(subjects.c.package_id)),
        (
            spec.row_id.in_(select(subjects.c.id)),
            has(
                lambda one: and_(
                    is_version(one), one.target_id == target_id,
                    one.compiler_id.is_not_distinct_from(spec[Spec.compiler_id]),
                )
            ),
            has(is_version),
        ),
    )  # fmt: skip
