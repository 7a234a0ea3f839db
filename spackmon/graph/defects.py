"""What an advisory is about, as ranges of versions of packages with variants: what a table can hold.

What depends on more than a spec's own package, version and variants, as `zlib %gcc`, is not decided.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from spackmon.graph.abstract_spec import AbstractSpec, VariantConstraint
from spackmon.graph.parameters import indexed_name, indexed_value
from spackmon.graph.spec_syntax import parse_spec
from spackmon.graph.spec_tokens import SpecSyntaxError
from spackmon.graph.versions import KeyRange, version_key, version_ranges

_BEHIND = b"\x00"
"""What no key goes on with: behind a key it is the end of the range of that version alone."""


@dataclass(frozen=True, slots=True)
class AffectedRange:
    """Versions of a package, and the rows of parameters that a spec of them must have to be affected."""

    package: str
    keys: KeyRange
    variants: tuple[tuple[str, str], ...] = ()


class Undecided(ValueError):  # noqa: N818 -- named for what it says about an advisory
    """Nobody can say here what is affected; the message says why."""


@dataclass(frozen=True, slots=True)
class Defect:
    """A known defect as it is stored: what it is about in words, the ranges that this means, and the rest."""

    identifier: str
    aliases: tuple[str, ...]
    summary: str
    affects: tuple[str, ...]
    ranges: tuple[AffectedRange, ...]
    undecided: tuple[str, ...]
    withdrawn_at: datetime | None = None


def ranges_of_versions(package: str, conditions: Sequence[Mapping[str, Any]]) -> list[AffectedRange]:
    """The ranges of alternatives, each a VersionFilter of the schema; of none at all every version."""
    if not conditions:
        return [AffectedRange(package, keys) for keys in version_ranges(":")]
    return [AffectedRange(package, keys) for one in conditions for keys in _of_condition(one)]


def ranges_of_spec(text: str) -> list[AffectedRange]:
    """The ranges of what satisfies a spec in Spack's words. Raises Undecided."""
    try:
        asked = parse_spec(text)
    except SpecSyntaxError as problem:
        raise Undecided(f"{text}: {problem.problem}") from None
    if asked.name is None:
        raise Undecided(f"{text}: it names no package")
    plain = AbstractSpec(name=asked.name, versions=asked.versions, variants=asked.variants)
    if asked != plain:
        raise Undecided(f"{text}: only a package, versions and variants are decided")
    variants = tuple(row for one in asked.variants for row in _rows(one, text))
    return [
        AffectedRange(asked.name, keys, variants)
        for keys in (version_ranges(":") if asked.versions is None else asked.versions)
    ]


def _rows(variant: VariantConstraint, text: str) -> Iterator[tuple[str, str]]:
    is_several = variant.is_exact and len(variant.values) > 1
    if variant.is_propagated or is_several or not variant.values or variant.name == "patches":
        raise Undecided(f"{text}: of {variant.name} only values are decided")
    for value in variant.values:
        yield indexed_name(variant.name), indexed_value(value)


def _of_condition(condition: Mapping[str, Any]) -> Iterator[KeyRange]:
    for version in condition.get("in", ()):
        key = version_key(version)
        yield key, key + _BEHIND
    if "in" in condition:
        return
    ((low, high),) = version_ranges(":")
    if "ge" in condition:
        low = version_key(condition["ge"])
    if "lt" in condition:
        high = version_key(condition["lt"])
    elif "le" in condition:
        high = version_key(condition["le"]) + _BEHIND
    if low < high:
        yield low, high
