"""The order in which the phases of one run ran, put together from what several sources saw of it.

A source's own list is in the order of the run; a source that sends each phase by itself, as CDash does,
has lists of one. What no list says is decided by the order in which Spack's build systems run their phases.
"""

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

USUAL_ORDER = (
    "fetch", "stage", "patch", "unpack", "generate_luarocks_config", "preprocess", "bootstrap", "autoreconf",
    "hostconfig", "initconfig", "edit", "cmake", "qmake", "meson", "configure", "build", "check",
    "build_test", "install", "installcheck", "install_test", "post-install", "test",
)  # fmt: skip
"""Spack's names, those of one build system in the order in which it runs them; of the others any is right."""

_RANKS = {name: rank for rank, name in enumerate(USUAL_ORDER)}

_Later = dict[str, set[str]]
"""For each phase those that come right after it in some list."""


def ordered(lists: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """All names of `lists`, each once, in the order of the run; the order of `lists` itself does not matter.

    A list that contradicts the longer ones says nothing but its names. A name that a list has twice ran when
    it was first.
    """
    distinct = {tuple(dict.fromkeys(names)) for names in lists}
    if len(distinct) == 1:
        return distinct.pop()
    later: _Later = {name: set() for names in distinct for name in names}
    for names in sorted(distinct, key=lambda names: (-len(names), names)):
        with_these = _with(later, pairwise(names))
        if len(list(_sorted(with_these))) == len(later):
            later = with_these
    return tuple(_sorted(_as_usual(later)))


def _with(later: Mapping[str, Collection[str]], pairs: Iterable[tuple[str, str]]) -> _Later:
    extended = {name: set(after) for name, after in later.items()}
    for first, second in pairs:
        extended[first].add(second)
    return extended


def _as_usual(later: _Later) -> _Later:
    """With what the usual order says of any two phases, where the lists leave that open."""
    later = _with(later, ())
    usual = sorted(_RANKS.keys() & later.keys(), key=_RANKS.__getitem__)
    for position, first in enumerate(usual):
        for second in usual[position + 1 :]:
            if not _comes_before(second, first, later):
                later[first].add(second)
    return later


def _comes_before(first: str, second: str, later: _Later) -> bool:
    seen, pending = {first}, [first]
    while pending:
        for name in later[pending.pop()]:
            if name == second:
                return True
            if name not in seen:
                seen.add(name)
                pending.append(name)
    return False


def _sorted(later: _Later) -> Iterator[str]:
    """The names, none before what it follows; those of a circle are missing."""
    before = dict.fromkeys(later, 0)
    for names in later.values():
        for name in names:
            before[name] += 1
    ready = [(_RANKS.get(name, len(_RANKS)), name) for name, count in before.items() if not count]
    heapq.heapify(ready)
    while ready:
        _, name = heapq.heappop(ready)
        yield name
        for following in later[name]:
            before[following] -= 1
            if not before[following]:
                heapq.heappush(ready, (_RANKS.get(following, len(_RANKS)), following))
