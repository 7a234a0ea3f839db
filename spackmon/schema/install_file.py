"""What builds installed."""

import strawberry

from spackmon import models
from spackmon.query.fields import column, connection, identity, predicate, sorted_by
from spackmon.query.filters import compares, related
from spackmon.query.relations import refer_by, share
from spackmon.schema import later
from spackmon.schema.connection import Connection
from spackmon.schema.filters import Direction, IntFilter, StringFilter
from spackmon.schema.groups import AttemptConnection, BuildConnection
from spackmon.schema.inputs import Quantified, filter_input, order_input
from spackmon.schema.node import Node

_BUILDS = share(models.InstallFile.manifest_id, models.Build.manifest_id)
_RESULTS = refer_by(models.Attribute.install_file_id)
_ATTEMPTS = share(models.InstallFile.manifest_id, models.Attempt.manifest_id)


@filter_input
class InstallFileFilter:
    """Which installed files, directories and links."""

    path: StringFilter | None = predicate(compares(models.InstallFile.path), description="Its absolute path.")
    type: StringFilter | None = predicate(
        compares(models.InstallFile.type), description="`file`, `dir` or `link`."
    )
    mode: IntFilter | None = predicate(
        compares(models.InstallFile.mode), description="Its mode bits, with the file type's."
    )
    hash: StringFilter | None = predicate(
        compares(models.InstallFile.hash), description="The hash of its content."
    )
    size_bytes: IntFilter | None = predicate(
        compares(models.InstallFile.size_bytes), description="Its size; a whole number of up to 64 bits."
    )
    destination: StringFilter | None = predicate(
        compares(models.InstallFile.destination), description="Where a link leads."
    )
    builds: Quantified[later.BuildFilter] | None = predicate(
        related("BuildFilter", models.Build, _BUILDS),
        description="The builds whose newest attempt installed it.",
    )
    attempts: Quantified[later.AttemptFilter] | None = predicate(
        related("AttemptFilter", models.Attempt, _ATTEMPTS), description="The runs that installed it."
    )
    analysis_results: Quantified[later.AnalysisResultFilter] | None = predicate(
        related("AnalysisResultFilter", models.Attribute, _RESULTS),
        description="What analyzers found in it.",
    )


@order_input
class InstallFileOrder:
    """What installed files, directories and links are sorted by."""

    path: Direction | None = sorted_by(models.InstallFile.path, description="Its absolute path.")
    size_bytes: Direction | None = sorted_by(
        models.InstallFile.size_bytes, description="Its size; a whole number of up to 64 bits."
    )


@strawberry.type(description="A file, directory or link that a build installed.")
class InstallFile(Node):
    """A file, directory or link that a build installed."""

    id: strawberry.ID = identity(models.InstallFile)
    path: str = column(models.InstallFile.path, description="Its absolute path.")
    type: str | None = column(models.InstallFile.type, description="`file`, `dir` or `link`.")
    mode: int | None = column(models.InstallFile.mode, description="Its mode bits, with the file type's.")
    owner: float | None = column(
        models.InstallFile.owner, description="Its user's number, a whole one of up to 64 bits."
    )
    group: float | None = column(
        models.InstallFile.group, description="Its group's number, a whole one of up to 64 bits."
    )
    hash: str | None = column(models.InstallFile.hash, description="The hash of its content.")
    size_bytes: float | None = column(
        models.InstallFile.size_bytes, description="Its size; a whole number of up to 64 bits."
    )
    modified_at_seconds: float | None = column(
        models.InstallFile.modified_at_seconds, description="When it was modified, in seconds since 1970."
    )
    destination: str | None = column(models.InstallFile.destination, description="Where a link leads.")
    builds: BuildConnection = connection(
        models.Build,
        belongs=_BUILDS,
        where=later.BuildFilter,
        order_by=later.BuildOrder,
        description="The builds whose newest attempt installed it.",
    )
    attempts: AttemptConnection = connection(
        models.Attempt,
        belongs=_ATTEMPTS,
        where=later.AttemptFilter,
        order_by=later.AttemptOrder,
        description="The runs that installed it.",
    )
    analysis_results: Connection[later.AnalysisResult] = connection(
        models.Attribute,
        belongs=_RESULTS,
        where=later.AnalysisResultFilter,
        order_by=later.AnalysisResultOrder,
        description="What analyzers found in it.",
    )
