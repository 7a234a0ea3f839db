"""What takes longer than it did."""

from datetime import datetime
from enum import Enum

import strawberry

from spackmon.query.groups.aggregates import MAXIMUM_GROUPS
from spackmon.query.groups.comparison import MAXIMUM_DAYS
from spackmon.query.groups.durations import MOST_OF_A_SIDE, MOST_ROWS
from spackmon.query.meanings.fields import argument
from spackmon.schema.noun import input_of

DURATIONS_SINCE = [
    argument("since", datetime, "Runs that began then or later are compared with those before."),
    argument("among", input_of("AttemptFilter") | None, "Only these runs are looked at, before and after."),
    argument("look_back_days", int, f"How many days before that are looked at, up to {MAXIMUM_DAYS:,}.", 90),
    argument(
        "across_machines",
        bool,
        "Whether runs on machines that differ only in their names and kernels are compared.",
        False,
    ),
    argument("minimum_runs", int, "Only what has at least so many runs on either side, from 2.", 5),
    argument(
        "maximum_p", float, "Only what has at most this `adjustedP`; 1 lists all that was tested.", 0.01
    ),
    argument("after", str | None, "Only packages after this name, an `endPackage`."),
    argument("first", int, f"How many at most, up to {MAXIMUM_GROUPS}.", 50),
]


@strawberry.enum(description="Whether something takes longer than it did.")
class DurationDirection(Enum):
    """Whether something takes longer than it did."""

    SLOWER = strawberry.enum_value("SLOWER", description="It takes longer.")
    FASTER = strawberry.enum_value("FASTER", description="It takes less time.")
    SAME = strawberry.enum_value("SAME", description="It takes as long.")


@strawberry.type(description="How long a phase of a package takes since a moment, and took before.")
class DurationChange:
    """How long a phase of a package takes since a moment, and took before."""

    package: str = strawberry.field(description="The package's name.")
    phase: str | None = strawberry.field(description="The phase's name; null for the whole run.")
    direction: DurationDirection = strawberry.field(description="Whether it takes longer.")
    runs_before: int = strawberry.field(description="How many runs before the moment are compared.")
    runs_after: int = strawberry.field(description="How many runs since the moment are compared.")
    median_seconds_before: float = strawberry.field(description="The median of those before.")
    median_seconds_after: float = strawberry.field(description="The median of those since.")
    shift_seconds: float = strawberry.field(
        description="How much longer it takes: the median of all differences between runs of one kind "
        "(Hodges and Lehmann)."
    )
    p: float = strawberry.field(
        description="How likely chance makes as large a difference: Mann and Whitney's test, two-sided, "
        "added up over kinds of runs, by a normal distribution."
    )
    adjusted_p: float = strawberry.field(description="`p` times the number of tests, at most 1 (Bonferroni).")
    trend_seconds_per_day: float | None = strawberry.field(
        description="How much longer it takes each day, before and since: the median of all slopes between "
        "runs of one kind (Theil and Sen); null where all began at one moment."
    )
    trend_p: float | None = strawberry.field(
        description="How likely chance makes as steady a trend: Mann and Kendall's test, added up alike."
    )
    adjusted_trend_p: float | None = strawberry.field(
        description="`trendP` times the number of tests, at most 1."
    )


@strawberry.type(description="What takes longer or less time since a moment.")
class DurationChanges:
    """What takes longer or less time since a moment."""

    duration_count: int = strawberry.field(
        description=f"How many durations were looked at: of a package and phase the newest {MOST_OF_A_SIDE} "
        f"on either side, about {MOST_ROWS:,} in one answer, package by package."
    )
    end_package: str | None = strawberry.field(
        description="The last package that was looked at, to go on with as `after`; null if none follows."
    )
    test_count: int = strawberry.field(description="How many phases of packages were tested.")
    total_count: int = strawberry.field(description="How many of them have such a small `adjustedP`.")
    changes: list[DurationChange] = strawberry.field(description="Those, the surest first.")
