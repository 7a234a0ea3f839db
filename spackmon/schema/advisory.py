"""Known defects, and what they mean for the site."""

from datetime import datetime

import strawberry

from spackmon import models
from spackmon.query.meanings.fields import column, connection, identity
from spackmon.query.rows import affected
from spackmon.schema.groups import BuildConnection, DependencyConnection, SpecConnection
from spackmon.schema.node import Node
from spackmon.schema.noun import noun


@noun("advisories")
class Advisory(Node):
    """A known defect that `spackmon advisories load` stored."""

    id: strawberry.ID = identity(models.Advisory)
    identifier: str = column(
        models.Advisory.identifier, filters=True, sorts=True, description="As `CVE-2022-37434`."
    )
    aliases: list[str] = column(models.Advisory.aliases, filters=True, description="What it is called else.")
    summary: str = column(models.Advisory.summary, filters=True, description="What it says, in a sentence.")
    affects: list[str] = column(
        models.Advisory.affects, filters=True, description="What it is about, as `openssl@:3.0.6`."
    )
    undecided: list[str] = column(
        models.Advisory.undecided,
        filters=True,
        description="What of it cannot be decided of specs, as ranges of commits, and why.",
    )
    withdrawn_at: datetime | None = column(
        models.Advisory.withdrawn_at,
        filters=True,
        sorts=True,
        description="When it was withdrawn; it then affects nothing.",
    )
    loaded_at: datetime = column(
        models.Advisory.loaded_at, filters=True, sorts=True, description="When it was loaded last."
    )
    affected_specs: SpecConnection = connection(
        models.Spec,
        belongs=affected.specs_affected,
        filters=True,
        description="The specs that have the defect themselves.",
    )
    affected_builds: BuildConnection = connection(
        models.Build,
        belongs=affected.builds_affected,
        filters=True,
        description="The builds of specs that have the defect, or contain one that has.",
    )
    affected_roots: SpecConnection = connection(
        models.Spec,
        belongs=affected.roots_affected,
        filters=True,
        description="The specs that have the defect or contain it, and on which nothing depends.",
    )
    dependencies_to_change: DependencyConnection = connection(
        models.Dependency,
        belongs=affected.edges_to_change,
        filters=True,
        description="Of each such root the direct dependencies that have the defect or contain it; none "
        "where the root itself must change.",
    )
