"""Which claims speak of one run: a pure function of the set of claims, whatever the order in which they came.

1. Claims whose logs prove one run are together.
2. Claims of the same spec, or of the same prefix, whose times decide (`Span.decides`) are together where
   nothing contradicts it, the closest pair first. That times touch is not enough, and a claim that fits two
   runs equally well belongs to neither: two runs in one are worse than one run twice.
3. Claims that name no spec belong to the only run of their package that they fit, by times that decide.
4. Claims without times, each beside few others (`spackmon.runs.untimed`): what is installed now belongs to
   the last success, anything else to the only run that it fits.

What a person joined or split by hand stands above all of these.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import combinations

from spackmon.runs.claim import Claim
from spackmon.runs.evidence import (
    OF_LAST_SUCCESS,
    Evidence,
    contradict,
    evidence,
    is_upload_of,
    same_logs,
    same_spec,
    times_decide,
)
from spackmon.runs.times import window
from spackmon.runs.untimed import candidates, is_rival
from spackmon.status import BuildStatus, SourceKind

_INSTALLED = OF_LAST_SUCCESS - {SourceKind.MS1}

Name = tuple[str, str, int]
"""What a claim is called (`Claim.name`)."""

Rulings = Mapping[frozenset[Name], bool]
"""What people said of two claims, by their names: true, they are one run; false, they are two."""

Group = tuple[Claim, ...]


def resolve(
    claims: Iterable[Claim],
    rulings: Rulings | None = None,
    beside: Mapping[Claim, Sequence[Claim]] | None = None,
) -> list[Group]:
    """The runs, each as its claims; both in the order of the claims' names.

    Whatever the order in which the claims are given, the result is the same. `beside` is `candidates` of all
    claims that there are, where these are a part of them.
    """
    ordered = sorted({claim.name: claim for claim in claims}.values(), key=lambda claim: claim.name)
    groups = _Groups(ordered, rulings or {})
    groups.join_proven()
    timed = [claim for claim in ordered if claim.span is not None]
    groups.join_close(_pairs(timed, _same_thing), is_only=False)
    groups.join_close(_pairs(timed, _may_be_same_package), is_only=True)
    for claim, others in (candidates(ordered) if beside is None else beside).items():
        groups.place_untimed(claim, others)
    return groups.listed()


def may_decide(one: Claim, other: Claim) -> bool:
    """Whether one of two claims can decide about the other's run: they may be one, or are two beside one."""
    if is_rival(one, other):
        return True
    if contradict(one, other):
        return False
    if same_logs(one, other):
        return True
    if None in (one.span, other.span):
        return _same_thing(one, other)
    return times_decide(one, other) and (_same_thing(one, other) or _may_be_same_package(one, other))


class _Groups:
    """Claims in groups that grow."""

    def __init__(self, claims: Sequence[Claim], rulings: Rulings) -> None:
        self._rulings = rulings
        # Their times are those of the upload.
        self._uploads: set[Claim] = set()
        self._group_of: dict[Claim, list[Claim]] = {claim: [claim] for claim in claims}

    def listed(self) -> list[Group]:
        """The groups, in the order of their first claims."""
        distinct = {id(group): group for group in self._group_of.values()}
        listed = [tuple(sorted(group, key=lambda claim: claim.name)) for group in distinct.values()]
        return sorted(listed, key=lambda group: group[0].name)

    def join_proven(self) -> None:
        """Join what logs or people prove to be one run."""
        named = {claim.name: claim for claim in self._group_of}
        for pair, is_one_run in self._rulings.items():
            if is_one_run:
                first, *rest = pair
                for name in rest:
                    self._join(named[first], named[name])
        for one, other in _with_common_logs(list(self._group_of)):
            if same_logs(one, other) and not self._apart(one, other):
                self._join(one, other)
                self._uploads |= {a for a, b in ((one, other), (other, one)) if is_upload_of(a, b)}

    def join_close(self, pairs: Iterable[tuple[Claim, Claim]], *, is_only: bool) -> None:
        """Join along pairs that agree, the strongest first; with `is_only` where there is no other choice."""
        fits: dict[Claim, dict[Claim, Evidence]] = {}
        for one, other in pairs:
            # The times of an upload say nothing of its run.
            is_timed = one not in self._uploads and other not in self._uploads
            if is_timed and times_decide(one, other) and not self._contradict(one, other):
                fits.setdefault(one, {})[other] = fits.setdefault(other, {})[one] = evidence(one, other)
        # Names are unique: the claims behind them are never compared.
        ranked = sorted(
            (found.rank, one.name, other.name, one, other)
            for one, of_one in fits.items()
            for other, found in of_one.items()
            if one.name < other.name
        )
        for _, _, _, one, other in ranked:
            if self._apart(one, other):
                continue
            if not self._is_open(one, other, fits, is_only) and not self._is_open(other, one, fits, is_only):
                self._join(one, other)

    def _is_open(
        self, claim: Claim, chosen: Claim, fits: Mapping[Claim, Mapping[Claim, Evidence]], is_only: bool
    ) -> bool:
        """Whether `claim` may as well be of a run that `chosen` is not of, or of either of two."""
        others = [
            other
            for other, found in fits[claim].items()
            if other is not chosen
            and (is_only or not fits[claim][chosen].is_clearly_better(found))
            and not _is_of_later(claim, chosen, other)
            and not self._apart(other, claim)
        ]
        return any(self._apart(other, chosen) for other in others) or any(
            self._apart(one, other) for one, other in combinations(others, 2)
        )

    def place_untimed(self, claim: Claim, others: Iterable[Claim]) -> None:
        """Join a claim without times with the run of `others` that it belongs to, if that is certain."""
        if len(self._group_of[claim]) > 1:
            return
        fitting: dict[int, list[Claim]] = {}
        for other in others:
            if _same_thing(claim, other) and not self._apart(claim, other):
                fitting[id(self._group_of[other])] = self._group_of[other]
        chosen = _last_success(fitting.values()) if claim.kind in OF_LAST_SUCCESS else None
        if chosen is None and len(fitting) == 1:
            chosen = next(iter(fitting.values()))
        if chosen is not None:
            self._join(claim, chosen[0])

    def _contradict(self, one: Claim, other: Claim) -> bool:
        ruling = self._rulings.get(frozenset({one.name, other.name})) if self._rulings else None
        if ruling is not None:
            return not ruling
        return contradict(one, other, in_time=one not in self._uploads and other not in self._uploads)

    def _apart(self, one: Claim, other: Claim) -> bool:
        """Whether two claims are of different runs, by themselves or by what they are together with."""
        mine, theirs = self._group_of[one], self._group_of[other]
        if mine is theirs:
            return False
        return any(self._contradict(a, b) for a in mine for b in theirs)

    def _join(self, one: Claim, other: Claim) -> None:
        mine, theirs = self._group_of[one], self._group_of[other]
        if mine is not theirs:
            mine.extend(theirs)
            for claim in theirs:
                self._group_of[claim] = mine


def _with_common_logs(claims: Sequence[Claim]) -> list[tuple[Claim, Claim]]:
    """The pairs that share a time in a log, or a log, in the order of their names."""
    by_content: dict[tuple[str, str | int | None], list[Claim]] = defaultdict(list)
    for claim in claims:
        for mark in claim.marks:
            by_content[mark].append(claim)
        if claim.kind is SourceKind.MS1:
            for phase in claim.phases:
                if phase.log_bytes:
                    by_content[phase.name, phase.log_id].append(claim)
    pairs = {pair for sharing in by_content.values() for pair in combinations(sharing, 2)}
    return sorted(pairs, key=lambda pair: (pair[0].name, pair[1].name))


def _pairs(claims: Iterable[Claim], agree: Callable[[Claim, Claim], bool]) -> Iterator[tuple[Claim, Claim]]:
    """The pairs that agree, of those whose times may touch: each is compared with its neighbours alone."""
    windows = [(touching, claim) for claim in claims if (touching := window(claim)) is not None]
    before: list[tuple[datetime, Claim]] = []
    for (begins_at, ends_at), claim in sorted(windows, key=lambda entry: entry[0]):
        before = [(end, other) for end, other in before if end >= begins_at]
        yield from ((other, claim) for _, other in before if agree(other, claim))
        before.append((ends_at, claim))


def _same_thing(one: Claim, other: Claim) -> bool:
    return same_spec(one, other) or (one.prefix is not None and one.prefix == other.prefix)


def _may_be_same_package(one: Claim, other: Claim) -> bool:
    knows_both = one.knows_spec and other.knows_spec
    return not knows_both and one.package_id is not None and one.package_id == other.package_id


def _is_of_later(claim: Claim, later: Claim, other: Claim) -> bool:
    """Whether of two successes on one machine, of which its times mean the later one, `claim` is of that.

    What is installed was made by the last success: that both ended within the skew of clocks is no doubt.
    """
    if claim.kind not in _INSTALLED or not later.outcome is other.outcome is BuildStatus.SUCCESS:
        return False
    one, two, own = later.span, other.span, claim.span
    if one is None or two is None or own is None or not (one.has_end and two.has_end):
        return False
    is_one_clock = bool(later.machine.hostname) and later.machine.hostname == other.machine.hostname
    is_nearer = own.distance_seconds(one) <= own.distance_seconds(two)
    return is_one_clock and is_nearer and two.end < one.end <= claim.first_reported_at


def _last_success(groups: Iterable[list[Claim]]) -> list[Claim] | None:
    """Of the groups that succeeded and have times, the one that ended last."""
    ended = []
    for group in groups:
        ends = [claim.span.end for claim in group if claim.span is not None]
        if ends and any(claim.outcome is BuildStatus.SUCCESS for claim in group):
            ended.append((max(ends), min(claim.name for claim in group), group))
    return max(ended, key=lambda entry: entry[:2])[2] if ended else None
