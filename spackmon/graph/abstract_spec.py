"""A spec with some of its parts open, as people write it: what a concrete spec may be tested against."""

from dataclasses import dataclass

from spackmon.graph.spec import Deptype
from spackmon.graph.spec_text import COMPILER_NAMES
from spackmon.graph.versions import KeyRange

NO_DEPTYPES = Deptype(0)

ANY = "*"
"""As a platform or an operating system: whatever it is."""

COMPILER_PACKAGES = {name: package for package, name in COMPILER_NAMES.items()}
"""The packages of the compilers that had other names before Spack 1.0; after `%` the old names are read."""


@dataclass(frozen=True, slots=True)
class VariantConstraint:
    """What a variant must hold: all of `values`, or exactly them where `is_exact`; a boolean is exact.

    A `is_propagated` one is asked of the node and of every node below it that has the variant.
    """

    name: str
    values: tuple[bool | str, ...]
    is_exact: bool = False
    is_propagated: bool = False


@dataclass(frozen=True, slots=True)
class AbstractEdge:
    """A dependency that must be there: `%`, direct, or `^`, at any depth.

    It is asked for only where `when` holds of the node that depends.
    """

    spec: "AbstractSpec"
    is_direct: bool
    deptypes: Deptype = NO_DEPTYPES
    virtuals: tuple[str, ...] = ()
    when: "AbstractSpec | None" = None


@dataclass(frozen=True, slots=True)
class AbstractSpec:
    """Constraints, all of which must hold; None and empty ask for nothing.

    `versions` are ranges of keys, one of which must hold the version's. Every one of `targets` must
    allow the target (see `targets`). `flags` are kinds with one flag each. `mentions_architecture`, even to
    leave it open (`os=None`).
    """

    name: str | None = None
    namespace: str | None = None
    versions: tuple[KeyRange, ...] | None = None
    variants: tuple[VariantConstraint, ...] = ()
    flags: tuple[tuple[str, str], ...] = ()
    platform: str | None = None
    operating_system: str | None = None
    targets: tuple[str, ...] = ()
    mentions_architecture: bool = False
    hash_prefix: str | None = None
    edges: tuple[AbstractEdge, ...] = ()
