"""Compilers, as spec formats before v5 name them."""

import strawberry

from spackmon import models
from spackmon.query.fields import column, connection, identity, predicate, sorted_by
from spackmon.query.filters import compares, compares_versions, related
from spackmon.query.relations import refer_by
from spackmon.schema import later
from spackmon.schema.filters import Direction, StringFilter, VersionFilter
from spackmon.schema.groups import SpecConnection
from spackmon.schema.inputs import Quantified, filter_input, order_input
from spackmon.schema.node import Node

_SPECS = refer_by(models.Spec.compiler_id)


@filter_input
class CompilerFilter:
    """Which compilers."""

    name: StringFilter | None = predicate(compares(models.Compiler.name), description="Its name.")
    version: VersionFilter | None = predicate(
        compares_versions(models.Compiler.version_key), description="Its version."
    )
    specs: Quantified[later.SpecFilter] | None = predicate(
        related("SpecFilter", models.Spec, _SPECS), description="The specs it compiles."
    )


@order_input
class CompilerOrder:
    """What compilers are sorted by."""

    name: Direction | None = sorted_by(models.Compiler.name, description="The name.")
    version: Direction | None = sorted_by(models.Compiler.version_key, description="The version.")


@strawberry.type(
    description="A compiler as spec formats before v5 name it; from v5 on compilers are dependencies."
)
class Compiler(Node):
    """A compiler as spec formats before v5 name it."""

    id: strawberry.ID = identity(models.Compiler)
    name: str = column(models.Compiler.name, description="Its name, as `gcc`.")
    version: str = column(models.Compiler.version, description="Its version.")
    specs: SpecConnection = connection(
        models.Spec,
        belongs=_SPECS,
        where=later.SpecFilter,
        order_by=later.SpecOrder,
        description="The specs it compiles.",
    )
