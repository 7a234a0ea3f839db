"""Two sets of runs compared: what newly fails, what newly passes, what still fails, what came and went."""

from datetime import datetime
from enum import Enum

import strawberry

from spackmon import models
from spackmon.query.groups import comparison
from spackmon.query.groups.comparison import MAXIMUM_DAYS, compared_as, counted_in
from spackmon.query.meanings.fields import argument, connection, value
from spackmon.schema.groups import AttemptConnection
from spackmon.schema.noun import input_of, object_type


@strawberry.enum(description="By what a run of one set and a run of another are runs of the same thing.")
class RunMatch(Enum):
    """By what a run of one set and a run of another are runs of the same thing."""

    HASH = strawberry.enum_value("HASH", description="The spec: its hash is the same.")
    CONFIGURATION = strawberry.enum_value(
        "CONFIGURATION",
        description="Package, version, variants and flags, compiler, platform, operating system and target. "
        "Dependencies, the recipe and so the hash may differ.",
    )
    ANY_VERSION = strawberry.enum_value(
        "ANY_VERSION", description="As CONFIGURATION, whatever the version of the package."
    )


_HOW = (
    argument(
        "matched_by",
        RunMatch,
        "By what runs are of the same thing. Where a spec is not known, its package alone says it.",
        RunMatch.CONFIGURATION,
    ),
    argument(
        "root_causes_only",
        bool,
        "Without runs that were given up because something they depend on broke (`Attempt.rootFailure`).",
        True,
    ),
)
TWO_SETS = (
    argument("base", input_of("AttemptFilter"), "The runs that are compared with, as those of last night."),
    argument("head", input_of("AttemptFilter"), "The runs that are compared."),
    *_HOW,
)
BEFORE_AND_AFTER = (
    argument("since", datetime, "Runs that began then or later are compared with those before."),
    argument("look_back_days", int, f"How many days before that are looked at, up to {MAXIMUM_DAYS:,}.", 90),
    argument("among", input_of("AttemptFilter") | None, "Only these runs are looked at, before and after."),
    *_HOW,
)


@object_type
class RunComparison:
    """Two sets of runs compared, each thing by its last run in either; a run stands in one list.

    Only runs count that ended and built something. FAILED and CANCELLED are failing.
    """

    base_count: int = value(counted_in("base"), cost=100, description="How many things ran in the base.")
    head_count: int = value(counted_in("head"), cost=100, description="How many things ran in the head.")
    newly_failing: AttemptConnection = connection(
        models.Attempt,
        belongs=compared_as(comparison.NEWLY_FAILING),
        description="Runs of the head that fail, where the base's passed.",
    )
    newly_passing: AttemptConnection = connection(
        models.Attempt,
        belongs=compared_as(comparison.NEWLY_PASSING),
        description="Runs of the head that pass, where the base's failed.",
    )
    still_failing: AttemptConnection = connection(
        models.Attempt,
        belongs=compared_as(comparison.STILL_FAILING),
        description="Runs of the head that fail, as the base's did.",
    )
    still_passing: AttemptConnection = connection(
        models.Attempt,
        belongs=compared_as(comparison.STILL_PASSING),
        description="Runs of the head that pass, as the base's did.",
    )
    added: AttemptConnection = connection(
        models.Attempt,
        belongs=compared_as(comparison.ADDED, comparison.ADDED_FAILING),
        description="Runs of the head of what the base has no run of.",
    )
    removed: AttemptConnection = connection(
        models.Attempt,
        belongs=compared_as(comparison.REMOVED),
        description="Runs of the base of what the head has no run of.",
    )
