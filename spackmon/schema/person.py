"""Those who report."""

from datetime import datetime

import strawberry

from spackmon import models
from spackmon.query.meanings.fields import column, connection, identity
from spackmon.query.rows.relations import refer_by
from spackmon.schema.groups import BuildConnection
from spackmon.schema.node import Node
from spackmon.schema.noun import noun

_BUILDS = refer_by(models.Build.owner_id)


@noun("people")
class Person(Node):
    """A person who reports builds."""

    id: strawberry.ID = identity(models.Person)
    name: str = column(models.Person.name, filters=True, sorts=True, description="The account's name.")
    created_at: datetime = column(
        models.Person.created_at, filters=True, sorts=True, description="When the account was made."
    )
    builds: BuildConnection = connection(
        models.Build, belongs=_BUILDS, filters=True, description="The builds that this person reported."
    )
