"""What else is touched when a package changes: everything whose graph contains it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from spackmon.graph.abstract_spec import AbstractSpec
from spackmon.models import Build, Closure, ClosureAbove, Package
from spackmon.query.graph.contents import builds_containing, specs_containing
from spackmon.query.graph.gathering import build_is_among, each_once, spec_is_among
from spackmon.query.speclang.satisfying import read_spec, specs_fitting
from spackmon.query.speclang.spec_dependencies import Found, is_found
from spackmon.query.sql.among import among, gathered
from spackmon.query.sql.conditions import Condition, Filtering
from spackmon.query.sql.scope import Scope
from spackmon.query.sql.values import Given


def impact_of(arguments: Mapping[str, Given], compilation: Filtering) -> dict[str, Any]:
    """What an impact is limited to: the specs that satisfy the argument `of`, or all of a package.

    Raises Refused SPEC_SYNTAX.
    """
    rules = compilation.rules(arguments)
    wanted = read_spec(compilation.decided(arguments["of"]), rules)
    limits: dict[str, Any] = {"of": specs_fitting(wanted, rules), "is_named": wanted.name is not None}
    if wanted.name is not None and wanted == AbstractSpec(name=wanted.name):
        package_id = select(Package.id).where(Package.name == wanted.name).scalar_subquery()
        limits |= {"package_id": package_id, "dialect_name": compilation.dialect_name}
    return limits


def spec_is_affected(impact: Scope, spec: Scope) -> Condition:
    """Something that the impact is of stands anywhere below the spec, by any deptype.

    Specs know which packages they contain.
    """
    if "package_id" in impact.limits:
        by_closure = gathered(spec.row_id, _affected(impact))
        return specs_containing(spec, impact.limits["package_id"], by_closure)
    return spec_is_among(spec.row_id, _affected(impact))


def build_is_affected(impact: Scope, build: Scope) -> Condition:
    """Something that the impact is of stands anywhere below the build's spec.

    Builds know which packages they contain. By other specs they are found by the specs above these, if there
    are few, else among the newest, of each of which it is asked what is below it.
    """
    if "package_id" in impact.limits:
        return builds_containing(build, impact.limits["package_id"], impact.limits["dialect_name"])
    spec_id = build[Build.spec_id]
    below = Closure.__table__.alias()
    contains = select(below.c.ancestor_id).where(among(below.c.descendant_id, impact.limits["of"]))
    one_by_one = is_found(contains.correlate_except(below), spec_id)
    return build_is_among(spec_id, _affected(impact), one_by_one)


def _affected(impact: Scope) -> Found:
    above = ClosureAbove.__table__.alias()
    affected = select(above.c.ancestor_id).where(above.c.descendant_id.in_(impact.limits["of"]))
    return each_once(affected.correlate_except(above), is_of_one=impact.limits["is_named"])
