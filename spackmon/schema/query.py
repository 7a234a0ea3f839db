"""The root of every question."""

import strawberry

from spackmon import models
from spackmon.query.fields import argument, connection, lookup
from spackmon.query.lookups import by_id, spec_by_hash_or_id
from spackmon.schema.analysis import Attribute
from spackmon.schema.build import Build, BuildFilter, BuildPhase
from spackmon.schema.connection import Connection
from spackmon.schema.spec import Spec, SpecFilter


@strawberry.type(description="Everything that can be asked.")
class Query:
    """Everything that can be asked."""

    spec: Spec | None = lookup(
        models.Spec,
        spec_by_hash_or_id,
        [
            argument(
                "hash",
                str | None,
                "Any hash of the spec, or at least 7 characters that only its hashes start with.",
            ),
            argument("id", strawberry.ID | None, "Its id."),
        ],
        description="One spec, or null.",
    )
    specs: Connection[Spec] = connection(
        models.Spec, where=SpecFilter, description="All specs, the latest first."
    )
    build: Build | None = lookup(
        models.Build,
        by_id("Build"),
        [argument("id", strawberry.ID, "Its id.")],
        description="One build, or null.",
    )
    builds: Connection[Build] = connection(
        models.Build, where=BuildFilter, description="All builds, the latest first."
    )
    phase: BuildPhase | None = lookup(
        models.Phase,
        by_id("BuildPhase"),
        [argument("id", strawberry.ID, "Its id.")],
        description="One phase of a build, or null.",
    )
    attribute: Attribute | None = lookup(
        models.Attribute,
        by_id("Attribute"),
        [argument("id", strawberry.ID, "Its id.")],
        description="One finding of an analyzer, or null.",
    )
