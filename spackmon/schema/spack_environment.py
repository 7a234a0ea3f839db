"""Environments of Spack: what people ask for together, and what it became."""

from datetime import datetime

import strawberry

from spackmon import models
from spackmon.query.meanings.fields import column, connection, identity, relation
from spackmon.query.rows.relations import refer_by
from spackmon.schema.connection import Connection
from spackmon.schema.node import Node
from spackmon.schema.noun import noun
from spackmon.schema.person import Person
from spackmon.schema.spec import Spec


@noun("roots of lock files")
class LockFileRoot(Node):
    """What an environment asks for, and what it became."""

    id: strawberry.ID = identity(models.LockFileRoot)
    position: int = column(
        models.LockFileRoot.position, sorts=True, description="Its place among the roots, from 0."
    )
    abstract_spec: str = column(
        models.LockFileRoot.abstract_spec,
        filters=True,
        description="What was asked for, in its user's words.",
    )
    group: str | None = column(
        models.LockFileRoot.group_name,
        filters=True,
        description="The group of roots that it was concretized with; null before lock files of version 7.",
    )
    included_from: str | None = column(
        models.LockFileRoot.included_from,
        filters=True,
        description="Where the environment lies that it was included from; null of the environment's own.",
    )
    spec_hash: str = column(
        models.LockFileRoot.spec_hash, filters=True, description="The identity of what it became."
    )
    spec: Spec | None = relation(
        models.LockFileRoot.spec_id,
        filters=True,
        description="What it became; null if nobody reported that spec.",
    )
    lock_file: "LockFile" = relation(
        models.LockFileRoot.lock_file_id, filters=True, description="The lock file that has it."
    )


@noun("lock files")
class LockFile(Node):
    """What an environment became, as its `spack.lock` had it at one time."""

    id: strawberry.ID = identity(models.LockFile)
    version: int = column(models.LockFile.version, filters=True, description="Of the file's format.")
    spack_version: str | None = column(
        models.LockFile.spack_version, filters=True, description="The Spack that wrote it; null if unknown."
    )
    reported_at: datetime = column(
        models.LockFile.reported_at, filters=True, sorts=True, description="When it was first reported."
    )
    environment: "SpackEnvironment" = relation(
        models.LockFile.environment_id, filters=True, description="The environment."
    )
    roots: Connection[LockFileRoot] = connection(
        models.LockFileRoot,
        belongs=refer_by(models.LockFileRoot.lock_file_id),
        order=[models.LockFileRoot.position],
        filters=True,
        description="What it asks for, in the order of the file.",
    )


@noun("environments of Spack")
class SpackEnvironment(Node):
    """An environment of Spack, by the name that its owner calls it by."""

    id: strawberry.ID = identity(models.SpackEnvironment)
    name: str = column(
        models.SpackEnvironment.name,
        filters=True,
        sorts=True,
        description="The name of the folder that its lock file lies in.",
    )
    owner: Person = relation(models.SpackEnvironment.owner_id, filters=True, description="Who reported it.")
    created_at: datetime = column(
        models.SpackEnvironment.created_at,
        filters=True,
        sorts=True,
        description="When it was first reported.",
    )
    lock_files: Connection[LockFile] = connection(
        models.LockFile,
        belongs=refer_by(models.LockFile.environment_id),
        filters=True,
        description="What it became, each once, the one that was first reported last first.",
    )
