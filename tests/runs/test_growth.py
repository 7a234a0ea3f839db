"""Reports of one source add up to one claim, in any order and any number of times."""

import dataclasses
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from spackmon.runs.claim import Claim
from spackmon.runs.growth import completed
from tests.runs.claims import claims


def plain(one: Claim) -> dict[str, object]:
    facts = {field.name: getattr(one, field.name) for field in dataclasses.fields(one)}
    return {**facts, "phases": frozenset(one.phases)}


@given(claims(), st.data())
def test_reports_of_a_source_add_up_alike_in_any_order_and_twice(
    given: list[Claim], data: st.DataObject
) -> None:
    own = {name: getattr(given[0], name) for name in (
        "id", "owner_id", "owner_is_certain", "kind", "key", "event_kinds", "analyzers",
    )}  # fmt: skip
    # A spec is what its hash means, and of one package.
    reports = [
        dataclasses.replace(
            one, **own, package_id=one.spec_id or one.package_id,
            spec_hash=one.spec_id and f"hash {one.spec_id}", spec_hash_kind=one.spec_id and "full_hash",
        )
        for one in given
    ]  # fmt: skip
    shuffled = data.draw(st.permutations([*reports, *reports]))
    assert plain(reduce(completed, shuffled)) == plain(reduce(completed, reports))
