"""What is flaky: runs of one spec in one environment with different ends."""

from datetime import datetime

import strawberry

from spackmon import models
from spackmon.query.groups.aggregates import MAXIMUM_GROUPS
from spackmon.query.groups.flaky import (
    DEFAULT_FLAKY,
    counts_of_ends,
    fact,
    failure_rate,
    flaky_rows,
    how_many,
    interval_of_rate,
)
from spackmon.query.meanings.fields import argument, chosen, counted, value
from spackmon.schema.attempt import Attempt
from spackmon.schema.environment import BuildEnvironment
from spackmon.schema.noun import input_of, object_type
from spackmon.schema.spec import Spec

FLAKY_AMONG = [
    argument("where", input_of("AttemptFilter") | None, "Only these runs are looked at."),
    argument("minimum_runs", int, "Only what has at least so many runs, from 2.", 2),
    argument(
        "minimum_changes",
        int,
        "Only where a run ended otherwise than the one before it at least so many times, from 1. What failed "
        "until it was repaired changed once.",
        1,
    ),
    argument(
        "across_machines",
        bool,
        "Whether machines that differ only in their names and kernels are one environment.",
        False,
    ),
]


@strawberry.type(description="Between which values something probably is.")
class ConfidenceInterval:
    """Between which values something probably is."""

    low: float = strawberry.field(description="The least.")
    high: float = strawberry.field(description="The greatest.")


@object_type
class FlakySpec:
    """A spec whose runs in one environment did not all end alike."""

    spec: Spec = chosen(models.Spec, fact("spec_id"), description="The spec.")
    environment: BuildEnvironment = chosen(
        models.BuildEnvironment, fact("environment_id"), description="The machine of its last run."
    )
    run_count: int = value(fact("runs"), description="How many runs passed or failed.")
    failed_count: int = value(fact("failed"), description="How many of them failed.")
    change_count: int = value(
        fact("changes"), description="How often a run ended otherwise than the one before it."
    )
    failure_rate: float = value(failure_rate, description="The share that failed.")
    failure_rate_interval: ConfidenceInterval = counted(
        counts_of_ends,
        interval_of_rate,
        arguments=[argument("confidence", float, "How surely, above 0 and below 1.", 0.95)],
        description="Between which shares that of all such runs is: Wilson's score interval.",
    )
    first_started_at: datetime | None = value(
        fact("first_began"), description="When the first of these runs began; null if nobody says."
    )
    last_started_at: datetime | None = value(
        fact("last_began"), description="When the last of these runs began; null if nobody says."
    )
    last_failure: Attempt = chosen(
        models.Attempt, fact("last_failure_id"), description="The last run that failed."
    )
    last_success: Attempt = chosen(
        models.Attempt, fact("last_success_id"), description="The last run that passed."
    )


@object_type
class FlakySpecs:
    """What is flaky."""

    total_count: int = value(how_many, cost=100, description="How many there are.")
    nodes: list[FlakySpec] = flaky_rows(
        [
            argument("first", int, f"How many at most, up to {MAXIMUM_GROUPS}.", DEFAULT_FLAKY),
            argument("offset", int, "How many to skip.", 0),
        ],
        description="What changed its end most often first, then what failed most often, then what ran last.",
    )
