"""What else is touched when a package changes."""

import strawberry

from spackmon import models
from spackmon.query.fields import connection
from spackmon.query.satisfying import build_is_affected, build_satisfies, spec_is_affected, spec_satisfies
from spackmon.schema.build import BuildFilter, BuildOrder
from spackmon.schema.groups import BuildConnection, SpecConnection
from spackmon.schema.spec import SpecFilter, SpecOrder


@strawberry.type(description="All whose graph contains what an impact is of, anywhere below the root.")
class Impact:
    """All whose graph contains what an impact is of, anywhere below the root."""

    specs: SpecConnection = connection(
        models.Spec,
        belongs=spec_is_affected,
        where=SpecFilter,
        order_by=SpecOrder,
        satisfying=spec_satisfies,
        description="The specs; `groupBy` counts them by package.",
    )
    builds: BuildConnection = connection(
        models.Build,
        belongs=build_is_affected,
        where=BuildFilter,
        order_by=BuildOrder,
        satisfying=build_satisfies,
        description="The builds; `groupBy` counts them by package, status and machine.",
    )
