"""What differs between the libraries of two builds of a package."""

import strawberry

from spackmon.schema.spec import Spec
from spackmon.schema.splice import SpliceVerdict


@strawberry.type(description="A symbol that a library offers.")
class ExportedSymbol:
    """A symbol that a library offers."""

    name: str = strawberry.field(description="Its name.")
    version: str | None = strawberry.field(description="Its version; null for none.")
    type: str = strawberry.field(description="`FUNC`, `OBJECT`, `TLS` or `NOTYPE`.")
    size: int | None = strawberry.field(description="In bytes, of a variable.")


@strawberry.type(description="A symbol that a library offers no more.")
class RemovedSymbol(ExportedSymbol):
    """A symbol that a library offers no more."""

    served_by: str | None = strawberry.field(
        description="The library that serves whoever needs it: the same by other rules of versions, or one "
        "that it needs itself; null if none does."
    )


@strawberry.type(description="A symbol of another type, or a variable of another size; the loader goes on.")
class ChangedSymbol:
    """A symbol of another type, or a variable of another size; the loader goes on."""

    name: str = strawberry.field(description="Its name.")
    version: str | None = strawberry.field(description="Its version; null for none.")
    type_before: str = strawberry.field(description="The type in `a`.")
    type_after: str = strawberry.field(description="The type in `b`.")
    size_before: int | None = strawberry.field(description="In bytes, of a variable in `a`.")
    size_after: int | None = strawberry.field(description="In bytes, of a variable in `b`.")


@strawberry.type(description="One library of two builds.")
class LibraryDifference:
    """One library of two builds."""

    name: str = strawberry.field(description="Its name without a version, as `libz`.")
    verdict: SpliceVerdict = strawberry.field(
        description="Whether what is linked with it in `a` starts with `b`."
    )
    soname_before: str | None = strawberry.field(description="Its soname in `a`.")
    soname_after: str | None = strawberry.field(description="Its soname in `b`.")
    path_before: str | None = strawberry.field(
        description="Its file below the prefix of `a`; null if there is none."
    )
    path_after: str | None = strawberry.field(
        description="Its file below the prefix of `b`; null if there is none."
    )
    removed_count: int = strawberry.field(description="How many symbols are gone.")
    added_count: int = strawberry.field(description="How many symbols are new.")
    changed_count: int = strawberry.field(description="How many symbols changed type or size.")
    removed: list[RemovedSymbol] = strawberry.field(description="Up to `symbols` of those that are gone.")
    added: list[ExportedSymbol] = strawberry.field(description="Up to `symbols` of those that are new.")
    changed: list[ChangedSymbol] = strawberry.field(description="Up to `symbols` of those that changed.")
    removed_versions: list[str] = strawberry.field(
        description="Up to `symbols` of the versions that it defines no more."
    )
    added_versions: list[str] = strawberry.field(
        description="Up to `symbols` of the versions that it defines anew."
    )
    reasons: list[str] = strawberry.field(
        description="What ld.so would say of up to 5 findings, then why it cannot be known."
    )


@strawberry.type(description="What differs between the libraries of two specs.")
class AbiDifference:
    """What differs between the libraries of two specs."""

    verdict: SpliceVerdict = strawberry.field(
        description="Whether what is linked with any library of `a` starts with `b`."
    )
    undecided: list[str] = strawberry.field(description="Why there may be more than is known, if there may.")
    libraries: list[LibraryDifference] = strawberry.field(description="Those of both, by name.")
    end_cursor: str | None = strawberry.field(description="The `after` of the next page; null at the end.")


@strawberry.type(description="A version of a package and the next one.")
class AbiStep:
    """A version of a package and the next one."""

    older: Spec = strawberry.field(description="The newest spec of a version whose files are known, if any.")
    newer: Spec = strawberry.field(description="The same of the next version.")
    verdict: SpliceVerdict = strawberry.field(
        description="Whether what is linked with any library of `older` starts with `newer`."
    )
    removed: int = strawberry.field(description="How many symbols are gone from all libraries.")
    added: int = strawberry.field(description="How many symbols are new.")
    changed: int = strawberry.field(description="How many symbols changed type or size.")
    removed_versions: int = strawberry.field(description="How many versions libraries define no more.")
    sonames_changed: int = strawberry.field(description="How many libraries have another soname.")
    libraries_removed: int = strawberry.field(description="How many libraries are gone.")
    reasons: list[str] = strawberry.field(
        description="What ld.so would say of up to 5 findings, then why it cannot be known."
    )


@strawberry.type(description="Each known version of a package and the next, in the order of Spack.")
class AbiHistory:
    """Each known version of a package and the next, in the order of Spack."""

    steps: list[AbiStep] = strawberry.field(description="From the oldest version on.")
    end_cursor: str | None = strawberry.field(description="The `after` of the next page; null at the end.")
