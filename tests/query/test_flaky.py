"""What is flaky and what is news, on both databases, with what plain Python says of random histories."""

from collections import defaultdict
from itertools import pairwise
from random import Random

import pytest

from tests.query.conftest import AskedSite
from tests.query.histories import Ran, history

_FLAKY = """query ($where: AttemptFilter, $runs: Int!, $changes: Int!, $across: Boolean!, $offset: Int!) {
  flaky(where: $where, minimumRuns: $runs, minimumChanges: $changes, acrossMachines: $across) {
    totalCount
    nodes(first: 3, offset: $offset) {
      spec { hash } environment { hostname }
      runCount failedCount changeCount failureRate failureRateInterval { low high }
      lastFailure { id } lastSuccess { id }
    }
  }
}"""


def _flaky(ran: list[Ran], runs: int, changes: int, *, across: bool) -> list[dict[str, object]]:
    ended = defaultdict(list)
    for run in sorted(ran, key=lambda one: (one.day is not None, one.day or 0, one.id)):
        if run.status in ("SUCCESS", "FAILED"):
            ended[run.spec_hash, None if across else run.host].append(run)
    found = []
    for same in ended.values():
        failed = [run for run in same if run.status == "FAILED"]
        passed = [run for run in same if run.status == "SUCCESS"]
        turns = sum(one.status != other.status for one, other in pairwise(same))
        if len(same) >= runs and turns >= changes:
            last = same[-1]
            day = -1 if last.day is None else last.day
            found.append((turns, len(failed), day, last.id, failed[-1], passed[-1], same))
    return [
        {
            "spec": {"hash": same[-1].spec_hash}, "environment": {"hostname": same[-1].host},
            "runCount": len(same), "failedCount": failures, "changeCount": turns,
            "failureRate": failures / len(same),
            "lastFailure": {"id": failure.id}, "lastSuccess": {"id": success.id},
        }
        for turns, failures, _, _, failure, success, same in sorted(
            found, key=lambda one: one[:4], reverse=True
        )
    ]  # fmt: skip


def test_what_passes_and_fails_by_turns_is_what_a_plain_loop_finds(site: AskedSite) -> None:
    ran = history(site, Random(4), 150)
    nightly = {"tags": {"some": {"name": {"eq": "nightly"}}}}
    for runs, changes, across, offset, where in (
        (2, 1, False, 0, None),
        (5, 2, True, 2, None),
        (3, 1, True, 1, nightly),
    ):
        some = [run for run in ran if where is None or run.tag == "nightly"]
        expected = _flaky(some, runs, changes, across=across)
        answer = site.ask(_FLAKY, where=where, runs=runs, changes=changes, across=across, offset=offset)
        found = answer["flaky"]
        assert found["totalCount"] == len(expected) > 3
        intervals = [one.pop("failureRateInterval") for one in found["nodes"]]
        assert found["nodes"] == expected[offset : offset + 3]
        for interval, one in zip(intervals, found["nodes"], strict=True):
            assert 0 <= interval["low"] < one["failureRate"] < interval["high"] <= 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("minimumRuns: 1", "`minimumRuns` must be 2 or more, it is 1"),
        ("minimumChanges: 0", "`minimumChanges` must be 1 or more, it is 0"),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused(furnished: AskedSite, arguments: str, says: str) -> None:
    error = furnished.error(f"{{ flaky({arguments}) {{ totalCount }} }}")
    assert (error["extensions"]["code"], error["message"]) == ("ARGUMENT_INVALID", says)


def test_an_error_is_new_known_or_has_returned(site: AskedSite) -> None:
    ran = history(site, Random(5), 60, days=150, errors=6)

    def news(run: Ran) -> str | None:
        if run.error is None or run.day is None:
            return None
        days = [
            one.day for one in ran if one.error == run.error and one.day is not None and one.day < run.day
        ]
        return "NEW" if not days else "KNOWN" if max(days) >= run.day - 30 else "RETURNED"

    query = """{
      attempts(first: 500, where: {number: {ge: 100}}) {
        nodes { id errorNews } groupBy(keys: [ERROR_NEWS]) { keys { errorNews } count }
      }
      returned: attempts(first: 500, where: {errorNews: {eq: RETURNED}}) { nodes { id } }
    }"""
    answer = site.ask(query)
    expected = {run.id: news(run) for run in ran}
    assert {one["id"]: one["errorNews"] for one in answer["attempts"]["nodes"]} == expected
    words = list(expected.values())
    assert {one["keys"]["errorNews"]: one["count"] for one in answer["attempts"]["groupBy"]} == {
        word: words.count(word) for word in ("NEW", "KNOWN", "RETURNED", None)
    }
    returned = {run_id for run_id, word in expected.items() if word == "RETURNED"}
    assert {one["id"] for one in answer["returned"]["nodes"]} == returned
    assert len(returned) > 1
