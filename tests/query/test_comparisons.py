"""Sets of runs compared, on both databases, with what plain Python says of random histories."""

from collections.abc import Callable, Iterable
from random import Random

from tests.ingest.reports import spec
from tests.query.conftest import AskedSite
from tests.query.histories import Ran, history

_COMPARED = """query ($base: AttemptFilter!, $head: AttemptFilter!, $by: RunMatch!, $roots: Boolean!) {
  compareRuns(base: $base, head: $head, matchedBy: $by, rootCausesOnly: $roots) {
    baseCount headCount
    newlyFailing { nodes { id } totalCount } newlyPassing { nodes { id } totalCount }
    stillFailing { nodes { id } totalCount } stillPassing { nodes { id } totalCount }
    added { nodes { id } totalCount } removed { nodes { id } totalCount }
  }
}"""
_SINCE = """query ($since: DateTime!, $among: AttemptFilter, $roots: Boolean!) {
  newlyFailing(since: $since, among: $among, rootCausesOnly: $roots) { nodes { id } totalCount }
  newlyFixed(since: $since, among: $among, rootCausesOnly: $roots) { nodes { id } totalCount }
  stillFailing(since: $since, among: $among, rootCausesOnly: $roots) { nodes { id } totalCount }
}"""
_THINGS: dict[str, Callable[[Ran], object]] = {
    "HASH": lambda run: run.spec_hash,
    "CONFIGURATION": lambda run: (run.package, run.version, run.target),
    "ANY_VERSION": lambda run: (run.package, run.target),
}


def _last(runs: Iterable[Ran], by: str) -> dict[object, Ran]:
    ended = [run for run in runs if run.status != "RUNNING"]
    in_order = sorted(ended, key=lambda run: (run.day is not None, run.day or 0, run.id))
    return {_THINGS[by](run): run for run in in_order}


def _compared(base: dict[object, Ran], head: dict[object, Ran]) -> dict[str, list[Ran]]:
    found: dict[str, list[Ran]] = {
        "added": [run for key, run in head.items() if key not in base],
        "removed": [run for key, run in base.items() if key not in head],
    }
    for name, was, is_ in (
        ("newlyFailing", True, False), ("newlyPassing", False, True), ("stillFailing", False, False),
        ("stillPassing", True, True),
    ):  # fmt: skip
        both = [(base[key], head[key]) for key in base.keys() & head.keys()]
        found[name] = [
            new for old, new in both if ((old.status == "SUCCESS"), (new.status == "SUCCESS")) == (was, is_)
        ]
    return found


def _shown(found: dict[str, list[Ran]], *, roots: bool) -> dict[str, list[str]]:
    # In these histories what was given up is what was cancelled.
    return {
        name: sorted(run.id for run in runs if not (roots and run.status == "CANCELLED"))
        for name, runs in found.items()
    }


def _answered(answer: dict[str, dict[str, object]]) -> dict[str, list[str]]:
    lists = {name: one for name, one in answer.items() if isinstance(one, dict)}
    assert all(one["totalCount"] == len(one["nodes"]) for one in lists.values())  # type: ignore[arg-type]
    return {name: sorted(node["id"] for node in one["nodes"]) for name, one in lists.items()}  # type: ignore[attr-defined]


def test_random_sets_are_compared_as_a_plain_loop_does(site: AskedSite) -> None:
    dice = Random(1)
    ran = history(site, dice, 80)
    tagged = {"tags": {"some": {"name": {"eq": "nightly"}}}}
    on_day = {"startedAt": {"ge": "2026-03-06T00:00:00Z"}}
    for by in _THINGS:
        roots = dice.random() < 0.5
        answer = site.ask(_COMPARED, base={"not": tagged}, head=tagged, by=by, roots=roots)["compareRuns"]
        base = _last((run for run in ran if run.tag != "nightly"), by)
        head = _last((run for run in ran if run.tag == "nightly"), by)
        assert (answer["baseCount"], answer["headCount"]) == (len(base), len(head))
        assert _answered(answer) == _shown(_compared(base, head), roots=roots)
        # A run may be in both sets.
        answer = site.ask(_COMPARED, base=tagged, head=on_day, by=by, roots=not roots)["compareRuns"]
        later = _last((run for run in ran if run.day is not None and run.day >= 5), by)
        assert _answered(answer) == _shown(_compared(head, later), roots=not roots)


def test_what_changed_since_a_moment_is_what_a_plain_loop_finds(site: AskedSite) -> None:
    ran = history(site, Random(8), 120)
    for day in (3, 8):
        for among, holds in (
            (None, ("n1", "n2")),
            ({"build": {"environment": {"hostname": {"eq": "n1"}}}}, ("n1",)),
        ):
            looked_at = [run for run in ran if run.host in holds and run.day is not None]
            base = _last((run for run in looked_at if run.day < day), "CONFIGURATION")
            head = _last((run for run in looked_at if run.day >= day), "CONFIGURATION")
            found = _compared(base, head)
            added = [run for run in found["added"] if run.status != "SUCCESS"]
            since = f"2026-03-{day + 1:02}T00:00:00Z"
            answer = site.ask(_SINCE, since=since, among=among, roots=True)
            assert _answered(answer) == _shown(
                {
                    "newlyFailing": found["newlyFailing"] + added,
                    "newlyFixed": found["newlyPassing"],
                    "stillFailing": found["stillFailing"],
                },
                roots=True,
            )


def test_what_ran_before_the_days_that_are_looked_back_is_new(site: AskedSite) -> None:
    ran = history(site, Random(8), 120)
    base = _last((run for run in ran if run.day is not None and 6 <= run.day < 8), "CONFIGURATION")
    head = _last((run for run in ran if run.day is not None and run.day >= 8), "CONFIGURATION")
    failing = [run for key, run in head.items() if run.status == "FAILED"]
    query = """query ($days: Int!) {
      stillFailing(since: "2026-03-09T00:00:00Z", lookBackDays: $days) { nodes { id } totalCount }
    }"""
    still = [one for one in failing if one in _compared(base, head)["stillFailing"]]
    assert _answered(site.ask(query, days=2)) == {"stillFailing": sorted(one.id for one in still)}
    for days in (0, -1, 36_501):
        error = site.error(query, days=days)
        assert error["extensions"]["code"] == "ARGUMENT_INVALID"
        assert error["message"].startswith("`lookBackDays` must be from 1 to 36,500")
    beginning = '{ newlyFixed(since: "0001-01-01T00:00:00Z", lookBackDays: 36500) { totalCount } }'
    assert site.ask(beginning) == {"newlyFixed": {"totalCount": 0}}


def test_what_was_given_up_for_a_dependency_is_no_root_cause(site: AskedSite) -> None:
    below = spec("openssl", "3.2")
    above = spec("curl", "8", below)
    broken, given_up = site.build(below), site.build(above, below)
    site.phase(broken, "build", "ERROR", b"x.c:1:1: error: no\n")
    site.status(broken, "FAILED")
    site.status(given_up, "FAILED")
    query = """query ($roots: Boolean!) {
      newlyFailing(since: "2020-01-01T00:00:00Z", rootCausesOnly: $roots) {
        totalCount nodes { build { package { name } } rootFailure { build { package { name } } } }
        groupBy(keys: [PACKAGE]) { keys { package } count }
      }
    }"""
    assert site.ask(query, roots=True)["newlyFailing"] == {
        "totalCount": 1,
        "nodes": [{"build": {"package": {"name": "openssl"}},
                   "rootFailure": {"build": {"package": {"name": "openssl"}}}}],
        "groupBy": [{"keys": {"package": "openssl"}, "count": 1}],
    }  # fmt: skip
    every = site.ask(query, roots=False)["newlyFailing"]
    assert every["totalCount"] == 2
    assert {one["rootFailure"]["build"]["package"]["name"] for one in every["nodes"]} == {"openssl"}
