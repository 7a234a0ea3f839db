"""What satisfies a text in Spack's language, by the rules in their plainest form."""

from functools import cache
from typing import Any

from spackmon import models
from spackmon.errors import Code, Refused
from spackmon.graph.abstract_spec import AbstractSpec
from spackmon.graph.satisfies import Satisfaction
from spackmon.graph.spack_rules import RULES, Rules, SpackVersion
from spackmon.graph.spec_syntax import parse_spec
from spackmon.graph.spec_tokens import SpecSyntaxError
from tests.reference import graphs
from tests.reference.rows import Rows
from tests.reference.walks import graph


@cache
def _satisfaction(rows: Rows, rules: Rules) -> Satisfaction:
    return Satisfaction(
        {spec.hash: graphs.node(rows, spec) for spec in rows.all(models.Spec)}, frozenset(), rules
    )


def read(text: str, spack: str | None) -> tuple[Rules, AbstractSpec]:
    """The rules of a Spack, and what a text asks for by them."""
    rules = RULES[SpackVersion.SPACK_1_2 if spack is None else SpackVersion(spack)]
    try:
        return rules, parse_spec(text, rules)
    except SpecSyntaxError as error:
        raise Refused(Code.SPEC_SYNTAX, str(error)) from error


def is_satisfied(rows: Rows, spec: Any, text: str, spack: str | None) -> bool:
    """Whether a spec satisfies a text as a Spack judges."""
    rules, wanted = read(text, spack)
    return _satisfaction(rows, rules).satisfies(spec.hash, wanted)


def satisfying(rows: Rows, text: str, spack: str | None) -> list[int]:
    """The ids of all specs that satisfy a text as a Spack judges."""
    rules, wanted = read(text, spack)
    return [spec.id for spec in specs_of(rows, wanted, rules)]


def specs_of(rows: Rows, wanted: AbstractSpec, rules: Rules) -> list[Any]:
    """All specs that satisfy an abstract one by these rules."""
    judge = _satisfaction(rows, rules)
    return [spec for spec in rows.all(models.Spec) if judge.satisfies(spec.hash, wanted)]


def containing(rows: Rows, of: list[int]) -> list[Any]:
    """The specs below which any of those with these ids stands."""
    wanted = set(of)
    return [
        spec
        for spec in rows.all(models.Spec)
        if any(below.id in wanted for below in graph(rows, spec.id)[1:])
    ]
