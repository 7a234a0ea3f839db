"""What a build will probably need."""

from enum import Enum

import strawberry

from spackmon.query.groups.expected import MOST_OF_A_NEARNESS
from spackmon.query.meanings.fields import JUDGED_AS, argument
from spackmon.schema.scalars import Long

EXPECTED_OF = [
    argument(
        "spec",
        str,
        "What is to be built, in Spack's spec language, as `hdf5@1.14.3 %gcc@13 target=zen4`; or the hash of "
        "a spec that is known, as `/vxbbpop`.",
    ),
    JUDGED_AS,
    argument(
        "minimum_runs",
        int,
        f"Less near runs count as well until there are so many, from 1 to {MOST_OF_A_NEARNESS}.",
        1,
    ),
]


@strawberry.enum(description="How near earlier runs are to what is to be built.")
class Nearness(Enum):
    """How near earlier runs are to what is to be built."""

    SPEC = strawberry.enum_value("SPEC", description="They are of the same spec: of all that is asked for.")
    COMPILER_AND_TARGET = strawberry.enum_value(
        "COMPILER_AND_TARGET",
        description="They are of the same version of the package, with the same compiler (all that stands "
        "after `%`) and for the same target.",
    )
    VERSION = strawberry.enum_value("VERSION", description="They are of the same version of the package.")
    PACKAGE = strawberry.enum_value("PACKAGE", description="They are of the same package.")


@strawberry.type(description="How many seconds a build will probably take.")
class ExpectedSeconds:
    """How many seconds a build will probably take."""

    nearness: Nearness = strawberry.field(description="How near the least near of the runs is.")
    run_count: int = strawberry.field(description="How many runs that is said by.")
    p50: float = strawberry.field(description="The median of these runs.")
    p95: float = strawberry.field(description="The 95th percentile.")
    maximum: float = strawberry.field(description="The most of all.")


@strawberry.type(description="How many bytes a build will probably have.")
class ExpectedBytes:
    """How many bytes a build will probably have."""

    nearness: Nearness = strawberry.field(description="How near the least near of the runs is.")
    run_count: int = strawberry.field(description="How many runs that is said by.")
    p50: Long = strawberry.field(description="The median of these runs.")
    p95: Long = strawberry.field(description="The 95th percentile.")
    maximum: Long = strawberry.field(description="The most of all.")


@strawberry.type(
    description="What a build will probably need, from runs that ended well and built something: of each "
    f"nearness the newest {MOST_OF_A_NEARNESS} of which it is known."
)
class ExpectedResources:
    """What a build will probably need; null where no run of the package says it."""

    duration_seconds: ExpectedSeconds | None = strawberry.field(description="How long it will take.")
    cpu_seconds: ExpectedSeconds | None = strawberry.field(description="Its CPU time.")
    peak_memory_bytes: ExpectedBytes | None = strawberry.field(
        description="The most memory that one of its processes will have."
    )
