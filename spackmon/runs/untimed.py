"""Where a claim without times may belong: beside few others, however many there are.

It says nothing of when it ran, so that only what it is can place it: its spec, or what is at its prefix. It
is placed only if it is the only one of its kind without times there, and compared with the newest that have
times: what else is there was made by others.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from datetime import datetime

from spackmon.runs.claim import Claim
from spackmon.runs.times import window

NEWEST = 32
"""So many claims with times, the last to end, are considered, and those that end with the last of them."""


def is_rival(one: Claim, other: Claim) -> bool:
    """Whether two claims of one kind say nothing of when they ran, of one spec or at one prefix."""
    if one.span is not None or other.span is not None or one.kind is not other.kind or one is other:
        return False
    return bool(_things(one) & _things(other))


def candidates(claims: Iterable[Claim]) -> dict[Claim, list[Claim]]:
    """Beside which others each claim without times may be placed, of all that there are."""
    there: dict[Hashable, list[Claim]] = defaultdict(list)
    meant: dict[str, set[Hashable]] = defaultdict(set)
    ordered = sorted(claims, key=lambda claim: claim.name)
    for claim in ordered:
        for thing in _things(claim):
            there[thing].append(claim)
        if claim.dag_hash is not None and claim.spec_id is not None:
            meant[claim.dag_hash].add(("spec", claim.spec_id))
    return {
        claim: _beside(claim, there, meant.get(claim.dag_hash or "", set()))
        for claim in ordered
        if claim.span is None
    }


def _beside(
    claim: Claim, there: Mapping[Hashable, list[Claim]], meant: Iterable[Hashable]
) -> list[Claim]:  # fmt: skip
    chosen: dict[Claim, None] = {}
    for thing in _things(claim):
        untimed = [other for other in there[thing] if other.span is None and other.kind is claim.kind]
        if len(untimed) > 1:
            continue
        for one in {thing, *(meant if thing == _spec(claim) else ())}:
            chosen |= dict.fromkeys(_few(there[one]))
    chosen.pop(claim, None)
    return list(chosen)


def _few(claims: Iterable[Claim]) -> list[Claim]:
    """The newest with times, and of those without the one of each kind that is alone."""
    ends: list[tuple[datetime, Claim]] = []
    untimed: list[Claim] = []
    for claim in claims:
        times = window(claim)
        if times is None:
            untimed.append(claim)
        else:
            ends.append((times[1], claim))
    kinds = Counter(claim.kind for claim in untimed)
    ends.sort(key=lambda entry: entry[0], reverse=True)
    last = ends[min(len(ends), NEWEST) - 1][0] if ends else None
    newest = [claim for end, claim in ends if last is not None and end >= last]
    return newest + [claim for claim in untimed if kinds[claim.kind] == 1]


def _spec(claim: Claim) -> Hashable:
    return ("hash", claim.spec_hash) if claim.spec_id is None else ("spec", claim.spec_id)


def _things(claim: Claim) -> set[Hashable]:
    """What it is of: its spec, or the hash of one that is not stored, and what is at its prefix."""
    things: set[Hashable] = {_spec(claim)} if claim.knows_spec else set()
    if claim.prefix is not None and claim.package_id is not None:
        things.add(("prefix", claim.package_id, claim.prefix))
    return things
