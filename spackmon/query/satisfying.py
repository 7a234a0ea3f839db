"""The spec language in SQL: an AbstractSpec becomes conditions on the rows of `spec` and of `build`.

The rules are those of `graph.satisfies`, which says them in their plainest form. Here `%` is a lookup in
dependency and provided_virtual, `^` one in closure and provided_virtual; `by_caret` marks what `^` sees.

No single plan is fast both for what nearly every spec has and for what hardly any has: the first is found
among the newest rows, the second by its own index. So a condition comes in several ways, of which the
database takes one after a look at how many specs there are (docs/spec-language.md).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    and_,
    exists,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
    union_all,
)

from spackmon.errors import Code, Refused
from spackmon.graph.abstract_spec import AbstractEdge, AbstractSpec
from spackmon.graph.spec_syntax import parse_spec
from spackmon.graph.spec_tokens import SpecSyntaxError
from spackmon.models import Build, Closure, Dependency, ProvidedVirtual, Spec
from spackmon.query.conditions import Filtering, Way, Ways
from spackmon.query.lookups import without_nul
from spackmon.query.scope import Scope
from spackmon.query.spec_conditions import (
    Choice,
    all_of,
    among,
    compilers_like,
    fits,
    is_of,
    is_reread,
    joined,
    one_of,
)
from spackmon.query.values import Given

# Up to so many specs that satisfy a part of the query, by themselves or by one dependency, are collected and
# looked at one by one; where each part has more, the newest rows are walked until a page is full.
FEW_BY_THEMSELVES = 2_000
FEW_BY_DEPENDENCY = 12_000
_MOST_STARTS = 2

Found = Select[Any]
"""A selection of spec ids, in its first column."""


def spec_satisfies(spec: Scope, text: str) -> Ways:
    """The spec satisfies what `text` states in Spack's language. Raises Refused SPEC_SYNTAX."""
    query = _Query(read_spec(text))
    return query.ways(
        spec.row_id, query.conditions(spec.source), query.conditions(spec.source, row_by_row=True)
    )


def build_satisfies(build: Scope, text: str) -> Ways:
    """The build's spec satisfies what `text` states in Spack's language. Raises Refused SPEC_SYNTAX."""
    query = _Query(read_spec(text))
    spec_id, node = build[Build.spec_id], Spec.__table__.alias()
    together = spec_id.in_(select(node.c.id).where(query.conditions(node)))
    its_spec = select(node.c.id).where(query.conditions(node, row_by_row=True))
    return query.ways(spec_id, together, _is_found(its_spec, spec_id))


def impact_of(arguments: Mapping[str, Given], compilation: Filtering) -> dict[str, Found]:
    """What an impact is limited to: the specs that satisfy the argument `of`."""
    node = Spec.__table__.alias()
    wanted = _Query(read_spec(compilation.decided(arguments["of"])))
    return {"of": select(node.c.id).where(wanted.conditions(node))}


def spec_is_affected(impact: Scope, spec: Scope) -> ColumnElement[bool]:
    """Something that the impact is of stands anywhere below the spec, by any deptype."""
    return spec.row_id.in_(_affected(impact))


def build_is_affected(impact: Scope, build: Scope) -> ColumnElement[bool]:
    """Something that the impact is of stands anywhere below the build's spec."""
    return build[Build.spec_id].in_(_affected(impact))


def _affected(impact: Scope) -> Found:
    below = Closure.__table__.alias()
    affected = select(below.c.ancestor_id).where(below.c.descendant_id.in_(impact.limits["of"]))
    return affected.correlate_except(below)


def read_spec(text: str) -> AbstractSpec:
    """The spec that `text` states; Refused SPEC_SYNTAX says at which character it cannot be read."""
    try:
        return parse_spec(without_nul("satisfying", text))
    except SpecSyntaxError as error:
        sentence = f"the spec {text!r} cannot be read at character {error.position + 1}: {error.problem}"
        raise Refused(Code.SPEC_SYNTAX, sentence, position=error.position) from None


class _Query:
    """One query: what it asks of a spec, and the ways to find the rows of which that holds."""

    def __init__(self, wanted: AbstractSpec) -> None:
        self._wanted = wanted
        names_virtuals = _names_virtuals(wanted)
        self._together = _Satisfaction(names_virtuals, row_by_row=False)
        self._one_by_one = _Satisfaction(names_virtuals, row_by_row=True)

    def conditions(self, node: FromClause, *, row_by_row: bool = False) -> ColumnElement[bool]:
        """All that is asked of `node`."""
        satisfaction = self._one_by_one if row_by_row else self._together
        return all_of(satisfaction.of(node, self._wanted))

    def ways(
        self, spec_id: ColumnElement[Any], together: ColumnElement[bool], one_by_one: ColumnElement[bool]
    ) -> Ways:
        """The ways to find the rows whose spec has an id that is asked for, given as both conditions."""
        ways: list[Way] = []
        many: list[ColumnElement[bool]] = []
        for found, most in self._together.starts(self._wanted):
            few = found.limit(literal_column(str(most + 1))).cte()
            (few_id,) = few.c
            is_few = select(func.count()).select_from(few).scalar_subquery() <= most
            rare = and_(among(spec_id, select(few_id), leads=True), one_by_one)
            ways.append(Way(and_(*many, is_few), rare))
            many.append(not_(is_few))
        return Ways(together, (*ways, Way(all_of(many), one_by_one)))


class _Satisfaction:
    """Conditions on aliases of `spec` for one query, which as a whole may name virtuals.

    with `row_by_row` they suit few candidate rows, each probed in the indexes; otherwise many,
    beside which all that has a dependency is collected first.
    """

    def __init__(self, names_virtuals: ColumnElement[bool], *, row_by_row: bool) -> None:
        self._names_virtuals = names_virtuals
        self._row_by_row = row_by_row
        self._choice: Choice = among if row_by_row else joined

    def of(self, node: FromClause, wanted: AbstractSpec) -> list[ColumnElement[bool]]:
        """What `wanted` asks of `node`."""
        return [*fits(node, wanted, self._choice), *(self._has(node, edge) for edge in wanted.edges)]

    def starts(self, wanted: AbstractSpec) -> Iterator[tuple[Found, int]]:
        """Selections of specs among which all that satisfy `wanted` are, and how many of them are few."""
        node = Spec.__table__.alias()
        conditions = fits(node, wanted, self._choice)
        if conditions:
            yield select(node.c.id).where(*conditions), FEW_BY_THEMSELVES
        edges = sorted((edge for edge in wanted.edges if edge.when is None), key=lambda edge: edge.is_direct)
        for edge in edges[:_MOST_STARTS]:
            found = [self._direct(edge)] if edge.is_direct else self._below(edge.spec)
            if edge.is_direct:
                found.append(select(node.c.id).where(self._has_compiler(node, edge.spec)))
            yield select(union_all(*found).subquery()), FEW_BY_DEPENDENCY

    def _has(self, node: FromClause, edge: AbstractEdge) -> ColumnElement[bool]:
        found = self._has_direct(node, edge) if edge.is_direct else self._has_below(node, edge)
        return found if edge.when is None else or_(not_(all_of(self.of(node, edge.when))), found)

    def _is_among(self, node: FromClause, *found: Found) -> ColumnElement[bool]:
        """The node's id is in one of the selections."""
        if not self._row_by_row:
            return node.c.id.in_(union_all(*found) if len(found) > 1 else found[0])
        return or_(*(_is_found(ids, node.c.id) for ids in found))

    # `%` --------------------------------------------------------------------------------------------

    def _has_direct(self, node: FromClause, edge: AbstractEdge) -> ColumnElement[bool]:
        is_edge = and_(self._is_among(node, self._direct(edge)), not_(is_reread(node)))
        return or_(self._has_compiler(node, edge.spec), is_edge)

    def _has_compiler(self, node: FromClause, wanted: AbstractSpec) -> ColumnElement[bool]:
        """The compiler that a node of before format v5 names is what is asked for."""
        compilers = compilers_like(wanted, by_name=True)
        any_name = compilers_like(wanted, by_name=False)
        if compilers is None or any_name is None:
            return false()
        named = and_(node.c.names_compiler, among(node.c.compiler_id, compilers))
        if wanted.name is None:
            return named
        # Spack holds no name against such a compiler if the query names a virtual.
        whatever_its_name = and_(is_reread(node), self._names_virtuals, among(node.c.compiler_id, any_name))
        return or_(named, whatever_its_name)

    def _direct(self, edge: AbstractEdge) -> Found:
        child = Spec.__table__.alias()
        needed: FromClause = (ProvidedVirtual if edge.virtuals else Dependency).__table__.alias()
        found = select(needed.c.spec_id if edge.virtuals else needed.c.parent_id).where(
            child.c.id == needed.c.child_id, *fits(child, edge.spec, self._choice)
        )
        if edge.virtuals:
            found = found.where(one_of(needed.c.virtual, edge.virtuals), needed.c.deptypes != 0)
        if edge.deptypes:
            bits = int(edge.deptypes)
            found = found.where(needed.c.deptypes.bitwise_and(bits) == bits)
        return found

    # `^` --------------------------------------------------------------------------------------------

    def _has_below(self, node: FromClause, edge: AbstractEdge) -> ColumnElement[bool]:
        at_root = [below for below in edge.spec.edges if edge.spec.name in (None, below.spec.name)]
        return and_(
            self._is_among(node, *self._below(edge.spec)),
            *(self._is_among(node, *self._providing(edge.spec.name, v)) for v in edge.virtuals),
            *(self._has(node, below) for below in at_root),
        )

    def _below(self, wanted: AbstractSpec) -> list[Found]:
        """The specs that see, by a caret, what is named or provides `wanted` and is as it says."""
        named, closure = Spec.__table__.alias(), Closure.__table__.alias()
        by_name = select(closure.c.ancestor_id).where(
            closure.c.descendant_id == named.c.id,
            closure.c.by_caret,
            *fits(named, wanted, self._choice),
            *self._directly_below(named, wanted),
        )
        if wanted.name is None:
            return [by_name]
        provider, provided = Spec.__table__.alias(), ProvidedVirtual.__table__.alias()
        by_virtual = select(provided.c.spec_id).where(
            provided.c.virtual == wanted.name,
            provided.c.by_caret,
            provided.c.child_id == provider.c.id,
            *fits(provider, wanted, self._choice, by_name=False),
            *self._directly_below(provider, wanted),
        )
        return [by_name, by_virtual]

    def _directly_below(self, node: FromClause, wanted: AbstractSpec) -> list[ColumnElement[bool]]:
        """What is asked of the direct dependencies of the node below; Spack asks the root for the others."""
        return [self._has(node, edge) for edge in wanted.edges if wanted.name not in (None, edge.spec.name)]

    def _providing(self, name: str | None, virtual: str) -> list[Found]:
        """The specs that see, by a caret, something that is or provides `name` provide `virtual`."""
        if name is None or name == virtual:
            return self._below(AbstractSpec(name=virtual))
        child = Spec.__table__.alias()
        provided, also = ProvidedVirtual.__table__.alias(), ProvidedVirtual.__table__.alias()
        provides_name = exists().where(
            also.c.virtual == name,
            also.c.spec_id == provided.c.spec_id,
            also.c.child_id == provided.c.child_id,
            also.c.by_caret,
        )
        return [
            select(provided.c.spec_id).where(
                provided.c.virtual == virtual,
                provided.c.by_caret,
                provided.c.child_id == child.c.id,
                is_of(child, AbstractSpec(name=name), self._choice) | provides_name,
            )
        ]


def _is_found(found: Found, spec_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """The id is in the selection, which is looked at for each row; OFFSET keeps PostgreSQL from joining."""
    one = found.where(found.selected_columns[0] == spec_id).correlate(spec_id.table)
    return one.limit(literal_column("1")).offset(literal_column("0")).exists()


def _names_virtuals(query: AbstractSpec) -> ColumnElement[bool]:
    """Whether the query names a virtual, by all edges that are known."""
    edges = list(_edges(query))
    if any(edge.virtuals for edge in edges):
        return true()
    names = sorted({edge.spec.name for edge in edges if edge.spec.name is not None})
    provided = ProvidedVirtual.__table__.alias()
    return exists().where(one_of(provided.c.virtual, names)) if names else false()


def _edges(spec: AbstractSpec) -> Iterable[AbstractEdge]:
    for edge in spec.edges:
        yield edge
        yield from _edges(edge.spec)
