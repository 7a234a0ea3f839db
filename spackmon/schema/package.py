"""Packages and their versions."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from spackmon import models
from spackmon.query.meanings.fields import by, column, connection, identity, relation
from spackmon.query.rows.filters import compares_versions
from spackmon.query.rows.relations import refer_by
from spackmon.schema.connection import Connection
from spackmon.schema.filters import VersionFilter
from spackmon.schema.groups import BuildConnection, SpecConnection
from spackmon.schema.node import Node
from spackmon.schema.noun import noun

if TYPE_CHECKING:
    from spackmon.schema.concretization import ConcretizationFailure

_ConcretizationFailure = Annotated["ConcretizationFailure", strawberry.lazy("spackmon.schema.concretization")]


_VERSIONS = refer_by(models.PackageVersion.package_id)
_SPECS = refer_by(models.Spec.package_version_id, models.PackageVersion.package_id)
_BUILDS = refer_by(models.Build.package_id)
_FAILURES = refer_by(models.ConcretizationFailure.package_id)
_SPECS_OF_VERSION = refer_by(models.Spec.package_version_id)


@noun("versions of packages")
class PackageVersion(Node):
    """A version of a package that some spec has."""

    id: strawberry.ID = identity(models.PackageVersion)
    version: str = column(
        models.PackageVersion.version,
        filters=by(VersionFilter, compares_versions(models.PackageVersion.version_key)),
        sorts=models.PackageVersion.version_key,
        description="The version.",
    )
    package: "Package" = relation(
        models.PackageVersion.package_id, filters=True, sorts=models.Package.name, description="The package."
    )
    specs: SpecConnection = connection(
        models.Spec, belongs=_SPECS_OF_VERSION, filters=True, description="Its specs."
    )


@noun("packages")
class Package(Node):
    """A package by its name, whatever its namespace."""

    id: strawberry.ID = identity(models.Package)
    name: str = column(models.Package.name, filters=True, sorts=True, description="Its name.")
    versions: Connection[PackageVersion] = connection(
        models.PackageVersion,
        belongs=_VERSIONS,
        filters=True,
        description="The versions of it that are known.",
    )
    specs: SpecConnection = connection(models.Spec, belongs=_SPECS, filters=True, description="Its specs.")
    builds: BuildConnection = connection(
        models.Build, belongs=_BUILDS, filters=True, description="Its builds."
    )
    concretization_failures: Connection[_ConcretizationFailure] = connection(
        models.ConcretizationFailure,
        belongs=_FAILURES,
        filters=True,
        description="Its failures to concretize.",
    )
