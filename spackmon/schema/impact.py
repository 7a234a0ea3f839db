"""What else is touched when a package changes."""

from spackmon import models
from spackmon.query.graph.impact import build_is_affected, spec_is_affected
from spackmon.query.meanings.fields import connection
from spackmon.query.speclang.satisfying import build_satisfies, spec_satisfies
from spackmon.schema.groups import BuildConnection, SpecConnection
from spackmon.schema.noun import object_type


@object_type
class Impact:
    """Everything whose graph contains the changed package, anywhere below the root."""

    specs: SpecConnection = connection(
        models.Spec,
        led=spec_is_affected,
        satisfying=spec_satisfies,
        description="The specs; `groupBy` counts them by package.",
    )
    builds: BuildConnection = connection(
        models.Build,
        led=build_is_affected,
        satisfying=build_satisfies,
        description="The builds; `groupBy` counts them by package, status and machine.",
    )
