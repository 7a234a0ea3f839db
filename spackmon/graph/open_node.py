"""A node of a spec while it is being read: constraints come one by one, and must not contradict."""

from dataclasses import dataclass, field, replace

from spackmon.graph.abstract_spec import ANY, NO_DEPTYPES, AbstractEdge, AbstractSpec, VariantConstraint
from spackmon.graph.spec import Deptype
from spackmon.graph.spec_text import FLAG_NAMES
from spackmon.graph.targets import common_targets
from spackmon.graph.versions import KeyRange

_RESERVED = frozenset(
    {"arch", "architecture", "branch", "commit", "dev_path", "namespace", "operating_system", "os", "patches",
     "platform", "ref", "tag", "target"}
)  # fmt: skip
_VARIANTS = frozenset({"branch", "commit", "dev_path", "patches", "ref", "tag"})
_NOT_SWITCHES = _RESERVED - _VARIANTS | FLAG_NAMES
_OF_THIS_MACHINE = frozenset({"be", "backend", "default_os", "default_target", "fe", "frontend"})
_LINK_RUN = Deptype.LINK | Deptype.RUN


class Conflict(ValueError):  # noqa: N818 -- named for what was found
    """A constraint that cannot stand beside those before it; the message is the problem."""


@dataclass(slots=True)
class OpenEdge:
    """A dependency while it is being read."""

    node: "OpenNode"
    is_direct: bool
    deptypes: Deptype = NO_DEPTYPES
    virtuals: tuple[str, ...] = ()
    when: AbstractSpec | None = None


@dataclass(slots=True)
class OpenNode:
    """A node while it is being read; `closed` when all is said."""

    name: str | None = None
    namespace: str | None = None
    versions: tuple[KeyRange, ...] | None = None
    variants: dict[str, VariantConstraint] = field(default_factory=dict)
    flags: dict[tuple[str, str], None] = field(default_factory=dict)
    architecture: dict[str, str] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    mentions_architecture: bool = False
    hash_prefix: str | None = None
    edges: list[OpenEdge] = field(default_factory=list)

    def set_versions(self, versions: tuple[KeyRange, ...]) -> None:
        """Ask for a version; once."""
        if self.versions is not None:
            raise Conflict("a spec has one version or one list of versions, and here is a second")
        self.versions = versions

    def set_switch(self, name: str, value: bool, *, is_propagated: bool) -> None:
        """`+name` or `~name`."""
        if name in _NOT_SWITCHES:
            raise Conflict(f"{name} takes a value, as {name}=…")
        self._set_variant(VariantConstraint(name, (value,), True, is_propagated))

    def set_value(self, name: str, value: str, *, is_exact: bool, is_propagated: bool) -> None:
        """`name=value`, which may mean the architecture, the namespace, flags or a variant."""
        if is_propagated and name in _RESERVED:
            raise Conflict(f"{name} cannot be propagated: write one =")
        match name:
            case "arch" | "architecture":
                parts = value.split("-")
                platform, system, target = parts if len(parts) == 3 else ("", "", value)
                self._set_architecture(platform=platform, os=system, target=target)
            case "platform":
                self._set_architecture(platform=value)
            case "os" | "operating_system":
                self._set_architecture(os=value)
            case "target":
                self._set_architecture(target=value)
            case "namespace":
                self.namespace = value
            case _ if name in FLAG_NAMES:
                self.flags.update(((name, flag), None) for flag in _flags(value))
            case _:
                self._set_variant(_valued(name, value, is_exact, is_propagated))

    def _set_architecture(self, **parts: str) -> None:
        self.mentions_architecture = True
        for name, value in parts.items():
            if name in self.architecture:
                raise Conflict(f"{name} is given twice")
            if value in _OF_THIS_MACHINE:
                raise Conflict(f"{value} means the machine that Spack runs on: name what it stands for")
            # `linux-None-zen3` and `linux--zen3` leave a part open.
            if value and value != "None":
                self.architecture[name] = value

    def _set_variant(self, variant: VariantConstraint) -> None:
        if variant.name in self.variants:
            raise Conflict(f"the variant {variant.name} is given twice")
        self.variants[variant.name] = variant

    def add(self, edge: OpenEdge) -> "OpenNode":
        """Depend on `edge`; the node that its constraints went to, an earlier one of the same name."""
        same_name = [known for known in self.edges if known.node.name == edge.node.name]
        for known in same_name if edge.node.name is not None else ():
            if known.deptypes == edge.deptypes and known.when == edge.when:
                known.node.merge(edge.node)
                known.virtuals += edge.virtuals
                return known.node
        for known in same_name:
            if known.when == edge.when and not _compatible(known.deptypes, edge.deptypes):
                needed = edge.node.name or "what has no name"
                raise Conflict(f"{needed} is needed twice, by deptypes that exclude each other")
        self.edges.append(edge)
        return edge.node

    def merge(self, other: "OpenNode") -> None:
        """Ask also for all that `other` asks for, which has the same name and no dependencies yet."""
        if self.namespace and other.namespace and self.namespace != other.namespace:
            raise self._incompatible("namespaces")
        self.namespace = self.namespace or other.namespace
        self.versions = self._merged_versions(other)
        self._merge_hash(other)
        for variant in other.variants.values():
            known = self.variants.get(variant.name)
            merged = variant if known is None else _merged_variant(known, variant)
            if merged is None:
                raise self._incompatible(f"values of {variant.name}")
            self.variants[variant.name] = merged
        self.flags.update(other.flags)
        self._merge_architecture(other)

    def _merged_versions(self, other: "OpenNode") -> tuple[KeyRange, ...] | None:
        if self.versions is None or other.versions is None:
            return self.versions if other.versions is None else other.versions
        overlaps = [
            (max(low, other_low), min(high, other_high))
            for low, high in self.versions
            for other_low, other_high in other.versions
        ]
        common = tuple(sorted((low, high) for low, high in overlaps if low < high))
        if not common:
            raise self._incompatible("versions")
        return common

    def _merge_hash(self, other: "OpenNode") -> None:
        known, new = self.hash_prefix or "", other.hash_prefix or ""
        if not (known.startswith(new) or new.startswith(known)):
            raise self._incompatible("hashes")
        self.hash_prefix = max(known, new, key=len) or None

    def _merge_architecture(self, other: "OpenNode") -> None:
        for name in ("platform", "os"):
            known, new = self.architecture.get(name), other.architecture.get(name)
            if known and new and known != new:
                raise self._incompatible(f"values of {name}")
        target = other.architecture.get("target")
        if target is not None and "target" in self.architecture:
            # A target that stands beside another narrows it: both must allow what is found.
            if common_targets((*self._targets(), target)) == frozenset():
                raise self._incompatible("targets")
            self.targets += (target,)
        self.architecture = {**other.architecture, **self.architecture}
        self.mentions_architecture |= other.mentions_architecture

    def _targets(self) -> tuple[str, ...]:
        target = self.architecture.get("target")
        return (*(() if target is None else (target,)), *self.targets)

    def _incompatible(self, what: str) -> Conflict:
        return Conflict(f"{self.name} is needed twice, with {what} that exclude each other")

    def closed(self) -> AbstractSpec:
        """The node and all below it, as it stands now."""
        return AbstractSpec(
            name=self.name,
            namespace=self.namespace,
            versions=self.versions,
            variants=tuple(self.variants.values()),
            flags=tuple(self.flags),
            platform=self.architecture.get("platform"),
            operating_system=self.architecture.get("os"),
            targets=self._targets(),
            mentions_architecture=self.mentions_architecture,
            hash_prefix=self.hash_prefix,
            edges=tuple(
                AbstractEdge(
                    edge.node.closed(), edge.is_direct, edge.deptypes,
                    tuple(sorted(set(edge.virtuals))), edge.when,
                )
                for edge in self.edges
            ),
        )  # fmt: skip


def _compatible(known: Deptype, new: Deptype) -> bool:
    """Whether one package may be needed twice so: once to build, once to link or run."""
    return not known & new and not (known & _LINK_RUN and new & _LINK_RUN)


def _valued(name: str, value: str, is_exact: bool, is_propagated: bool) -> VariantConstraint:
    if value.upper() in ("TRUE", "FALSE"):
        return VariantConstraint(name, (value.upper() == "TRUE",), True, is_propagated)
    if value == ANY:
        return VariantConstraint(name, (), False, is_propagated)
    values = tuple(sorted(set(value.split(","))))
    if ANY in values:
        raise Conflict(f"* stands alone, as {name}=*")
    return VariantConstraint(name, values, is_exact, is_propagated)


def _merged_variant(known: VariantConstraint, new: VariantConstraint) -> VariantConstraint | None:
    """Both constraints as one, None where they exclude each other."""
    first, second = set(known.values), set(new.values)
    if (known.is_exact and not second <= first) or (new.is_exact and not first <= second):
        return None
    return replace(
        known,
        values=tuple(sorted(first | second, key=repr)),
        is_exact=known.is_exact or new.is_exact,
        is_propagated=known.is_propagated and new.is_propagated,
    )


def _flags(text: str) -> list[str]:
    """The flags of a text; a word without a dash is the value of the flag before it."""
    flags: list[str] = []
    for word in text.split():
        if flags and not word.startswith("-"):
            flags[-1] += f" {word}"
        else:
            flags.append(word)
    return flags
