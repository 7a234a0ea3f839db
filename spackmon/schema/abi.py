"""What differs between the libraries of two builds of a package."""

from enum import Enum

import strawberry

from spackmon.schema.spec import Spec
from spackmon.schema.splice import SpliceVerdict

value = strawberry.enum_value


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


@strawberry.enum(description="Who described a library.")
class InterfaceBasis(Enum):
    """Who described a library."""

    ABIDW = value(
        "ABIDW",
        description="abidw of libabigail: types and what is exported; no symbol that it needs, no version "
        "that it needs.",
    )
    SMEAGLE = value(
        "SMEAGLE",
        description="smeagle: where parameters are passed; nothing of what is in a struct, or returned.",
    )


@strawberry.enum(description="What is compiled against a library, with another one.")
class InterfaceVerdict(Enum):
    """What is compiled against a library, with another one."""

    BREAKS_COMPILED = value(
        "BREAKS_COMPILED",
        description="It may start, and takes something for what it is not: it must be compiled anew.",
    )
    NOTHING_FOUND = value(
        "NOTHING_FOUND",
        description="The analyzer has told nothing of that kind, which is less than that it works.",
    )
    UNKNOWN = value("UNKNOWN", description="`undecided` says why.")


@strawberry.enum(description="What is different in how a library is described.")
class InterfaceChangeKind(Enum):
    """What is different in how a library is described."""

    SYMBOL_REMOVED = value("SYMBOL_REMOVED", description="It defines a symbol no more.")
    SYMBOL_ADDED = value("SYMBOL_ADDED", description="It defines a symbol anew.")
    TYPE_REMOVED = value(
        "TYPE_REMOVED", description="A class, union or enumeration is gone or of another kind."
    )
    TYPE_ADDED = value("TYPE_ADDED", description="A class, union or enumeration is new.")
    TYPE_SIZE = value("TYPE_SIZE", description="A type has another size.")
    TYPE_LAYOUT = value("TYPE_LAYOUT", description="A member or base has another place or type, or is gone.")
    VTABLE = value("VTABLE", description="An entry of a table of virtual functions is another function.")
    ENUMERATOR_REMOVED = value("ENUMERATOR_REMOVED", description="An enumerator is gone.")
    ENUMERATOR_ADDED = value("ENUMERATOR_ADDED", description="An enumerator is new.")
    ENUMERATOR_VALUE = value("ENUMERATOR_VALUE", description="An enumerator has another value.")
    PARAMETERS = value("PARAMETERS", description="A function takes other parameters.")
    RETURN_TYPE = value("RETURN_TYPE", description="A function returns another type.")
    VARIABLE_TYPE = value("VARIABLE_TYPE", description="A variable is of another type.")
    MISSING_IMPORT = value(
        "MISSING_IMPORT", description="A parameter of a function that it calls is not passed so any more."
    )
    MISSING_EXPORT = value(
        "MISSING_EXPORT", description="A parameter of a function that it offers is not taken so any more."
    )


@strawberry.type(description="Something that differs in how two libraries are described.")
class InterfaceChange:
    """Something that differs in how two libraries are described."""

    kind: InterfaceChangeKind = strawberry.field(description="What it is.")
    name: str = strawberry.field(description="The symbol, type, `type::member` or `type::enumerator`.")
    before: str | None = strawberry.field(description="What it is in `a`; null if it is not there.")
    after: str | None = strawberry.field(description="What it is in `b`; null if it is not there.")
    breaks: bool = strawberry.field(
        description="Whether what was compiled against `a` takes `b` for what it is not: of a type, only if "
        "something exported leads to it."
    )
    reached_from: list[str] = strawberry.field(
        description="Up to 5 exported functions and variables of `a` that lead to a type."
    )


@strawberry.type(description="How a library of two builds is described, by one analyzer.")
class InterfaceDifference:
    """How a library of two builds is described, by one analyzer."""

    library: str = strawberry.field(description="Its name without a version, as `libz`.")
    basis: InterfaceBasis = strawberry.field(description="Who described it.")
    verdict: InterfaceVerdict = strawberry.field(
        description="Whether what is compiled against it in `a` can be used with `b`."
    )
    change_count: int = strawberry.field(description="How many changes there are.")
    changes: list[InterfaceChange] = strawberry.field(
        description="Up to `symbols` of them, what breaks first."
    )
    undecided: list[str] = strawberry.field(description="Why there may be more than is known, if there may.")


@strawberry.type(description="What differs between the libraries of two specs.")
class AbiDifference:
    """What differs between the libraries of two specs."""

    verdict: SpliceVerdict = strawberry.field(
        description="Whether what is linked with any library of `a` starts with `b`."
    )
    undecided: list[str] = strawberry.field(description="Why there may be more than is known, if there may.")
    libraries: list[LibraryDifference] = strawberry.field(description="Those of both, by name.")
    end_cursor: str | None = strawberry.field(description="The `after` of the next page; null at the end.")
    interfaces: list[InterfaceDifference] = strawberry.field(
        description="What was compiled against a library of `a` finds in `b`, as far as results of the "
        "analyzers `abigail` (or `libabigail`) and `smeagle` say; it is no part of `verdict`."
    )


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
