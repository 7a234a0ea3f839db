"""What builds installed."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from spackmon import models
from spackmon.query.meanings.fields import column, connection, identity
from spackmon.query.rows.relations import files_of_attempt, files_of_build, refer_by, share
from spackmon.schema.connection import Connection
from spackmon.schema.groups import AttemptConnection, BuildConnection, InstallFileConnection
from spackmon.schema.node import Node
from spackmon.schema.noun import noun
from spackmon.schema.scalars import Long

if TYPE_CHECKING:
    from spackmon.schema.analysis import AnalysisResult

_AnalysisResult = Annotated["AnalysisResult", strawberry.lazy("spackmon.schema.analysis")]

_COPIES = share(models.InstallFile.hash, models.InstallFile.hash)
_RESULTS = refer_by(models.Attribute.install_file_id)


@noun("installed files, directories and links")
class InstallFile(Node):
    """A file, directory or link that a build installed."""

    id: strawberry.ID = identity(models.InstallFile)
    path: str = column(models.InstallFile.path, filters=True, sorts=True, description="Its absolute path.")
    type: str | None = column(models.InstallFile.type, filters=True, description="`file`, `dir` or `link`.")
    mode: int | None = column(
        models.InstallFile.mode, filters=True, description="Its mode bits, with the file type's."
    )
    owner: Long | None = column(models.InstallFile.owner, filters=True, description="Its owner's user id.")
    group: Long | None = column(models.InstallFile.group, filters=True, description="Its group id.")
    hash: str | None = column(models.InstallFile.hash, filters=True, description="The hash of its content.")
    size_bytes: Long | None = column(
        models.InstallFile.size_bytes,
        filters=True,
        sorts=True,
        description="Its size.",
    )
    modified_at_seconds: float | None = column(
        models.InstallFile.modified_at_seconds,
        filters=True,
        description="When it was modified, in seconds since 1970.",
    )
    destination: str | None = column(
        models.InstallFile.destination, filters=True, description="Where a link leads."
    )
    copies: InstallFileConnection = connection(
        models.InstallFile,
        belongs=_COPIES,
        filters=True,
        description="The installed files with the same content, itself among them: who else installs it.",
    )
    builds: BuildConnection = connection(
        models.Build,
        belongs=files_of_build.rows,
        filters=True,
        description="The builds whose newest attempt installed it.",
    )
    attempts: AttemptConnection = connection(
        models.Attempt, belongs=files_of_attempt.rows, filters=True, description="The runs that installed it."
    )
    analysis_results: Connection[_AnalysisResult] = connection(
        models.Attribute, belongs=_RESULTS, filters=True, description="What analyzers found in it."
    )
