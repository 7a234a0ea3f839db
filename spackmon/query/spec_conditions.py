"""What the spec language asks of one spec by itself, as conditions on an alias of `spec`.

Names and versions are looked up in package_version, variants and flags in parameter, the architecture and
the compilers of before format v5 in tables of their own. The dependencies are the matter of `satisfying`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    FromClause,
    Select,
    and_,
    exists,
    false,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

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
    Spec,
    SpecHash,
    Target,
)

_REREAD_FORMAT_VERSION = 5
# Above every character of a hash and of JSON in ASCII, in byte order.
_HIGHEST_CHARACTER = "\x7f"

# Each is in the list of a lookup that stands in no other of its kind, and so is one for all: an alias takes
# as long to make as the condition on it.
_ARCHITECTURE, _TARGET, _COMPILER = (
    Architecture.__table__.alias(), Target.__table__.alias(), Compiler.__table__.alias()
)  # fmt: skip
_VERSION, _PACKAGE = PackageVersion.__table__.alias(), Package.__table__.alias()
_PARAMETER, _SHOWN = Parameter.__table__.alias(), SpecHash.__table__.alias()

Test = Callable[[ColumnElement[Any]], ColumnElement[bool]]
Choice = Callable[[ColumnElement[Any], Select[Any]], ColumnElement[bool]]
"""How a column is compared with what a selection gives."""


class among(FunctionElement[bool]):  # noqa: N801 -- a function of SQL
    """The column has one of the values that a selection gives, for rows that are looked at one by one.

    PostgreSQL joins what stands behind IN, and so reads all rows before it shows the newest; values in an
    array, which it collects once, leave the order of the rows alone. SQLite does as much for a column that
    is an expression, unless it `leads`: then the rows are found by the values.
    """

    type = Boolean()
    inherit_cache = False

    def __init__(self, column: ColumnElement[Any], found: Select[Any], *, leads: bool = False) -> None:
        super().__init__(column, found.scalar_subquery())
        self.leads = leads

    def self_group(self, against: Any = None) -> "among":
        """As it is: what has no boolean type would be compared with 1, and no index be used."""
        return self


@compiles(among)
def _among(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, found = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{'' if element.leads else '+'}{column} IN {found}"


@compiles(among, "postgresql")
def _among_postgresql(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, found = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY (ARRAY{found})"


class _besides(FunctionElement[Any]):  # noqa: N801 -- a function of SQL
    """The column, wrapped so that SQLite does not use its index."""

    inherit_cache = True


@compiles(_besides)
def _column_besides(element: _besides, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(_besides, "sqlite")
def _sqlite_column_besides(element: _besides, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"


def besides(column: ColumnElement[Any], found: Select[Any]) -> ColumnElement[bool]:
    """The column has one of the values that a selection gives; a more selective condition drives the lookup.

    SQLite begins with the first index that it finds, and half of a site may have the same parameters.
    """
    return _besides(column).in_(found)


def joined(column: ColumnElement[Any], found: Select[Any]) -> ColumnElement[bool]:
    """The column has one of the values that a selection gives, for many rows at once."""
    return column.in_(found)


def fits(
    node: FromClause, wanted: AbstractSpec, choice: Choice, *, by_name: bool = True
) -> list[ColumnElement[bool]]:
    """What is asked of the node without its dependencies."""
    conditions: list[ColumnElement[bool]] = []
    if (by_name and wanted.name is not None) or wanted.versions is not None:
        conditions.append(is_of(node, wanted, choice, by_name=by_name))
    if wanted.namespace is not None:
        conditions.append(node.c.namespace.is_(None) | (node.c.namespace == wanted.namespace))
    if wanted.hash_prefix is not None:
        conditions.append(
            node.c.id.in_(
                select(_SHOWN.c.spec_id).where(
                    _SHOWN.c.value >= wanted.hash_prefix,
                    _SHOWN.c.value < wanted.hash_prefix + _HIGHEST_CHARACTER,
                )
            )
        )
    if choice is joined and by_name and wanted.name is not None:
        choice = besides
    conditions += _fits_architecture(node, wanted, choice)
    conditions += _has_parameters(node, wanted, choice)
    return conditions


def is_of(
    node: FromClause, wanted: AbstractSpec, choice: Choice, *, by_name: bool = True
) -> ColumnElement[bool]:
    """The node has the name and a version that are asked for."""
    versions = select(_VERSION.c.id)
    if by_name and wanted.name is not None:
        versions = versions.where(_VERSION.c.package_id == _PACKAGE.c.id, _PACKAGE.c.name == wanted.name)
    if wanted.versions is not None:
        versions = versions.where(_within(_VERSION.c.version_key, wanted.versions))
    if wanted.name is None:
        # Thousands of versions in an array would be compared one after the other.
        choice = joined
    return choice(node.c.package_version_id, versions)


def _within(key: ColumnElement[Any], ranges: Sequence[KeyRange]) -> ColumnElement[bool]:
    return or_(false(), *(and_(key >= low, key < high) for low, high in ranges))


def _fits_architecture(node: FromClause, wanted: AbstractSpec, choice: Choice) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for column, value in (
        (_ARCHITECTURE.c.platform, wanted.platform),
        (_ARCHITECTURE.c.operating_system, wanted.operating_system),
    ):
        if value == ANY:
            # Spack looks no further.
            break
        if value is not None:
            conditions.append(column == value)
    else:
        names = common_targets(wanted.targets)
        if names is not None:
            conditions += [_TARGET.c.id == _ARCHITECTURE.c.target_id, one_of(_TARGET.c.name, sorted(names))]
    if not conditions:
        return []
    return [choice(node.c.architecture_id, select(_ARCHITECTURE.c.id).where(*conditions))]


def _has_parameters(node: FromClause, wanted: AbstractSpec, choice: Choice) -> list[ColumnElement[bool]]:
    """One lookup for all variants and flags together, and one for each variant that is propagated."""
    sets = ParameterSet.__table__.alias()
    conditions = [
        condition
        for variant in wanted.variants
        if not variant.is_propagated
        for condition in _has_variant(sets.c.id, variant)
    ]
    conditions += [_has_element(sets.c.id, kind, _is(indexed_value(flag))) for kind, flag in wanted.flags]
    asked = [_is_propagated(node, variant) for variant in wanted.variants if variant.is_propagated]
    if conditions:
        asked.append(choice(node.c.parameter_set_id, select(sets.c.id).where(*conditions)))
    return asked


def _has_variant(set_id: ColumnElement[Any], variant: VariantConstraint) -> list[ColumnElement[bool]]:
    if not variant.values:
        return [_has_element(set_id, variant.name, lambda _: true())]
    values = [indexed_value(value) for value in variant.values]
    if variant.name == "patches" and not variant.is_exact:
        # The checksum of a patch may be given by its beginning.
        return [_has_element(set_id, variant.name, _starts_with(value.rstrip('"'))) for value in values]
    conditions = [_has_element(set_id, variant.name, _is(value)) for value in values]
    if variant.is_exact:
        conditions.append(not_(_has_element(set_id, variant.name, _is_none_of(values))))
    return conditions


def _is_propagated(node: FromClause, variant: VariantConstraint) -> ColumnElement[bool]:
    """No spec of the whole graph has the variant otherwise."""
    other, closure, below = ParameterSet.__table__.alias(), Closure.__table__.alias(), Spec.__table__.alias()
    otherwise = select(other.c.id).where(
        _has_element(other.c.id, variant.name, lambda _: true()),
        not_(all_of(_has_variant(other.c.id, variant))),
    )
    is_below = exists().where(
        closure.c.ancestor_id == node.c.id,
        closure.c.descendant_id == below.c.id,
        below.c.parameter_set_id.in_(otherwise),
    )
    return and_(node.c.parameter_set_id.not_in(otherwise), not_(is_below))


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


def compilers_like(wanted: AbstractSpec, *, by_name: bool) -> Select[Any] | None:
    """The ids of the compilers that are what `wanted` says; None where no name with a version can be."""
    if (
        wanted.hash_prefix is not None
        or wanted.flags
        or wanted.asks_architecture
        or not all(variant.is_propagated for variant in wanted.variants)
    ):
        return None
    compilers = select(_COMPILER.c.id)
    if by_name and wanted.name is not None:
        names = [wanted.name, COMPILER_NAMES.get(wanted.name, wanted.name)]
        compilers = compilers.where(or_(*(_COMPILER.c.name == name for name in names)))
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
