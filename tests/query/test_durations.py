"""What takes longer, on both databases, with what plain Python says of a random history."""

from collections import defaultdict
from random import Random
from statistics import median
from typing import Any

from spackmon.query.groups import durations
from spackmon.query.serve.service import QueryService
from spackmon.schema import schema
from tests.query.conftest import AskedSite
from tests.query.histories import Ran, history

_CHANGES = """query ($across: Boolean!, $after: String, $p: Float!, $first: Int!) {
  durationChanges(
    since: "2026-03-07T00:00:00Z", acrossMachines: $across, after: $after, maximumP: $p, first: $first
  ) {
    durationCount endPackage testCount totalCount
    changes {
      package phase direction runsBefore runsAfter medianSecondsBefore medianSecondsAfter shiftSeconds
    }
  }
}"""


def _expected(ran: list[Ran], package: str, part: float, *, across: bool) -> dict[str, Any]:
    strata: dict[Any, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for run in ran:
        if run.package == package and run.status == "SUCCESS" and run.day is not None:
            kind = run.target, None if across else run.host
            strata[kind][run.day >= 6].append(run.seconds * part)
    both = [one for one in strata.values() if one[0] and one[1]]
    before, after = ([seconds for one in both for seconds in one[side]] for side in (0, 1))
    return {
        "runsBefore": len(before), "runsAfter": len(after),
        "medianSecondsBefore": median(before), "medianSecondsAfter": median(after),
        "shiftSeconds": median(new - old for one in both for new in one[1] for old in one[0]),
    }  # fmt: skip


def test_what_takes_longer_is_found_in_its_phase_and_in_the_whole_run(site: AskedSite) -> None:
    ran = history(site, Random(6), 300)
    for across in (False, True):
        found = site.ask(_CHANGES, across=across, p=1.0, first=50)["durationChanges"]
        assert (found["testCount"], found["totalCount"], found["endPackage"]) == (4, 4, None)
        for change in found["changes"]:
            part = 1 if change["phase"] is None else 0.5
            expected = _expected(ran, change["package"], part, across=across)
            assert {name: change[name] for name in expected} == expected
        slower = site.ask(_CHANGES, across=across, p=0.001, first=1)["durationChanges"]
        assert slower["totalCount"] == 2
        (first,) = slower["changes"]
        assert (first["package"], first["phase"], first["direction"]) == ("hdf5", None, "SLOWER")
        assert first["shiftSeconds"] == 4


def test_packages_are_looked_at_one_by_one_until_all_were(site: AskedSite, monkeypatch: Any) -> None:
    history(site, Random(6), 120)
    every = site.ask(_CHANGES, across=False, p=1.0, first=50)["durationChanges"]
    for most in (every["durationCount"] - 1, 5):
        monkeypatch.setattr(durations, "MOST_ROWS", most)
        site.service = QueryService(schema, site.database, site.reader)
        pages, after = [], None
        while True:
            page = site.ask(_CHANGES, across=False, p=1.0, first=50, after=after)["durationChanges"]
            pages.append(page)
            after = page["endPackage"]
            if after is None:
                break
        # Of a package that is too large for an answer as much is looked at as there is room for.
        assert len(pages) == (2 if most > 5 else 3)
        if most > 5:
            seen = [(one["package"], one["phase"]) for page in pages for one in page["changes"]]
            assert sorted(seen, key=str) == sorted(
                ((one["package"], one["phase"]) for one in every["changes"]), key=str
            )


def test_what_cannot_be_meant_is_refused(site: AskedSite) -> None:
    for argument, says in (
        ("minimumRuns: 1", "`minimumRuns` must be 2 or more, it is 1"),
        ("maximumP: 0", "`maximumP` must be above 0 and at most 1, it is 0"),
        ("lookBackDays: 0", "`lookBackDays` must be from 1 to 36,500, it is 0"),
    ):
        query = f'{{ durationChanges(since: "2026-03-07T00:00:00Z", {argument}) {{ testCount }} }}'
        assert site.error(query)["message"].startswith(says)
