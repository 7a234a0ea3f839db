"""Compilers, whatever the spec format: named by the document, or a dependency from format v5 on."""

import strawberry

from spackmon import models
from spackmon.query.fields import column, connection, identity, predicate, relation, sorted_by
from spackmon.query.filters import compares, compares_versions, related
from spackmon.query.relations import is_compiled_by
from spackmon.schema import later
from spackmon.schema.filters import Direction, StringFilter, VersionFilter
from spackmon.schema.groups import SpecConnection
from spackmon.schema.inputs import Quantified, filter_input, order_input
from spackmon.schema.node import Node


@filter_input
class CompilerFilter:
    """Which compilers."""

    name: StringFilter | None = predicate(compares(models.Compiler.name), description="Its name, as `gcc`.")
    version: VersionFilter | None = predicate(
        compares_versions(models.Compiler.version_key), description="Its version."
    )
    specs: Quantified[later.SpecFilter] | None = predicate(
        related("SpecFilter", models.Spec, is_compiled_by),
        description="The specs of which it compiles a language.",
    )


@order_input
class CompilerOrder:
    """What compilers are sorted by."""

    name: Direction | None = sorted_by(models.Compiler.name, description="Its name, as `gcc`.")
    version: Direction | None = sorted_by(models.Compiler.version_key, description="Its version.")


@strawberry.type(
    description="A compiler: named by a spec's document, or from format v5 on the dependency that is one."
)
class Compiler(Node):
    """A compiler: named by a spec's document, or from format v5 on the dependency that is one."""

    id: strawberry.ID = identity(models.Compiler)
    name: str = column(models.Compiler.name, description="Its name, as `gcc`.")
    version: str = column(models.Compiler.version, description="Its version.")
    specs: SpecConnection = connection(
        models.Spec,
        belongs=is_compiled_by,
        where=later.SpecFilter,
        order_by=later.SpecOrder,
        description="The specs of which it compiles a language.",
    )


@strawberry.type(description="A compiler of a spec, and a language that it compiles for it.")
class SpecCompiler:
    """A compiler of a spec, and a language that it compiles for it."""

    language: str = column(models.SpecCompiler.language, description="`c`, `cxx` or `fortran`.")
    compiler: Compiler = relation(models.SpecCompiler.compiler_id, description="The compiler.")
