"""What else is touched when a package changes: everything whose graph contains it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import not_, select

from spackmon.graph.abstract_spec import AbstractSpec
from spackmon.models import Build, Closure, Package
from spackmon.query.graph.contents import builds_containing, specs_containing
from spackmon.query.speclang.satisfying import FEW_BY_THEMSELVES, counted, read_spec, specs_fitting
from spackmon.query.speclang.spec_dependencies import Found, is_found
from spackmon.query.sql.among import among
from spackmon.query.sql.conditions import Condition, Filtering, Way, Ways
from spackmon.query.sql.scope import Scope
from spackmon.query.sql.values import Given


def impact_of(arguments: Mapping[str, Given], compilation: Filtering) -> dict[str, Any]:
    """What an impact is limited to: the specs that satisfy the argument `of`, or all of a package.

    Raises Refused SPEC_SYNTAX.
    """
    rules = compilation.rules(arguments)
    wanted = read_spec(compilation.decided(arguments["of"]), rules)
    limits: dict[str, Any] = {"of": specs_fitting(wanted, rules)}
    if wanted.name is not None and wanted == AbstractSpec(name=wanted.name):
        package_id = select(Package.id).where(Package.name == wanted.name).scalar_subquery()
        limits |= {"package_id": package_id, "dialect_name": compilation.dialect_name}
    return limits


def spec_is_affected(impact: Scope, spec: Scope) -> Condition:
    """Something that the impact is of stands anywhere below the spec, by any deptype.

    Specs know which packages they contain.
    """
    is_affected = spec.row_id.in_(_affected(impact))
    if "package_id" in impact.limits:
        return specs_containing(spec, impact.limits["package_id"], is_affected)
    return Condition(is_affected)


def build_is_affected(impact: Scope, build: Scope) -> Condition:
    """Something that the impact is of stands anywhere below the build's spec.

    Builds know which packages they contain. By other specs they are found by the specs above these, if there
    are few, else among the newest, of each of which it is asked what is below it.
    """
    if "package_id" in impact.limits:
        return builds_containing(build, impact.limits["package_id"], impact.limits["dialect_name"])
    spec_id = build[Build.spec_id]
    is_affected = spec_id.in_(_affected(impact))
    below = Closure.__table__.alias()
    few, is_few = counted(_affected(impact), FEW_BY_THEMSELVES)
    contains = select(below.c.ancestor_id).where(among(below.c.descendant_id, impact.limits["of"]))
    by_specs = Way(is_few, among(spec_id, few, leads=True))
    one_by_one = Way(not_(is_few), is_found(contains.correlate_except(below), spec_id))
    return Condition(is_affected, ways=Ways(is_affected, (by_specs, one_by_one)))


def _affected(impact: Scope) -> Found:
    above = Closure.__table__.alias()
    affected = select(above.c.ancestor_id).where(above.c.descendant_id.in_(impact.limits["of"]))
    return affected.correlate_except(above)
