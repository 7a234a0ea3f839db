"""What the loader would do if another build of a package took its place."""

from enum import Enum

import strawberry

from spackmon.schema.spec import Spec

value = strawberry.enum_value


@strawberry.enum(description="What is predicted of a splice.")
class SpliceVerdict(Enum):
    """What is predicted of a splice."""

    WORKS = value("WORKS", description="The loader starts everything that it starts today.")
    BREAKS = value("BREAKS", description="It refuses something that it starts today.")
    UNKNOWN = value("UNKNOWN", description="What is stored does not decide it; `undecided` says why.")


@strawberry.enum(description="By what a splice is judged.")
class SpliceRule(Enum):
    """By what a splice is judged."""

    LOADER = value("LOADER", description="What the loader does, of all files of the build's graph.")
    SYMBOLATOR = value(
        "SYMBOLATOR",
        description="Names of symbols alone, of what the analyzer `symbolator` found: as spack-monitor did.",
    )


@strawberry.enum(description="What a prediction knows of files.")
class SpliceBasis(Enum):
    """What a prediction knows of files."""

    ELF = value("ELF", description="What the loader reads of them.")
    NAMES = value(
        "NAMES",
        description="Names of symbols: no versions, no sonames, not who loads whom. WORKS says less, and "
        "what BREAKS may be a symbol that nothing has to define.",
    )


@strawberry.type(description="A symbol that nothing defines any more.")
class MissingSymbol:
    """A symbol that nothing defines any more."""

    consumer: str = strawberry.field(description="The name of the file that needs it.")
    symbol: str = strawberry.field(description="Its name.")
    version: str | None = strawberry.field(description="The version that is needed; null for none.")
    why: str = strawberry.field(description="What ld.so would say.")


@strawberry.type(description="A library that cannot be loaded any more.")
class MissingLibrary:
    """A library that cannot be loaded any more."""

    consumer: str = strawberry.field(description="The name of the file that needs it.")
    library: str = strawberry.field(description="The name under which it is needed.")
    why: str = strawberry.field(description="What ld.so would say.")


@strawberry.type(description="A version that a library does not define any more.")
class MissingVersion:
    """A version that a library does not define any more."""

    consumer: str = strawberry.field(description="The name of the file that needs it.")
    file: str = strawberry.field(description="The library that has to define it.")
    node: str = strawberry.field(description="The version.")
    why: str = strawberry.field(description="What ld.so would say.")


@strawberry.type(description="A machine whose system libraries are known, as its os-release names it.")
class HostImage:
    """A machine whose system libraries are known, as its os-release names it."""

    os: str = strawberry.field(description="`ID`, as `debian`.")
    os_version: str = strawberry.field(description="`VERSION_ID`, as `12`.")
    architecture: str = strawberry.field(description="The family of its processors, as `x86_64`.")


_HOST_IMAGE = (
    "The machine whose libraries of the system were looked into: that of the build, on which its files were "
    "read; null where none is known."
)


@strawberry.type(description="What the loader would do if another build of a package took its place.")
class Splice:
    """What the loader would do if another build of a package took its place."""

    verdict: SpliceVerdict = strawberry.field(description="Whether everything still starts.")
    missing_symbols: list[MissingSymbol] = strawberry.field(description="Symbols that are gone.")
    missing_libraries: list[MissingLibrary] = strawberry.field(description="Libraries that are gone.")
    missing_versions: list[MissingVersion] = strawberry.field(description="Versions that are gone.")
    sonames_kept: bool = strawberry.field(
        description="Whether every name that the package served is served by what replaces it."
    )
    warnings: list[str] = strawberry.field(description="What the loader would go on after.")
    undecided: list[str] = strawberry.field(description="Why it cannot be known, if it cannot.")
    basis: SpliceBasis = strawberry.field(description="What the verdict rests on.")
    host_image: HostImage | None = strawberry.field(description=_HOST_IMAGE)


@strawberry.type(description="What the loader refuses of a build as it is.")
class MissingNow:
    """What the loader refuses of a build as it is."""

    verdict: SpliceVerdict = strawberry.field(
        description="WORKS if nothing is missing, BREAKS if something is, UNKNOWN if `undecided` says why."
    )
    missing_symbols: list[MissingSymbol] = strawberry.field(description="Symbols that nothing defines.")
    missing_libraries: list[MissingLibrary] = strawberry.field(description="Libraries that are not there.")
    missing_versions: list[MissingVersion] = strawberry.field(
        description="Versions that a library does not define."
    )
    undecided: list[str] = strawberry.field(description="Why it may be more, if it cannot be known.")
    host_image: HostImage | None = strawberry.field(description=_HOST_IMAGE)


@strawberry.type(description="What a replacement does, in short.")
class SpliceCell:
    """What a replacement does, in short."""

    verdict: SpliceVerdict = strawberry.field(description="Whether everything still starts.")
    missing: int = strawberry.field(description="How many symbols, versions and libraries are gone.")
    reasons: list[str] = strawberry.field(
        description="What ld.so would say of up to 5 of them, then why it cannot be known."
    )


@strawberry.type(description="What a replacement does to a spec, or with a spec.")
class SpliceOutcome(SpliceCell):
    """What a replacement does to a spec, or with a spec."""

    spec: Spec = strawberry.field(description="The spec that is replaced with, or that uses it.")


@strawberry.type(description="Every known spec of a package in the place of a build's.")
class SpliceCandidates:
    """Every known spec of a package in the place of a build's."""

    outcomes: list[SpliceOutcome] = strawberry.field(description="The newest first; `spec` is the candidate.")
    end_cursor: str | None = strawberry.field(description="The `after` of the next page; null at the end.")


@strawberry.type(description="A spec that links or runs a package, with other specs of that package.")
class SpliceRow:
    """A spec that links or runs a package, with other specs of that package."""

    spec: Spec = strawberry.field(description="The spec.")
    uses: Spec = strawberry.field(description="The spec of the package that it was built with.")
    cells: list[SpliceCell] = strawberry.field(
        description="What each of the matrix's `versions` does in the place of that."
    )


@strawberry.type(description="Specs of a package by specs that link or run one of them.")
class SpliceMatrix:
    """Specs of a package by specs that link or run one of them."""

    versions: list[Spec] = strawberry.field(description="Specs of the package, the newest first.")
    versions_end_cursor: str | None = strawberry.field(
        description="The `afterVersion` of the next page; null at the end."
    )
    rows: list[SpliceRow] = strawberry.field(description="What uses the package itself, the newest first.")
    end_cursor: str | None = strawberry.field(description="The `after` of the next page; null at the end.")


@strawberry.type(description="What has to be rebuilt if a package is upgraded.")
class RebuildsNeeded:
    """What has to be rebuilt if a package is upgraded."""

    replacement: Spec = strawberry.field(description="The spec that takes the place of the older ones.")
    outcomes: list[SpliceOutcome] = strawberry.field(
        description="What links or runs them, at any depth, the newest first: BREAKS must be rebuilt."
    )
    end_cursor: str | None = strawberry.field(description="The `after` of the next page; null at the end.")


@strawberry.enum(description="How Spack says that a spec may take another's place.")
class SpliceSource(Enum):
    """How Spack says that a spec may take another's place."""

    SPLICED = value("SPLICED", description="It did so: the spec runs with others than it was built with.")
    CAN_SPLICE = value("CAN_SPLICE", description="The recipe of the spec declares `can_splice`.")


@strawberry.type(description="What Spack says of a splice, and what the loader does.")
class SpliceStatement:
    """What Spack says of a splice, and what the loader does."""

    source: SpliceSource = strawberry.field(description="How Spack says it.")
    spec: Spec = strawberry.field(
        description="Of SPLICED the spec that was spliced, `buildSpec` is what it was built as; of "
        "CAN_SPLICE the one that may take another's place."
    )
    replaced: Spec | None = strawberry.field(
        description="Of CAN_SPLICE: whose place it may take; null if none was installed or is known."
    )
    statement: str | None = strawberry.field(
        description="Of CAN_SPLICE: what the recipe says, as `zlib@1.3.1 when @1.3.2`."
    )
    verdict: SpliceVerdict = strawberry.field(
        description="BREAKS where Spack is wrong: of SPLICED what the loader does with it today, of "
        "CAN_SPLICE the worst that happens to any spec that links or runs `replaced`."
    )
    missing: int = strawberry.field(description="How many symbols, versions and libraries are gone.")
    broken: list[Spec] = strawberry.field(description="Of CAN_SPLICE: what would not start any more.")
    reasons: list[str] = strawberry.field(
        description="What ld.so would say of up to 5 of them, then why it cannot be known."
    )


@strawberry.type(description="What Spack says of splices.")
class SpliceStatements:
    """What Spack says of splices."""

    statements: list[SpliceStatement] = strawberry.field(description="Of the newest specs first.")
    end_cursor: str | None = strawberry.field(description="The `after` of the next page; null at the end.")
