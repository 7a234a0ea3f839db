"""Compilers, whatever the spec format: named by the document, or a dependency from format v5 on."""

import strawberry

from spackmon import models
from spackmon.query.meanings.fields import by, column, connection, identity, relation
from spackmon.query.rows.filters import compares_versions
from spackmon.query.rows.relations import is_compiled_by
from spackmon.schema.filters import VersionFilter
from spackmon.schema.groups import SpecConnection
from spackmon.schema.node import Node
from spackmon.schema.noun import noun, object_type


@noun("compilers")
class Compiler(Node):
    """A compiler: named by a spec's document, or from format v5 on the dependency that is one."""

    id: strawberry.ID = identity(models.Compiler)
    name: str = column(models.Compiler.name, filters=True, sorts=True, description="Its name, as `gcc`.")
    version: str = column(
        models.Compiler.version,
        filters=by(VersionFilter, compares_versions(models.Compiler.version_key)),
        sorts=models.Compiler.version_key,
        description="Its version.",
    )
    specs: SpecConnection = connection(
        models.Spec,
        belongs=is_compiled_by,
        filters=True,
        description="The specs of which it compiles a language.",
    )


@object_type
class SpecCompiler:
    """A compiler of a spec, and a language that it compiles for it."""

    language: str = column(models.SpecCompiler.language, description="`c`, `cxx` or `fortran`.")
    compiler: Compiler = relation(models.SpecCompiler.compiler_id, description="The compiler.")
