"""The words that clients give to builds."""

import strawberry

from spackmon import models
from spackmon.query.meanings.fields import column, connection, identity
from spackmon.query.rows.tags import builds_tagged, newest_tagged
from spackmon.schema.groups import BuildConnection
from spackmon.schema.node import Node
from spackmon.schema.noun import noun


@noun("tags")
class Tag(Node):
    """A word that a client attached to runs."""

    id: strawberry.ID = identity(models.Tag)
    name: str = column(models.Tag.name, filters=True, sorts=True, description="The word.")
    builds: BuildConnection = connection(
        models.Build,
        belongs=builds_tagged,
        newest=newest_tagged,
        filters=True,
        description="The builds whose newest attempt has it.",
    )
