"""What satisfies a text in Spack's language, by the rules in their plainest form."""

from functools import cache
from typing import Any

from spackmon import models
from spackmon.errors import Code, Refused
from spackmon.graph.satisfies import Satisfaction
from spackmon.graph.spec_syntax import parse_spec
from spackmon.graph.spec_tokens import SpecSyntaxError
from tests.reference import graphs
from tests.reference.filters import graph
from tests.reference.rows import Rows


@cache
def _satisfaction(rows: Rows) -> Satisfaction:
    return Satisfaction({spec.hash: graphs.node(rows, spec) for spec in rows.all(models.Spec)})


def satisfying(rows: Rows, text: str) -> list[int]:
    """The ids of all specs that satisfy a text."""
    if "\0" in text:
        raise Refused(Code.ARGUMENT_INVALID, "a NUL")
    try:
        wanted = parse_spec(text)
    except SpecSyntaxError as error:
        raise Refused(Code.SPEC_SYNTAX, str(error)) from error
    judge = _satisfaction(rows)
    return [spec.id for spec in rows.all(models.Spec) if judge.satisfies(spec.hash, wanted)]


def containing(rows: Rows, of: list[int]) -> list[Any]:
    """The specs below which any of those with these ids stands."""
    wanted = set(of)
    return [
        spec
        for spec in rows.all(models.Spec)
        if any(below.id in wanted for below in graph(rows, spec.id)[1:])
    ]
