"""What the spec language asks of a spec's dependencies, as conditions on an alias of `spec`.

The rules are those of `graph.satisfies`, which says them in their plainest form. `%` is a lookup in
dependency and provided_virtual, `^` one in closure and provided_virtual; `by_caret` marks what `^` sees.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Select,
    and_,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    union_all,
)

from spackmon.graph.abstract_spec import NO_DEPTYPES, AbstractEdge, AbstractSpec
from spackmon.graph.spack_rules import Rules
from spackmon.graph.spec import Deptype
from spackmon.graph.spec_text import LANGUAGES
from spackmon.models import Closure, ClosureAbove, Dependency, Package, PackageVersion, ProvidedVirtual, Spec
from spackmon.query.speclang.spec_conditions import Fitting, Lookups, all_of, is_reread, joined, one_of
from spackmon.query.sql.among import among

Found = Select[Any]
"""A selection of spec ids, in its first column."""

_LINK_RUN = int(Deptype.LINK | Deptype.RUN)
_BY_CARET = _LINK_RUN | int(Deptype.BUILD)
_LANGUAGES = frozenset(LANGUAGES)

# For every `%`: to make an alias takes longer than all the rest, and one query may have a hundred of them.
# Their selections stand by themselves, so that they may have the same names.
_CHILD, _NEEDED = Spec.__table__.alias(), Dependency.__table__.alias()
_PROVIDED, _ALSO = ProvidedVirtual.__table__.alias(), ProvidedVirtual.__table__.alias()


class Dependencies:
    """Conditions of one query, by the rules of one Spack.

    At `levels` more, rows are looked up in the indexes one by one, which is for few rows. Below that, and for
    many rows from the start, all that has a dependency is collected first, before the statement and not
    within it: a list in a list in a list soon is more than SQLite's parser can hold.
    """

    def __init__(self, rules: Rules, lookups: Lookups, levels: int) -> None:
        self._rules = rules
        self._row_by_row = levels > 0
        self._lookups = lookups
        self._fitting = Fitting(lookups, among if levels else joined)
        self._collecting = Fitting(lookups, joined)
        self._inner = Dependencies(rules, lookups, levels - 1) if levels else self

    def all_of(self, node: FromClause, wanted: AbstractSpec) -> ColumnElement[bool]:
        """All that `wanted` asks of `node`."""
        return all_of([*self._fitting.of(node, wanted), *(self._has(node, edge) for edge in wanted.edges)])

    def _holds(self, node: FromClause, condition: AbstractSpec) -> ColumnElement[bool]:
        """The condition of a dependency, asked of the spec that has it."""
        if self._row_by_row or not condition.edges:
            return self.all_of(node, condition)
        return node.c.id.in_(self._lookups.of(("holds", condition), lambda: self._all(condition)))

    def _all(self, wanted: AbstractSpec) -> Found:
        node = Spec.__table__.alias()
        return select(node.c.id).where(self.all_of(node, wanted))

    def by_itself(self, wanted: AbstractSpec) -> Found | None:
        """The specs that are as `wanted` says, whatever they depend on; None for all."""
        node = Spec.__table__.alias()
        conditions = self._fitting.of(node, wanted)
        return select(node.c.id).where(*conditions) if conditions else None

    def by_dependency(self, edge: AbstractEdge) -> Found:
        """The specs that depend on what `edge` asks for, and perhaps others unless it `is_whole`."""
        node = Spec.__table__.alias()
        found = self._direct(edge) if edge.is_direct else self._below(edge)
        compiler = self._has_compiler(node, edge) if edge.is_direct else self._compiler_below(node, edge)
        return select(union_all(*found, select(node.c.id).where(compiler)).subquery())

    def _has(self, node: FromClause, edge: AbstractEdge) -> ColumnElement[bool]:
        found = self._has_direct(node, edge) if edge.is_direct else self._has_below(node, edge)
        if edge.when is None:
            return found
        is_asked = self._inner._holds(node, edge.when)
        if edge.is_direct or self._rules.keeps_percent_with_caret or not edge.spec.edges:
            return or_(not_(is_asked), found)
        return or_(and_(is_asked, found), and_(not_(is_asked), self._has_percents_of(node, edge.spec)))

    def _is_one(
        self,
        spec_id: ColumnElement[Any],
        wanted: AbstractSpec,
        node: FromClause,
        edges: Sequence[AbstractEdge] = (),
    ) -> list[ColumnElement[bool]]:
        """The spec with this id, or `node` beside it, is as `wanted` says and has these of its edges."""
        if wanted.name is None or not (self._row_by_row or edges):
            has_edges = (self._inner._has(node, edge) for edge in edges)
            return [spec_id == node.c.id, *self._fitting.of(node, wanted), *has_edges]
        # A package has so few specs that they are known before the first row is looked at.
        itself = replace(wanted, edges=tuple(edges))
        found = self._lookups.of(("itself", itself), lambda: self._itself(itself))
        return [among(spec_id, found) if self._row_by_row else spec_id.in_(found)]

    def _itself(self, wanted: AbstractSpec) -> Found:
        node, judging = Spec.__table__.alias(), self._judging()
        has_edges = (judging._has(node, edge) for edge in wanted.edges)
        return select(node.c.id).where(*self._collecting.of(node, wanted), *has_edges)

    def _judging(self) -> "Dependencies":
        """The conditions on a few specs, which are looked up one by one."""
        return Dependencies(self._rules, self._lookups, 1)

    def _is_among(self, node: FromClause, *found: Found) -> ColumnElement[bool]:
        """The node's id is in one of the selections."""
        if not self._row_by_row:
            together = (union_all(*found) if len(found) > 1 else found[0]).cte()
            return node.c.id.in_(select(*together.c))
        return or_(*(is_found(ids, node.c.id) for ids in found))

    # `%` --------------------------------------------------------------------------------------------

    def _has_direct(self, node: FromClause, edge: AbstractEdge) -> ColumnElement[bool]:
        has_edge = self._is_among(node, *self._direct(edge))
        if not self._rules.has_compiler_beside_edges:
            has_edge = and_(has_edge, not_(is_reread(node)))
        return or_(self._has_compiler(node, edge), has_edge)

    def _has_compiler(self, node: FromClause, edge: AbstractEdge) -> ColumnElement[bool]:
        """The compiler that a node of before format v5 names is what is asked for."""
        if self._rules.has_compiler_beside_edges and not (
            _LANGUAGES.issuperset(edge.virtuals) and edge.deptypes in (NO_DEPTYPES, Deptype.BUILD)
        ):
            return false()
        return self._fitting.names_compiler_like(node, edge.spec)

    def _direct(self, edge: AbstractEdge) -> list[Found]:
        """The specs with an edge to what is called as is asked for, and those with one that provides it."""
        found = [self._with_edge(edge, edge.virtuals, by_name=True)]
        name = edge.spec.name
        if name is not None:
            is_virtual = [self._lookups.is_virtual(name)] if self._row_by_row else []
            found.append(self._with_edge(edge, (name,), by_name=False).where(*is_virtual))
        return found

    def _with_edge(self, edge: AbstractEdge, virtuals: tuple[str, ...], *, by_name: bool) -> Found:
        """The specs that have such an edge, which provides one of these virtuals and those of `edge`."""
        child, needed, provided, also = _CHILD, _NEEDED, _PROVIDED, _ALSO
        if not virtuals:
            return select(needed.c.parent_id).where(
                *_with_deptypes(needed, edge.deptypes), *self._is_one(needed.c.child_id, edge.spec, child)
            )
        fits = self._fitting.of(child, edge.spec, by_name=by_name)
        every, asked = self._rules.needs_every_virtual, set(edge.virtuals)
        one = virtuals[:1] if every else virtuals
        found = select(provided.c.spec_id).where(
            provided.c.child_id == child.c.id, *_provides(provided, one, edge.deptypes), *fits
        )
        if asked <= set(one):
            return found
        provides = select(func.count()).where(
            also.c.spec_id == provided.c.spec_id,
            also.c.child_id == provided.c.child_id,
            *_provides(also, sorted(asked), edge.deptypes),
        )
        least = len(asked) if every else 1
        return found.where(provides.correlate_except(also).scalar_subquery() >= least)

    # `^` --------------------------------------------------------------------------------------------

    def _has_below(self, node: FromClause, edge: AbstractEdge) -> ColumnElement[bool]:
        name, percents = edge.spec.name, edge.spec.edges
        conditions = [
            self._is_among(node, *self._below(edge)),
            *(self._is_among(node, *self._providing(name, virtual)) for virtual in edge.virtuals),
            *(self._has(node, percent) for percent in percents if self._is_roots(edge.spec, percent)),
        ]
        if percents and self._rules.keeps_percent_with_caret:
            conditions.append(self._first_has(node, edge, percents))
        return or_(self._compiler_below(node, edge), and_(*conditions))

    def _has_percents_of(self, node: FromClause, wanted: AbstractSpec) -> ColumnElement[bool]:
        """The dependencies of a `^wanted` that is not asked for itself are there."""
        named = AbstractSpec(name=wanted.name)
        return and_(*(
            self._has(node, percent)
            if self._is_roots(wanted, percent)
            else or_(
                and_(*self._fitting.of(node, named), self._has(node, percent)),
                self._inner._is_among(
                            node, *self._inner._below(AbstractEdge(replace(named, edges=(percent,)), False))
                        ),
            )
            for percent in wanted.edges
        ))  # fmt: skip

    def _is_roots(self, wanted: AbstractSpec, percent: AbstractEdge) -> bool:
        """Whether a `%` behind `^wanted` is asked of the spec itself."""
        return not self._rules.keeps_percent_with_caret and wanted.name in (None, percent.spec.name)

    def _compiler_below(self, node: FromClause, edge: AbstractEdge) -> ColumnElement[bool]:
        """The compiler that a node of before format v5 names, which has no dependencies, is asked for."""
        has_dependencies = any(percent.when is None for percent in edge.spec.edges)
        if has_dependencies or not self._rules.has_compiler_beside_edges:
            return false()
        return self._has_compiler(node, edge)

    def _below(self, edge: AbstractEdge) -> list[Found]:
        """The specs that see, by a caret, what is called or provides what is asked for and is as it says."""
        percents = [percent for percent in edge.spec.edges if not self._is_roots(edge.spec, percent)]
        named, pairs = Spec.__table__.alias(), Closure if self._row_by_row else ClosureAbove
        closure = pairs.__table__.alias()
        has_deptypes = self._has_deptypes(closure.c.ancestor_id, named, edge)
        if has_deptypes:
            has_percents = (self._inner._has(named, percent) for percent in percents)
            is_named = [
                closure.c.descendant_id == named.c.id, *self._fitting.of(named, edge.spec), *has_percents
            ]  # fmt: skip
        else:
            is_named = self._is_one(closure.c.descendant_id, edge.spec, named, percents)
        by_name = select(closure.c.ancestor_id).where(closure.c.by_caret, *is_named, *has_deptypes)
        if edge.spec.name is None:
            return [by_name]
        # Few specs provide it to many others: PostgreSQL remembers how it judged each.
        judging = self._inner if self._row_by_row else self._judging()
        provider, provided = Spec.__table__.alias(), ProvidedVirtual.__table__.alias()
        fits = self._fitting.of(provider, edge.spec, by_name=False)
        # Else PostgreSQL has found all that fits before it sees that nothing provides it. What is judged by
        # dependencies alone it would no longer remember.
        is_virtual = [self._lookups.is_virtual(edge.spec.name)] if fits or self._row_by_row else []
        by_virtual = select(provided.c.spec_id).where(
            *is_virtual,
            provided.c.virtual == edge.spec.name,
            provided.c.by_caret,
            provided.c.child_id == provider.c.id,
            *fits,
            *self._has_deptypes(provided.c.spec_id, provider, edge),
            *(judging._has(provider, percent) for percent in percents),
        )
        return [by_name, by_virtual]

    def _first_has(
        self, node: FromClause, edge: AbstractEdge, percents: Sequence[AbstractEdge]
    ) -> ColumnElement[bool]:
        """If the spec itself depends on what fits, the first of these by its name has all of `percents`."""
        first = self._first(node, edge)
        child = Spec.__table__.alias()
        return or_(
            first.is_(None),
            _is_there(
                [child],
                child.c.id == first,
                *(self._inner._has(child, percent) for percent in percents),
            ),
        )

    def _first(self, node: FromClause, edge: AbstractEdge) -> ColumnElement[Any]:
        own, child = Dependency.__table__.alias(), Spec.__table__.alias()
        version, package = PackageVersion.__table__.alias(), Package.__table__.alias()
        fits = all_of(self._fitting.of(child, edge.spec))
        if edge.spec.name is not None:
            provided = ProvidedVirtual.__table__.alias()
            provides = _is_there(
                [provided],
                provided.c.virtual == edge.spec.name,
                provided.c.spec_id == node.c.id,
                provided.c.child_id == child.c.id,
                provided.c.by_caret,
            )
            fits = or_(fits, and_(provides, *self._fitting.of(child, edge.spec, by_name=False)))
        return (
            select(child.c.id)
            .where(
                own.c.parent_id == node.c.id,
                own.c.child_id == child.c.id,
                own.c.deptypes.bitwise_and(_BY_CARET) != 0,
                *_with_deptypes(own, edge.deptypes if self._rules.has_deptypes_of_caret else NO_DEPTYPES),
                version.c.id == child.c.package_version_id,
                package.c.id == version.c.package_id,
                fits,
            )
            .order_by(package.c.name, child.c.hash)
            .limit(literal_column("1"))
            .correlate_except(own, child, version, package)
            .scalar_subquery()
        )

    def _has_deptypes(
        self, ancestor_id: ColumnElement[Any], child: FromClause, edge: AbstractEdge
    ) -> list[ColumnElement[bool]]:
        """An edge to the child has the deptypes; where the spec itself has edges to it, one of these."""
        if not self._rules.has_deptypes_of_caret or not edge.deptypes:
            return []
        paths = self._ends_with(edge)
        is_deeper = _is_there([paths], paths.c.ancestor_id == ancestor_id, paths.c.child_id == child.c.id)
        is_own = _is_direct(ancestor_id, child)
        return [or_(_is_direct(ancestor_id, child, edge.deptypes), and_(not_(is_own), is_deeper))]

    def _ends_with(self, edge: AbstractEdge) -> FromClause:
        """The ends of each path of link and run edges to what is asked for, the last with its deptypes."""
        wanted = replace(edge.spec, edges=())
        return self._lookups.cte(("ends", wanted, edge.deptypes), lambda: self._paths(wanted, edge.deptypes))

    def _paths(self, wanted: AbstractSpec, deptypes: Deptype) -> CTE:
        child, last, above = (
            Spec.__table__.alias(),
            Dependency.__table__.alias(),
            Dependency.__table__.alias(),
        )
        fits = all_of(self._fitting.of(child, wanted))
        if wanted.name is not None:
            provided = ProvidedVirtual.__table__.alias()
            providers = select(provided.c.child_id).where(provided.c.virtual == wanted.name)
            as_provider = self._fitting.of(child, wanted, by_name=False)
            fits = or_(fits, and_(child.c.id.in_(providers), *as_provider))
        paths = (
            select(last.c.parent_id.label("ancestor_id"), last.c.child_id)
            .where(last.c.child_id == child.c.id, fits, last.c.deptypes.bitwise_and(_LINK_RUN) != 0)
            .where(*_with_deptypes(last, deptypes))
            .cte(recursive=True)
        )
        longer = select(above.c.parent_id, paths.c.child_id).where(
            above.c.child_id == paths.c.ancestor_id, above.c.deptypes.bitwise_and(_LINK_RUN) != 0
        )
        return paths.union(longer)

    def _providing(self, name: str | None, virtual: str) -> list[Found]:
        """The specs that see, by a caret, something that is or provides `name` provide `virtual`."""
        if name is None or name == virtual:
            return self._below(AbstractEdge(AbstractSpec(name=virtual), is_direct=False))
        child = Spec.__table__.alias()
        provided, also = ProvidedVirtual.__table__.alias(), ProvidedVirtual.__table__.alias()
        provides_name = _is_there(
            [also],
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
                self._fitting.is_of(child, AbstractSpec(name=name)) | provides_name,
            )
        ]


def is_whole(edge: AbstractEdge) -> bool:
    """Whether all that `by_dependency` selects has the dependency: no more is asked of it."""
    return not (edge.is_direct or edge.virtuals or edge.spec.edges)


def is_found(found: Found, spec_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """The id is in the selection, which is looked at for each row; OFFSET keeps PostgreSQL from joining."""
    one = found.where(found.selected_columns[0] == spec_id).correlate(spec_id.table)
    return one.limit(literal_column("1")).offset(literal_column("0")).exists()


def _with_deptypes(needed: FromClause, deptypes: Deptype) -> list[ColumnElement[bool]]:
    """The edge has all of the deptypes."""
    bits = int(deptypes)
    return [needed.c.deptypes.bitwise_and(bits) == bits] if bits else []


def _provides(provided: FromClause, virtuals: Sequence[str], deptypes: Deptype) -> list[ColumnElement[bool]]:
    """An edge of the spec's own with the deptypes provides one of the virtuals."""
    return [
        one_of(provided.c.virtual, virtuals), provided.c.deptypes != 0, *_with_deptypes(provided, deptypes)
    ]  # fmt: skip


def _is_there(tables: Sequence[FromClause], *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """There are rows, one of each table, of which the conditions hold."""
    # Whatever else the conditions name stands around, how far out does not matter.
    row: Select[Any] = select(literal_column("1")).select_from(*tables).where(*conditions)
    return row.correlate_except(*tables).exists()


def _is_direct(
    spec_id: ColumnElement[Any], child: FromClause, deptypes: Deptype = NO_DEPTYPES
) -> ColumnElement[bool]:
    """The spec has an edge to the child, with these deptypes."""
    own = Dependency.__table__.alias()
    return _is_there(
        [own], own.c.parent_id == spec_id, own.c.child_id == child.c.id, *_with_deptypes(own, deptypes)
    )
