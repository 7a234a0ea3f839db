"""Which microarchitectures a `target=` constraint allows, by archspec's partial order.

`x86_64_v3:` are all that descend from x86_64_v3, `:haswell` haswell and its ancestors, `zen2:zen4` what
lies between. Families have nothing in common, so a range never leaves the family of its ends.
"""

from functools import cache

from archspec.cpu import TARGETS

ANY_TARGET = "*"


def allowed_targets(constraint: str) -> frozenset[str] | None:
    """The names of the targets that satisfy `constraint`, elements separated by commas; None for all.

    An element without a colon is a name, whether archspec knows it or not; a range with an end that
    archspec does not know holds nothing.
    """
    if constraint == ANY_TARGET:
        return None
    allowed: set[str] = set()
    for element in constraint.split(","):
        lowest, colon, highest = element.partition(":")
        if not colon:
            allowed.add(element)
        elif not lowest and not highest:
            return None
        else:
            allowed.update(_between(lowest, highest))
    return frozenset(allowed)


def common_targets(constraints: tuple[str, ...]) -> frozenset[str] | None:
    """The names that satisfy every one of `constraints`; None for all."""
    common: frozenset[str] | None = None
    for constraint in constraints:
        allowed = allowed_targets(constraint)
        if allowed is not None:
            common = allowed if common is None else common & allowed
    return common


def _between(lowest: str, highest: str) -> set[str]:
    if (lowest and lowest not in TARGETS) or (highest and highest not in TARGETS):
        return set()
    return {
        name
        for name in TARGETS
        if (not lowest or _lineage(lowest) <= _lineage(name))
        and (not highest or _lineage(name) <= _lineage(highest))
    }


@cache
def _lineage(name: str) -> frozenset[str]:
    """A known target and its ancestors."""
    return frozenset({name, *(ancestor.name for ancestor in TARGETS[name].ancestors)})
