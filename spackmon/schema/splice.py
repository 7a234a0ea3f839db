"""What the loader would do if another build of a package took its place."""

from enum import Enum

import strawberry

value = strawberry.enum_value


@strawberry.enum(description="What is predicted of a splice.")
class SpliceVerdict(Enum):
    """What is predicted of a splice."""

    WORKS = value("WORKS", description="The loader starts everything that it starts today.")
    BREAKS = value("BREAKS", description="It refuses something that it starts today.")
    UNKNOWN = value("UNKNOWN", description="What is stored does not decide it; `undecided` says why.")


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
