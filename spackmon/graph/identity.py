"""When documents that state different hashes are of one spec.

A document names its spec by the strongest hash that it states, its key: in the formats of before Spack 0.18
the full_hash (build dependencies and recipe included), else the build_hash (build dependencies included),
else the DAG hash; since then the DAG hash. Documents with one key are of one spec. Those with a weaker key
are of the spec of a stronger one if that is the only other spec that shows the key, and the two contradict
each other in nothing. A DAG hash of before 0.18 may be that of several specs: a document that states no
more is then of none of them but of a spec of its own, because a double is the smaller evil. The answer
depends on the set of the documents alone, not on their order.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

Key = tuple[str, str]
"""The kind of a hash, and the hash."""

STRENGTH = {"full_hash": 2, "build_hash": 1, "hash": 0}
"""Of the kinds of hashes that may be a key: what a higher one names, it names more exactly."""

LINKING_KINDS = frozenset(("build_hash", "hash"))
"""The kinds of hashes that may say that documents with different keys are of one spec."""


@dataclass(slots=True)
class Stated:
    """What the documents with one key state together: hashes, and what the spec is a version of."""

    key: Key
    hashes: set[Key] = field(default_factory=set)
    about: set[int] = field(default_factory=set)


def owners(stated: Iterable[Stated]) -> dict[Key, Key]:
    """For each key the key of the spec that its documents are of.

    `stated` must hold, with a key, all others that show one of its DAG or build hashes.
    """
    specs = {one.key: Stated(one.key, set(one.hashes), set(one.about)) for one in stated}
    owner = {key: key for key in specs}
    for kind in ("build_hash", "hash"):
        shown = _shown(specs.values(), kind)
        joining: dict[Key, Key] = {}
        for key in specs:
            others = shown.get(key, set()) - {key} if key[0] == kind else ()
            if len(others) == 1:
                (other,) = others
                if _agree(specs[key], specs[other]):
                    joining[key] = other
        for weaker, stronger in joining.items():
            specs[stronger].hashes |= specs.pop(weaker).hashes
        owner = {key: joining.get(its_owner, its_owner) for key, its_owner in owner.items()}
    return owner


def _shown(specs: Iterable[Stated], kind: str) -> dict[Key, set[Key]]:
    """The specs that show each hash of a kind."""
    shown: dict[Key, set[Key]] = {}
    for one in specs:
        for hash_ in one.hashes:
            if hash_[0] == kind:
                shown.setdefault(hash_, set()).add(one.key)
    return shown


def _agree(weaker: Stated, stronger: Stated) -> bool:
    if STRENGTH[weaker.key[0]] >= STRENGTH[stronger.key[0]] or weaker.about.isdisjoint(stronger.about):
        return False
    for kind in STRENGTH:
        theirs = [{key for key in one.hashes if key[0] == kind} for one in (weaker, stronger)]
        if all(theirs) and theirs[0].isdisjoint(theirs[1]):
            return False
    return True
