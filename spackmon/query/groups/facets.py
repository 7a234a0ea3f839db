"""Groups of builds by what facets know: builds are counted by facet first, and then by what facets share.

All builds of some facets are counted already, of others each is looked at once, without its spec: a facet
stands for hundreds of them.
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Select,
    case,
    func,
    literal_column,
    not_,
    select,
    union_all,
)
from sqlalchemy import cast as sql_cast

from spackmon.models import (
    Architecture,
    Build,
    BuildFacet,
    Compiler,
    Package,
    PackageVersion,
    Target,
)
from spackmon.query.groups.aggregates import KEY_PREFIX, check_keys, grouped
from spackmon.query.groups.group_keys import Key, KeyColumns, compiler_columns, version_columns
from spackmon.query.rows.facets import Facets, Nested
from spackmon.query.rows.paging import Rows
from spackmon.query.sql.json_text import constant
from spackmon.query.sql.scope import Attribute, Scope
from spackmon.status import InstalledFrom

_NONE: ColumnElement[int]
_EVERY: ColumnElement[int]
_NONE, _EVERY = literal_column("0", BigInteger()), literal_column(str(2**62), BigInteger())
MEASURED = frozenset({"successRate"})
"""What can be said of builds that are counted by their status."""


def _of(facet: Scope, attribute: Attribute, model: Any) -> Scope:
    """The row that a facet is about, if there is one."""
    reference = facet[attribute]
    return facet.attach(model.__table__, lambda row: row.row_id == reference)


def _package(facet: Scope, _: str) -> Sequence[ColumnElement[Any]]:
    return [package_of(facet)[Package.name]]


def _version(facet: Scope, _: str) -> Sequence[ColumnElement[Any]]:
    return version_columns(_of(facet, BuildFacet.package_version_id, PackageVersion))


def _compiler(facet: Scope, _: str) -> Sequence[ColumnElement[Any]]:
    return compiler_columns(_of(facet, BuildFacet.compiler_id, Compiler))


def _target(facet: Scope, _: str) -> Sequence[ColumnElement[Any]]:
    architecture = _of(facet, BuildFacet.architecture_id, Architecture)
    return [architecture.follow(Architecture.target_id)[Target.name]]


def _os(facet: Scope, _: str) -> Sequence[ColumnElement[Any]]:
    return [_of(facet, BuildFacet.architecture_id, Architecture)[Architecture.operating_system]]


def _status(facet: Scope, _: str) -> Sequence[ColumnElement[Any]]:
    return [facet[BuildFacet.status]]


def _installed_from(facet: Scope, _: str) -> Sequence[ColumnElement[Any]]:
    return [func.nullif(facet[BuildFacet.installed_from], constant(""), type_=Build.installed_from.type)]


_KEYS: dict[str, KeyColumns] = {
    "package": _package, "version": _version, "compiler": _compiler, "target": _target, "os": _os,
    "status": _status, "installed_from": _installed_from,
}  # fmt: skip


_READ_OFF: dict[str, Attribute] = {
    "package": BuildFacet.package_id, "version": BuildFacet.package_version_id,
    "compiler": BuildFacet.compiler_id, "target": BuildFacet.architecture_id,
    "os": BuildFacet.architecture_id, "status": BuildFacet.status,
    "installed_from": BuildFacet.installed_from,
}  # fmt: skip


def answer(keys: Sequence[Key], measured: Collection[str]) -> bool:
    """Whether facets know all that builds are grouped by, and all that is measured of them."""
    return all(key.name in _KEYS for key in keys) and MEASURED.issuperset(measured)


def groups_of_facets(
    found: Facets,
    builds: Rows,
    keys: Sequence[Key],
    measured: Sequence[str],
    nested: Nested,
    dialect_name: str,
    *,
    with_installed: bool,
) -> Select[Any]:
    """The groups of `aggregates.groups` of all builds of some facets, or of all that were built.

    `builds` are the same, each of which is looked at where facets do not say it.
    """
    facet = _summed(found, keys, nested, with_installed=with_installed)
    shown = columns(facet, keys, dialect_name)
    weighted = select(*shown, facet.column("weight")).select_from(facet.joined())
    if found.exceptions:
        looked_at = _weighted(
            builds.narrowed(), keys, nested, dialect_name, with_installed=with_installed, only_if=found.fail()
        )
        both: CompoundSelect[Any] = union_all(weighted.where(not_(found.fail())), looked_at)
        weighted = select(both.subquery())
    return grouped_by_keys(weighted, measured, nested)


def _summed(found: Facets, keys: Sequence[Key], nested: Nested, *, with_installed: bool) -> Scope:
    """As facets, one row for all that have the same of what `keys` are read off, and their `weight`.

    They are thousands, and to look up and compare names takes longer than to add numbers up.
    """
    check_keys(keys)
    facet = found.row
    source, weight, holds = counted(found, nested, with_installed=with_installed)
    read_off = [BuildFacet.status, *(_READ_OFF[key.name] for key in keys)]
    by = [facet[attribute].label(attribute.key) for attribute in dict.fromkeys(read_off)]
    total = sql_cast(func.sum(weight), BigInteger).label("weight")
    summed = select(*by, total).select_from(facet.joined(source)).where(*holds).group_by(*by)
    return facet.beneath(nested(summed))


def groups(
    builds: Rows,
    keys: Sequence[Key],
    measured: Sequence[str],
    nested: Nested,
    dialect_name: str,
    *,
    with_installed: bool,
) -> Select[Any]:
    """The groups of `aggregates.groups` of some builds, or of those of them that were built.

    Each build is looked at for its facet alone.
    """
    found = _weighted(builds, keys, nested, dialect_name, with_installed=with_installed)
    return grouped_by_keys(found, measured, nested)


def _weighted(
    builds: Rows,
    keys: Sequence[Key],
    nested: Nested,
    dialect_name: str,
    *,
    with_installed: bool,
    only_if: ColumnElement[bool] | None = None,
) -> Select[Any]:
    """The keys' columns of facets, and how many of the builds each has; none unless `only_if` holds."""
    facet = builds.row.beneath(BuildFacet.__table__)
    by_facet = builds.number_of_each(builds.row.column("facet_id").label("facet_id"))
    # Where no row is wanted, no build is looked at, and PostgreSQL starts no workers.
    counts = nested(by_facet if only_if is None else by_facet.limit(case((only_if, _EVERY), else_=_NONE)))
    shown = columns(facet, keys, dialect_name)
    base = counts.join(facet.source, facet.row_id == counts.c["facet_id"])
    built = [] if with_installed else [was_built(facet[BuildFacet.installed_from])]
    return select(*shown, counts.c["weight"]).select_from(facet.joined(base)).where(*built)


def columns(facet: Scope, keys: Sequence[Key], dialect_name: str) -> list[ColumnElement[Any]]:
    """What facets are grouped by, and their status. Raises Refused when a key is there twice."""
    check_keys(keys)
    labelled = [
        column for key in keys for column in columns_of(facet, key, dialect_name, KEY_PREFIX + key.name)
    ]
    return [*labelled, facet[BuildFacet.status].label("status")]


def columns_of(facet: Scope, key: Key, dialect_name: str, prefix: str) -> list[ColumnElement[Any]]:
    """What `key.labelled` has of a build, of a facet."""
    return Key(key.name, _KEYS[key.name]).labelled(facet, dialect_name, prefix)


def package_of(facet: Scope) -> Scope:
    """The package of a facet's builds."""
    return _of(facet, BuildFacet.package_id, Package)


def grouped_by_keys(found: Select[Any], measured: Sequence[str], nested: Nested) -> Select[Any]:
    """The groups of `aggregates.groups` of rows with a `weight`, by all of their columns that are of keys."""
    source = nested(found)
    names = [column.name for column in source.c if column.name.startswith(KEY_PREFIX)]
    return grouped(source, names, measured)


def was_built(installed_from: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether builds of this source, as counts know it, count without `includeInstalled`."""
    return installed_from.in_([constant(""), constant(InstalledFrom.SOURCE)])


def counted(
    found: Facets, nested: Nested, *, with_installed: bool
) -> tuple[FromClause, ColumnElement[int], list[ColumnElement[bool]]]:
    """Facets as `Facets.weighed`, and what holds of those whose builds count."""
    source, weight = found.weighed(nested)
    built = [] if with_installed else [was_built(found.row[BuildFacet.installed_from])]
    return source, weight.label("weight"), [weight > literal_column("0"), *built, *found.conditions]
