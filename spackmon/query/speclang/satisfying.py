"""The spec language in SQL: an AbstractSpec becomes conditions on the rows of `spec` and of `build`.

No single plan is fast both for what nearly every spec has and for what hardly any has: the first is found
among the newest rows, the second by its own index. So a condition comes in several ways, of which the
database takes one after a look at how many specs there are (docs/spec-language.md).
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, func, literal_column, not_, select, true

from spackmon.errors import Code, Refused
from spackmon.graph.abstract_spec import AbstractSpec
from spackmon.graph.spack_rules import Rules
from spackmon.graph.spec_syntax import parse_spec
from spackmon.graph.spec_tokens import SpecSyntaxError
from spackmon.models import Build, Package, Spec
from spackmon.query.speclang.spec_conditions import Lookups, all_of
from spackmon.query.speclang.spec_dependencies import Dependencies, Found, is_found
from spackmon.query.sql.among import among
from spackmon.query.sql.conditions import Way, Ways
from spackmon.query.sql.scope import Scope

# Up to so many specs that satisfy a part of the query, by themselves or by one dependency, are collected and
# looked at one by one; where each part has more, the newest rows are walked until a page is full.
FEW_BY_THEMSELVES = 2_000
FEW_BY_DEPENDENCY = 12_000
FEW_BUILDS = 20_000
_MOST_STARTS = 2
# A dependency and what it depends on are looked up row by row; SQLite's parser has no room for a third level.
_LEVELS_ONE_BY_ONE = 2


def spec_satisfies(spec: Scope, text: str, rules: Rules) -> Ways:
    """The spec satisfies what `text` states in Spack's language. Raises Refused SPEC_SYNTAX."""
    query = _Query(read_spec(text, rules), rules)
    return query.ways(
        spec.row_id, query.conditions(spec.whole()), query.conditions(spec.whole(), row_by_row=True)
    )


def build_satisfies(build: Scope, text: str, rules: Rules) -> Ways:
    """The build's spec satisfies what `text` states in Spack's language. Raises Refused SPEC_SYNTAX."""
    query = _Query(read_spec(text, rules), rules)
    spec_id, node = build[Build.spec_id], Spec.__table__.alias()
    together = spec_id.in_(select(node.c.id).where(query.conditions(node)))
    its_spec = select(node.c.id).where(query.conditions(node, row_by_row=True))
    return query.ways_of_builds(build, together, is_found(its_spec, spec_id))


def specs_satisfying(text: str, rules: Rules) -> Found:
    """The specs that satisfy what `text` states. Raises Refused SPEC_SYNTAX."""
    return specs_fitting(read_spec(text, rules), rules)


def specs_fitting(wanted: AbstractSpec, rules: Rules) -> Found:
    """The specs that satisfy an abstract one."""
    node = Spec.__table__.alias()
    return select(node.c.id).where(_Query(wanted, rules).conditions(node))


def read_spec(text: str, rules: Rules) -> AbstractSpec:
    """The spec that `text` states; Refused SPEC_SYNTAX says at which character it cannot be read."""
    try:
        return parse_spec(text, rules)
    except SpecSyntaxError as error:
        sentence = f"the spec {text!r} cannot be read at character {error.position + 1}: {error.problem}"
        raise Refused(Code.SPEC_SYNTAX, sentence, position=error.position) from None


class _Query:
    """One query: what it asks of a spec, and the ways to find the rows of which that holds."""

    def __init__(self, wanted: AbstractSpec, rules: Rules) -> None:
        self._wanted = wanted
        lookups = Lookups()
        self._together = Dependencies(rules, lookups, 0)
        self._one_by_one = Dependencies(rules, lookups, _LEVELS_ONE_BY_ONE)

    def conditions(self, node: FromClause, *, row_by_row: bool = False) -> ColumnElement[bool]:
        """All that is asked of `node`."""
        return (self._one_by_one if row_by_row else self._together).all_of(node, self._wanted)

    def ways(
        self, spec_id: ColumnElement[Any], together: ColumnElement[bool], one_by_one: ColumnElement[bool]
    ) -> Ways:
        """The ways to find the rows whose spec has an id that is asked for, given as both conditions."""
        ways: list[Way] = []
        many: list[ColumnElement[bool]] = []
        for found, most in self._starts():
            few, is_few = counted(found, most)
            ways.append(Way(and_(*many, is_few), and_(among(spec_id, few, leads=True), one_by_one)))
            many.append(not_(is_few))
        return Ways(together, (*ways, Way(all_of(many), one_by_one)))

    def ways_of_builds(
        self, build: Scope, together: ColumnElement[bool], one_by_one: ColumnElement[bool]
    ) -> Ways:
        """The ways to find builds by their specs.

        A spec has many builds: few specs are judged before, each once, and their builds are found by them if
        they are few as well, otherwise among the newest of the package, where one is named.
        """
        spec_id, of_package = build[Build.spec_id], self._of_package(build)
        ways: list[Way] = []
        many: list[ColumnElement[bool]] = []
        for found, most in self._starts():
            few, is_few = counted(found, most)
            node, other = Spec.__table__.alias(), Build.__table__.alias()
            judged = select(node.c.id).where(
                among(node.c.id, few, leads=True), self.conditions(node, row_by_row=True)
            )
            specs = select(*judged.cte().c)
            theirs = select(other.c.id).where(among(other.c.spec_id, specs, leads=True))
            _, are_few = counted(theirs, FEW_BUILDS)
            ways.append(Way(and_(*many, is_few, are_few), among(spec_id, specs, leads=True)))
            ways.append(Way(and_(*many, is_few, not_(are_few)), and_(of_package, among(spec_id, specs))))
            many.append(not_(is_few))
        return Ways(together, (*ways, Way(all_of(many), and_(of_package, one_by_one))))

    def _of_package(self, build: Scope) -> ColumnElement[bool]:
        """What follows for a build from the name that is asked for, said so that an index has its order."""
        if self._wanted.name is None:
            return true()
        package = Package.__table__.alias()
        named = select(package.c.id).where(package.c.name == self._wanted.name)
        return build[Build.package_id] == named.scalar_subquery()

    def _starts(self) -> Iterator[tuple[Found, int]]:
        """Selections of specs among which all that satisfy it are, and how many of them are few."""
        by_itself = self._together.by_itself(self._wanted)
        if by_itself is not None:
            yield by_itself, FEW_BY_THEMSELVES
        edges = [edge for edge in self._wanted.edges if edge.when is None]
        for edge in sorted(edges, key=lambda edge: edge.is_direct)[:_MOST_STARTS]:
            yield self._together.by_dependency(edge), FEW_BY_DEPENDENCY


def counted(found: Found, most: int) -> tuple[Found, ColumnElement[bool]]:
    """A selection as far as it has been looked at, and whether it has no more than `most` rows."""
    looked_at = found.limit(literal_column(str(most + 1))).cte()
    is_few = select(func.count()).select_from(looked_at).scalar_subquery() <= most
    return select(*looked_at.c), is_few
