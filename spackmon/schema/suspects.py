"""What failing runs have that passing runs lack."""

from enum import Enum

import strawberry

value = strawberry.enum_value


@strawberry.enum(description="What a fact about a run is.")
class FactKind(Enum):
    """What a fact about a run is."""

    VERSION = value("VERSION", description="The version of the package that is built.")
    COMPILER = value("COMPILER", description="The compiler.")
    DEPENDENCY = value(
        "DEPENDENCY", description="A version of what it depends on, at any depth, other than its compiler."
    )
    VARIANT = value("VARIANT", description="A variant or a compiler flag of the package that is built.")
    TARGET = value("TARGET", description="The microarchitecture that is built for.")
    OPERATING_SYSTEM = value("OPERATING_SYSTEM", description="The operating system that is built for.")
    HOST = value("HOST", description="The machine.")
    SPACK_VERSION = value("SPACK_VERSION", description="Spack's version.")
    VARIABLE = value("VARIABLE", description="An environment variable.")


@strawberry.enum(description="Whether runs tell why they fail.")
class Verdict(Enum):
    """Whether runs tell why they fail."""

    SUSPECTED = value(
        "SUSPECTED", description="The first suspect is a single fact that chance does not explain."
    )
    AMBIGUOUS = value(
        "AMBIGUOUS",
        description="The first suspect is several facts, which the same runs have, or nearly the same runs "
        "have the first suspects, as `reason` says: it is one of them.",
    )
    UNKNOWN = value("UNKNOWN", description="The runs do not tell.")


@strawberry.type(description="Something that a run has.")
class RunFact:
    """Something that a run has."""

    kind: FactKind = strawberry.field(description="What it is.")
    name: str = strawberry.field(
        description="The compiler, package, variant or variable, of a VERSION the package that is built; "
        "empty where the kind says it."
    )
    value: str = strawberry.field(description="Its version or value.")


@strawberry.type(description="Facts that the same runs have, and how surely they go with failing.")
class Suspect:
    """Facts that the same runs have, and how surely they go with failing."""

    facts: list[RunFact] = strawberry.field(description="The facts; no run tells one from another.")
    failing_with: int = strawberry.field(description="How many failing runs have them.")
    failing_without: int = strawberry.field(description="How many failing runs have not.")
    passing_with: int = strawberry.field(description="How many passing runs have them.")
    passing_without: int = strawberry.field(description="How many passing runs have not.")
    lift: float | None = strawberry.field(
        description="How many times as many failing runs have them as chance would give, package by package; "
        "null where nothing can be compared."
    )
    p: float = strawberry.field(
        description="How likely chance gives them to as many failing runs or more: Fisher's exact test, "
        "added up over packages."
    )
    adjusted_p: float = strawberry.field(
        description="`p` times twice the number of comparisons, at most 1 (Bonferroni; twice, because they "
        "are compared with passing runs of any time and of the same time)."
    )


@strawberry.type(description="What failing runs have that passing runs of the same packages lack.")
class Suspects:
    """What failing runs have that passing runs of the same packages lack."""

    verdict: Verdict = strawberry.field(description="Whether the runs tell a cause.")
    reason: str = strawberry.field(description="Why, in a sentence.")
    failing_runs: int = strawberry.field(description="How many failing runs were looked at.")
    passing_runs: int = strawberry.field(description="How many passing runs they were compared with.")
    comparisons: int = strawberry.field(
        description="How many different sets of runs were compared that could have been found guilty at all "
        "(Tarone, 1990)."
    )
    suspects: list[Suspect] = strawberry.field(
        description="The suspects: the likeliest, those that the runs do not tell from it, those that say "
        "more, those that it explains; each by how sure it is."
    )
