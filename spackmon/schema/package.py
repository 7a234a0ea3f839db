"""Packages and their versions."""

import strawberry

from spackmon import models
from spackmon.query.fields import column, connection, identity, predicate, relation, sorted_by
from spackmon.query.filters import compares, compares_versions, related, through
from spackmon.query.relations import refer_by
from spackmon.schema import later
from spackmon.schema.connection import Connection
from spackmon.schema.filters import Direction, StringFilter, VersionFilter
from spackmon.schema.groups import BuildConnection, SpecConnection
from spackmon.schema.inputs import Quantified, filter_input, order_input
from spackmon.schema.node import Node

_VERSIONS = refer_by(models.PackageVersion.package_id)
_SPECS = refer_by(models.Spec.package_version_id, models.PackageVersion.package_id)
_BUILDS = refer_by(models.Build.package_id)
_FAILURES = refer_by(models.ConcretizationFailure.package_id)
_SPECS_OF_VERSION = refer_by(models.Spec.package_version_id)


@filter_input
class PackageFilter:
    """Which packages."""

    name: StringFilter | None = predicate(compares(models.Package.name), description="Its name.")
    versions: Quantified[later.PackageVersionFilter] | None = predicate(
        related("PackageVersionFilter", models.PackageVersion, _VERSIONS),
        description="The versions of it that are known.",
    )
    specs: Quantified[later.SpecFilter] | None = predicate(
        related("SpecFilter", models.Spec, _SPECS), description="Its specs."
    )
    builds: Quantified[later.BuildFilter] | None = predicate(
        related("BuildFilter", models.Build, _BUILDS), description="Its builds."
    )
    concretization_failures: Quantified[later.ConcretizationFailureFilter] | None = predicate(
        related("ConcretizationFailureFilter", models.ConcretizationFailure, _FAILURES),
        description="When it could not be concretized.",
    )


@order_input
class PackageOrder:
    """What packages are sorted by."""

    name: Direction | None = sorted_by(models.Package.name, description="Its name.")


@filter_input
class PackageVersionFilter:
    """Which versions of packages."""

    version: VersionFilter | None = predicate(
        compares_versions(models.PackageVersion.version_key), description="The version."
    )
    package: PackageFilter | None = predicate(
        through("PackageFilter", models.PackageVersion.package_id), description="The package."
    )
    specs: Quantified[later.SpecFilter] | None = predicate(
        related("SpecFilter", models.Spec, _SPECS_OF_VERSION), description="Its specs."
    )


@order_input
class PackageVersionOrder:
    """What versions of packages are sorted by."""

    version: Direction | None = sorted_by(models.PackageVersion.version_key, description="The version.")
    package: Direction | None = sorted_by(
        models.PackageVersion.package_id, models.Package.name, description="The package."
    )


@strawberry.type(description="A version of a package that some spec has.")
class PackageVersion(Node):
    """A version of a package that some spec has."""

    id: strawberry.ID = identity(models.PackageVersion)
    version: str = column(models.PackageVersion.version, description="The version.")
    package: "Package" = relation(models.PackageVersion.package_id, description="The package.")
    specs: SpecConnection = connection(
        models.Spec,
        belongs=_SPECS_OF_VERSION,
        where=later.SpecFilter,
        order_by=later.SpecOrder,
        description="Its specs.",
    )


@strawberry.type(description="A package by its name, whatever its namespace.")
class Package(Node):
    """A package by its name, whatever its namespace."""

    id: strawberry.ID = identity(models.Package)
    name: str = column(models.Package.name, description="Its name.")
    versions: Connection[PackageVersion] = connection(
        models.PackageVersion,
        belongs=_VERSIONS,
        where=PackageVersionFilter,
        order_by=PackageVersionOrder,
        description="The versions of it that are known.",
    )
    specs: SpecConnection = connection(
        models.Spec,
        belongs=_SPECS,
        where=later.SpecFilter,
        order_by=later.SpecOrder,
        description="Its specs.",
    )
    builds: BuildConnection = connection(
        models.Build,
        belongs=_BUILDS,
        where=later.BuildFilter,
        order_by=later.BuildOrder,
        description="Its builds.",
    )
    concretization_failures: Connection[later.ConcretizationFailure] = connection(
        models.ConcretizationFailure,
        belongs=_FAILURES,
        where=later.ConcretizationFailureFilter,
        order_by=later.ConcretizationFailureOrder,
        description="When it could not be concretized.",
    )
