"""What could not be concretized."""

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from spackmon import models
from spackmon.query.meanings.fields import by, column, identity, relation
from spackmon.query.rows.filters import compares_versions
from spackmon.schema.filters import VersionFilter
from spackmon.schema.node import Node
from spackmon.schema.noun import noun
from spackmon.schema.package import Package
from spackmon.schema.person import Person


@noun("failures to concretize")
class ConcretizationFailure(Node):
    """An abstract spec that could not be made concrete."""

    id: strawberry.ID = identity(models.ConcretizationFailure)
    package: Package | None = relation(
        models.ConcretizationFailure.package_id,
        filters=True,
        sorts=models.Package.name,
        description="The root's package; null if none is named.",
    )
    owner: Person = relation(
        models.ConcretizationFailure.owner_id, filters=True, description="Who reported it."
    )
    spack_version: str = column(
        models.ConcretizationFailure.spack_version, filters=True, description="The Spack that failed."
    )
    document: JSON | None = column(
        models.ConcretizationFailure.document,
        filters=True,
        description="The abstract spec as it came in, where it came as JSON.",
    )
    abstract_spec: str | None = column(
        models.ConcretizationFailure.abstract_spec,
        filters=True,
        description="The requested spec in Spack's spec language; null if not reported.",
    )
    message: str | None = column(
        models.ConcretizationFailure.message,
        filters=True,
        description="The solver's message; null if not reported.",
    )
    version: str | None = column(
        models.ConcretizationFailure.version,
        filters=by(VersionFilter, compares_versions(models.ConcretizationFailure.version_key)),
        sorts=models.ConcretizationFailure.version_key,
        description="The one version that was requested; null of a range, of several and of none.",
    )
    compiler: str | None = column(
        models.ConcretizationFailure.compiler,
        filters=True,
        description="The requested compiler, as `gcc@12.2.0`, or without a version `gcc`.",
    )
    operating_system: str | None = column(
        models.ConcretizationFailure.operating_system,
        filters=True,
        description="The requested operating system.",
    )
    target: str | None = column(
        models.ConcretizationFailure.target,
        filters=True,
        description="The requested microarchitecture; null of a range.",
    )
    reported_at: datetime = column(
        models.ConcretizationFailure.reported_at,
        filters=True,
        sorts=True,
        description="When it was reported.",
    )
