"""Claims that may be of one run with some, at any remove: what runs are derived from."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from spackmon.ingest.tables import claims, rulings
from spackmon.ingest.tables.claims import StoredClaim
from spackmon.ingest.tables.neighbours import Near, neighbours
from spackmon.runs.claim import Claim
from spackmon.runs.resolve import Rulings, may_decide


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Claims that may be of one run with some at any remove, by their ids, and what people said of pairs.

    Also beside which of them those without times may be placed (`spackmon.runs.untimed.candidates`).
    """

    stored: dict[int, StoredClaim]
    rulings: Rulings
    beside: dict[Claim, list[Claim]]


def neighbourhood(
    connection: Connection,
    claim_ids: Collection[int],
    known: Mapping[int, StoredClaim],
    first: Near | None,
) -> Neighbourhood:
    """What may be of one run with these claims; of those that are known nothing is read again.

    `first` is what is near some of them.
    """
    loaded = {**known, **claims.load_claims(connection, set(claim_ids) - set(known))}
    included = set(claim_ids)
    reached = included
    asked = {one for one, _ in first.pairs} if first else set()
    near = first or Near(set(), set())
    candidates: set[tuple[int, int]] = set()
    ruled: set[tuple[int, int, bool]] = set()
    # All that are reached by as many steps are read together.
    while reached:
        further = neighbours(connection, [loaded[one].claim for one in reached - asked])
        candidates |= near.candidates | further.candidates
        pairs = [pair for pair in near.pairs | further.pairs if pair[1] not in included]
        said = rulings.rulings_of(connection, [one for one in reached if loaded[one].has_rulings])
        ruled.update(said)
        named = {one for ruling in said for one in ruling[:2]} - included
        unseen = ({other_id for _, other_id in pairs} | named) - set(loaded)
        loaded |= claims.load_claims(connection, unseen)
        reached = named | {two for one, two in pairs if _may_decide(loaded[one].claim, loaded[two].claim)}
        included = included | reached
    stored = {one: loaded[one] for one in sorted(included)}
    beside: dict[Claim, list[Claim]] = {}
    for one, two in sorted(candidates):
        # What contradicts it is read and not included: it is of no run that this one may be of.
        if two in stored:
            beside.setdefault(stored[one].claim, []).append(stored[two].claim)
    by_name = dict(sorted(beside.items(), key=lambda entry: entry[0].name))
    return Neighbourhood(stored, _by_names(ruled, stored), by_name)


def _may_decide(one: Claim, other: Claim) -> bool:
    return one.attempt_id == other.attempt_id is not None or may_decide(one, other)


def _by_names(ruled: Iterable[tuple[int, int, bool]], stored: Mapping[int, StoredClaim]) -> Rulings:
    return {
        frozenset({stored[one].claim.name, stored[other].claim.name}): is_one_run
        for one, other, is_one_run in ruled
    }
