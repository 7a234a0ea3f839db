"""The spec language in SQL: an AbstractSpec becomes conditions on the rows of `spec` and of `build`.

No single plan is fast both for what nearly every spec has and for what hardly any has: the first is found
among the newest rows, the second by its own index. So a condition comes in several ways, of which the
database takes one after a look at how many specs there are (docs/spec-language.md).
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, and_, func, literal_column, not_, select, true

from spackmon.errors import Code, Refused
from spackmon.graph.abstract_spec import AbstractSpec
from spackmon.graph.spack_rules import Rules
from spackmon.graph.spec_syntax import parse_spec
from spackmon.graph.spec_tokens import SpecSyntaxError
from spackmon.models import Build, Package, Spec
from spackmon.query.speclang.spec_conditions import Lookups, all_of
from spackmon.query.speclang.spec_dependencies import Dependencies, Found, is_found, is_whole
from spackmon.query.sql.among import among
from spackmon.query.sql.conditions import Way, Ways
from spackmon.query.sql.scope import Scope

# Up to so many specs that satisfy a part of the query, by themselves or by one dependency, are collected and
# looked at one by one; where each part has more, the newest rows are walked until a page is full.
FEW_BY_THEMSELVES = 2_000
FEW_BY_DEPENDENCY = 12_000
FEW_BUILDS = 20_000
# Up to so many are looked at one by one where they are counted, too, rather than all that have a dependency.
FEW_TO_COUNT = 12_000
_MOST_STARTS = 2
# A dependency and what it depends on are looked up row by row; SQLite's parser has no room for a third level.
_LEVELS_ONE_BY_ONE = 2


def spec_satisfies(spec: Scope, text: str, rules: Rules) -> Ways:
    """The spec satisfies what `text` states in Spack's language. Raises Refused SPEC_SYNTAX."""
    query = _Query(read_spec(text, rules), rules)
    return query.ways(spec.row_id, spec.whole())


def build_satisfies(build: Scope, text: str, rules: Rules) -> Ways:
    """The build's spec satisfies what `text` states in Spack's language. Raises Refused SPEC_SYNTAX."""
    query = _Query(read_spec(text, rules), rules)
    spec_id, node = build[Build.spec_id], Spec.__table__.alias()
    together = spec_id.in_(select(node.c.id).where(query.conditions(node)))
    its_spec = select(node.c.id).where(query.judged(node))
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


class _Start(NamedTuple):
    """Specs among which all are that satisfy a query, how many of them are few, and what is left to ask."""

    found: Found
    most: int
    left: AbstractSpec


class _Query:
    """One query: what it asks of a spec, and the ways to find the rows of which that holds."""

    def __init__(self, wanted: AbstractSpec, rules: Rules) -> None:
        self._wanted = wanted
        lookups = Lookups()
        self._together = Dependencies(rules, lookups, 0)
        self._one_by_one = Dependencies(rules, lookups, _LEVELS_ONE_BY_ONE)

    def conditions(self, node: FromClause) -> ColumnElement[bool]:
        """All that is asked of `node`, for many at once."""
        return self._together.all_of(node, self._wanted)

    def judged(self, node: FromClause, wanted: AbstractSpec | None = None) -> ColumnElement[bool]:
        """The same for rows that are looked at one by one, or what of it is `wanted`."""
        return self._one_by_one.all_of(node, self._wanted if wanted is None else wanted)

    def ways(self, spec_id: ColumnElement[Any], node: FromClause) -> Ways:
        """The ways to find the specs that are asked for, by the id and the source of one."""
        ways: list[Way] = []
        many: list[ColumnElement[bool]] = []
        for start in self._starts():
            few, is_few = counted(start.found, start.most)
            holds = and_(among(spec_id, few, leads=True), self.judged(node, start.left))
            ways.append(Way(and_(*many, is_few), holds))
            many.append(not_(is_few))
        counting = self._few_to_count(
            lambda few, left: and_(among(spec_id, few, leads=True), self.judged(node, left))
        )
        return Ways(self.conditions(node), (*ways, Way(all_of(many), self.judged(node))), counting)

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
        for start in self._starts():
            few, is_few = counted(start.found, start.most)
            other, specs = Build.__table__.alias(), select(*self._satisfying(few, start.left).cte().c)
            theirs = select(other.c.id).where(among(other.c.spec_id, specs, leads=True))
            _, are_few = counted(theirs, FEW_BUILDS)
            ways.append(Way(and_(*many, is_few, are_few), among(spec_id, specs, leads=True)))
            ways.append(Way(and_(*many, is_few, not_(are_few)), and_(of_package, among(spec_id, specs))))
            many.append(not_(is_few))
        counting = self._few_to_count(
            lambda few, left: among(spec_id, self._satisfying(few, left), leads=True)
        )
        return Ways(together, (*ways, Way(all_of(many), and_(of_package, one_by_one))), counting)

    def _satisfying(self, few: Found, left: AbstractSpec) -> Found:
        """Those of a few specs of which holds what is left to ask."""
        node = Spec.__table__.alias()
        return select(node.c.id).where(among(node.c.id, few, leads=True), self.judged(node, left))

    def _few_to_count(self, condition_of: Callable[[Found, AbstractSpec], ColumnElement[bool]]) -> Way | None:
        """The form in which rows are counted by the few specs that are as it says by themselves."""
        by_itself, edges = self._together.by_itself(self._wanted), self._wanted.edges
        if by_itself is None or all(edge.is_direct for edge in edges):
            return None
        few, is_few = counted(by_itself, FEW_TO_COUNT)
        return Way(is_few, condition_of(few, AbstractSpec(edges=edges)))

    def _of_package(self, build: Scope) -> ColumnElement[bool]:
        """What follows for a build from the name that is asked for, said so that an index has its order."""
        if self._wanted.name is None:
            return true()
        package = Package.__table__.alias()
        named = select(package.c.id).where(package.c.name == self._wanted.name)
        return build[Build.package_id] == named.scalar_subquery()

    def _starts(self) -> Iterator[_Start]:
        wanted = self._wanted
        by_itself = self._together.by_itself(wanted)
        if by_itself is not None:
            yield _Start(by_itself, FEW_BY_THEMSELVES, AbstractSpec(edges=wanted.edges))
        edges = [edge for edge in wanted.edges if edge.when is None]
        for edge in sorted(edges, key=lambda edge: edge.is_direct)[:_MOST_STARTS]:
            others = tuple(other for other in wanted.edges if other is not edge)
            left = replace(wanted, edges=others) if is_whole(edge) else wanted
            yield _Start(self._together.by_dependency(edge), FEW_BY_DEPENDENCY, left)


def counted(found: Found, most: int) -> tuple[Found, ColumnElement[bool]]:
    """A selection as far as it has been looked at, and whether it has no more than `most` rows."""
    looked_at = found.limit(literal_column(str(most + 1))).cte()
    is_few = select(func.count()).select_from(looked_at).scalar_subquery() <= most
    return select(*looked_at.c), is_few
