"""What the spec language asks of one spec by itself, as conditions on an alias of `spec`.

Names and versions are looked up in package_version, variants and flags in parameter, the architecture and
the compilers of before format v5 in tables of their own. The dependencies are the matter of `satisfying`.
"""

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Select,
    and_,
    exists,
    false,
    literal_column,
    not_,
    or_,
    select,
    true,
    union_all,
)

from spackmon.graph.abstract_spec import ANY, AbstractSpec, VariantConstraint
from spackmon.graph.parameters import indexed_name, indexed_value
from spackmon.graph.spec_text import COMPILER_NAMES
from spackmon.graph.targets import common_targets
from spackmon.graph.versions import KeyRange
from spackmon.models import (
    Architecture,
    Closure,
    Compiler,
    Package,
    PackageVersion,
    Parameter,
    ParameterSet,
    ProvidedVirtual,
    Spec,
    SpecHash,
    Target,
)
from spackmon.query.sql.among import among

_REREAD_FORMAT_VERSION = 5
# Above every character of a hash and of JSON in ASCII, in byte order.
_HIGHEST_CHARACTER = "\x7f"
_SURROGATE = re.compile("[\ud800-\udfff]")

# Each is in a lookup that stands by itself, and so is one for all: an alias takes as long to make as the
# condition on it.
_ARCHITECTURE, _TARGET, _COMPILER = (
    Architecture.__table__.alias(), Target.__table__.alias(), Compiler.__table__.alias()
)  # fmt: skip
_VERSION, _PACKAGE = PackageVersion.__table__.alias(), Package.__table__.alias()
_PARAMETER, _SHOWN = Parameter.__table__.alias(), SpecHash.__table__.alias()
_PROVIDED = ProvidedVirtual.__table__.alias()

Test = Callable[[ColumnElement[Any]], ColumnElement[bool]]
Choice = Callable[[ColumnElement[Any], Select[Any]], ColumnElement[bool]]
"""How a column is compared with what a selection gives."""


def joined(column: ColumnElement[Any], found: Select[Any]) -> ColumnElement[bool]:
    """The column has one of the values that a selection gives, for many rows at once."""
    return column.in_(found)


class Lookups:
    """The selections that the conditions of one query compare columns with, each once, before all else.

    Written where it is needed, a list in a list soon is more than SQLite's parser can hold.
    """

    def __init__(self) -> None:
        self._made: dict[Hashable, CTE] = {}

    def of(self, key: Hashable, selection: Callable[[], Select[Any]]) -> Select[Any]:
        """The values of a selection of one column, made by the first who asks with this key."""
        return select(*self.cte(key, lambda: selection().cte()).c)

    def cte(self, key: Hashable, made: Callable[[], CTE]) -> CTE:
        """Rows, selected by the first who asks with this key."""
        if key not in self._made:
            self._made[key] = made()
        return self._made[key]

    def is_virtual(self, name: str) -> ColumnElement[bool]:
        """Anything provides what is called so, which is asked once: of most names nothing is looked up."""
        provided = _PROVIDED.c
        # The first by the index: to find any, PostgreSQL would read the whole table where there is none.
        first = select(provided.spec_id).where(provided.virtual == name).order_by(provided.spec_id)
        known = self.of(("virtual", name), lambda: first.limit(literal_column("1")))
        return known.scalar_subquery().is_not(None)


class Fitting:
    """Conditions on one spec by itself, its columns compared by `choice`."""

    def __init__(self, lookups: Lookups, choice: Choice) -> None:
        self._lookups = lookups
        self._choice = choice

    def of(
        self, node: FromClause, wanted: AbstractSpec, *, by_name: bool = True
    ) -> list[ColumnElement[bool]]:
        """What is asked of the node without its dependencies."""
        if not _is_storable(wanted):
            return [false()]
        conditions: list[ColumnElement[bool]] = []
        if (by_name and wanted.name is not None) or wanted.versions is not None:
            conditions.append(self.is_of(node, wanted, by_name=by_name))
        if wanted.namespace is not None:
            conditions.append(node.c.namespace.is_(None) | (node.c.namespace == wanted.namespace))
        if wanted.hash_prefix is not None:
            prefix = wanted.hash_prefix
            conditions.append(node.c.id.in_(self._lookups.of(("hash", prefix), lambda: _shown(prefix))))
        # Something rarer leads to the rows: the name.
        choice = among if by_name and wanted.name is not None else self._choice
        asked = _of_architecture(wanted)
        if asked:
            architectures = self._lookups.of(("architecture", *asked), lambda: _architectures(asked))
            conditions.append(choice(node.c.architecture_id, architectures))
        if wanted.flags or not all(variant.is_propagated for variant in wanted.variants):
            sets = self._lookups.of(("set", wanted.variants, wanted.flags), lambda: _sets(wanted))
            conditions.append(choice(node.c.parameter_set_id, sets))
        propagated = tuple(one for one in wanted.variants if one.is_propagated)
        if propagated:
            conditions.append(self._are_propagated(node, propagated))
        return conditions

    def is_of(self, node: FromClause, wanted: AbstractSpec, *, by_name: bool = True) -> ColumnElement[bool]:
        """The node has the name and a version that are asked for."""
        name = wanted.name if by_name else None
        versions = self._lookups.of(
            ("version", name, wanted.versions), lambda: _package_versions(name, wanted.versions)
        )
        return self._choice(node.c.package_version_id, versions)

    def _are_propagated(self, node: FromClause, variants: Sequence[VariantConstraint]) -> ColumnElement[bool]:
        """No spec of the whole graph has one of the variants otherwise."""
        otherwise = self._lookups.of(
            ("otherwise", variants), lambda: select(*union_all(*map(_sets_otherwise, variants)).subquery().c)
        )
        closure, below = Closure.__table__.alias(), Spec.__table__.alias()
        is_below = exists().where(
            closure.c.ancestor_id == node.c.id,
            closure.c.descendant_id == below.c.id,
            below.c.parameter_set_id.in_(otherwise),
        )
        return and_(node.c.parameter_set_id.not_in(otherwise), not_(is_below))

    def names_compiler_like(self, node: FromClause, wanted: AbstractSpec) -> ColumnElement[bool]:
        """The node is of before format v5, and the compiler that it names is what `wanted` says."""
        if (
            not _is_storable(wanted)
            or wanted.hash_prefix is not None
            or wanted.flags
            or wanted.mentions_architecture
            or not all(variant.is_propagated for variant in wanted.variants)
        ):
            return false()
        key = ("compiler", wanted.name, wanted.versions)
        compilers = self._lookups.of(key, lambda: _compilers_like(wanted))
        return and_(node.c.names_compiler, among(node.c.compiler_id, compilers))


def _is_storable(wanted: AbstractSpec) -> bool:
    """Whether a database could hold what is asked for: no text of one has a NUL or half a character."""
    texts = (wanted.namespace, wanted.platform, wanted.operating_system, *wanted.targets)
    return not any("\0" in text or _SURROGATE.search(text) for text in texts if text is not None)


def _package_versions(name: str | None, ranges: Sequence[KeyRange] | None) -> Select[Any]:
    versions = select(_VERSION.c.id)
    if name is not None:
        versions = versions.where(_VERSION.c.package_id == _PACKAGE.c.id, _PACKAGE.c.name == name)
    return versions if ranges is None else versions.where(_within(_VERSION.c.version_key, ranges))


def _shown(prefix: str) -> Select[Any]:
    """The specs that a hash that begins so names."""
    return select(_SHOWN.c.spec_id).where(
        _SHOWN.c.value >= prefix, _SHOWN.c.value < prefix + _HIGHEST_CHARACTER
    )


def _within(key: ColumnElement[Any], ranges: Sequence[KeyRange]) -> ColumnElement[bool]:
    return or_(false(), *(and_(key >= low, key < high) for low, high in ranges))


def _of_architecture(wanted: AbstractSpec) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What is asked of the architecture: columns, each with the values of which it has one."""
    asked: list[tuple[str, tuple[str, ...]]] = []
    for column, value in (("platform", wanted.platform), ("operating_system", wanted.operating_system)):
        if value == ANY:
            # Spack looks no further.
            return tuple(asked)
        if value is not None:
            asked.append((column, (value,)))
    targets = common_targets(wanted.targets)
    if targets is not None:
        asked.append(("target", tuple(sorted(targets))))
    return tuple(asked)


def _architectures(asked: Iterable[tuple[str, tuple[str, ...]]]) -> Select[Any]:
    found = select(_ARCHITECTURE.c.id)
    for column, values in asked:
        if column == "target":
            is_one = one_of(_TARGET.c.name, values)
            found = found.where(_TARGET.c.id == _ARCHITECTURE.c.target_id, is_one)
        else:
            found = found.where(one_of(_ARCHITECTURE.c[column], values))
    return found


def _sets(wanted: AbstractSpec) -> Select[Any]:
    """The ids of the parameter sets that have all flags and variants but those that are propagated."""
    first = Parameter.__table__.alias()
    variants = [variant for variant in wanted.variants if not variant.is_propagated]
    elements = [element for variant in variants for element in _elements(variant)]
    elements += [(kind, _is(indexed_value(flag))) for kind, flag in wanted.flags]
    (name, test), *others = elements
    # What has the first element is looked through, and not all sets, of which a site has thousands.
    return select(first.c.parameter_set_id).where(
        first.c.name == indexed_name(name),
        test(first.c.value),
        *(_has_element(first.c.parameter_set_id, *element) for element in others),
        *(
            condition
            for variant in variants
            for condition in _has_no_other(first.c.parameter_set_id, variant)
        ),
    )


def _sets_otherwise(variant: VariantConstraint) -> Select[Any]:
    """The ids of the parameter sets that have the variant, but not so."""
    sets = ParameterSet.__table__.alias()
    return select(sets.c.id).where(
        _has_element(sets.c.id, variant.name, lambda _: true()),
        not_(all_of(_has_variant(sets.c.id, variant))),
    )


def _has_variant(set_id: ColumnElement[Any], variant: VariantConstraint) -> list[ColumnElement[bool]]:
    elements = [_has_element(set_id, name, test) for name, test in _elements(variant)]
    return [*elements, *_has_no_other(set_id, variant)]


def _elements(variant: VariantConstraint) -> list[tuple[str, Test]]:
    """What the elements of the variant must be like, each an own one."""
    if not variant.values:
        return [(variant.name, lambda _: true())]
    values = [indexed_value(value) for value in variant.values]
    if variant.name == "patches" and not variant.is_exact:
        # The checksum of a patch may be given by its beginning.
        return [(variant.name, _starts_with(value.rstrip('"'))) for value in values]
    return [(variant.name, _is(value)) for value in values]


def _has_no_other(set_id: ColumnElement[Any], variant: VariantConstraint) -> list[ColumnElement[bool]]:
    """A variant of exactly these values has no element that is none of them."""
    if not (variant.is_exact and variant.values):
        return []
    values = [indexed_value(value) for value in variant.values]
    return [not_(_has_element(set_id, variant.name, _is_none_of(values)))]


def _has_element(set_id: ColumnElement[Any], name: str, test: Test) -> ColumnElement[bool]:
    """The parameter `name` of a set has an element whose JSON passes `test`."""
    return set_id.in_(
        select(_PARAMETER.c.parameter_set_id).where(
            _PARAMETER.c.name == indexed_name(name), test(_PARAMETER.c.value)
        )
    )


def _is(value: str) -> Test:
    return lambda column: column == value


def _starts_with(beginning: str) -> Test:
    return lambda column: and_(column >= beginning, column < beginning + _HIGHEST_CHARACTER)


def _is_none_of(values: Sequence[str]) -> Test:
    return lambda column: and_(*(column != value for value in values))


# Compilers of before format v5 --------------------------------------------------------------------------


def is_reread(node: FromClause) -> ColumnElement[bool]:
    """A later Spack read the node from a file of before 1.0; it looks for `%` among its compilers alone."""
    return and_(node.c.names_compiler, node.c.format_version == _REREAD_FORMAT_VERSION)


def _compilers_like(wanted: AbstractSpec) -> Select[Any]:
    """The ids of the compilers with the name, if there is one, and a version that are asked for."""
    compilers = select(_COMPILER.c.id)
    if wanted.name is not None:
        names = [wanted.name, COMPILER_NAMES.get(wanted.name, wanted.name)]
        compilers = compilers.where(one_of(_COMPILER.c.name, names))
    if wanted.versions is not None:
        compilers = compilers.where(_within(_COMPILER.c.version_key, wanted.versions))
    return compilers


def all_of(conditions: Iterable[ColumnElement[bool]]) -> ColumnElement[bool]:
    """Every one of the conditions, of which there may be none."""
    return and_(true(), *conditions)


def one_of(column: ColumnElement[Any], values: Iterable[str]) -> ColumnElement[bool]:
    """The column has one of the values."""
    # Each value a parameter of its own: a list in one would be filled in by SQLAlchemy, and the
    # statement goes to the bare driver.
    return or_(false(), *(column == value for value in values))
