"""What a server says of a simulated site, beside what is true."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.simulator.planted.causes import AMBIGUOUS, NAMED, UNKNOWN, Case, Truth
from tests.simulator.planted.rows import moment
from tests.simulator.planted.site import Run

_FEWEST_RUNS = 5
Ask = Callable[..., dict[str, Any]]
"""Takes an operation and its variables, gives its data."""
_GROUPS = """
query ($texts: [String!]) {
  errorGroups(first: 8, where: {text: {in: $texts}}) {
    nodes {
      text runCount
      suspects(first: 3) {
        verdict reason failingRuns passingRuns comparisons
        suspects {
          facts { kind name value } failingWith failingWithout passingWith passingWithout lift p adjustedP
        }
      }
    }
  }
}
"""
_NEWS = """
query ($after: String) {
  attempts(first: 500, after: $after, where: {status: {eq: FAILED}}, orderBy: [{startedAt: ASC}]) {
    nodes { id errorNews } pageInfo { hasNextPage endCursor }
  }
}
"""
_FLAKY = """
query ($changes: Int!) {
  flaky(minimumChanges: $changes) {
    totalCount nodes(first: 500) { spec { hash } environment { hostname } runCount failedCount changeCount }
  }
}
"""
_CHANGED = """
query ($since: DateTime!) {
  newlyFailing(since: $since) { totalCount }
  newlyFixed(since: $since) { totalCount }
  stillFailing(since: $since) { totalCount }
}
"""


@dataclass
class Score:
    """How many of how many are right; what is not is told."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def add(self, other: "Score") -> None:
        """Count another site as well."""
        self.counts += other.counts
        self.wrong += other.wrong

    def share(self, right: str, of: str) -> float:
        """How large a share is right."""
        return self.counts[right] / self.counts[of] if self.counts[of] else 1.0


def suspects(ask: Ask, truth: Truth) -> dict[str, dict[str, Any]]:
    """ErrorGroup.suspects of each case that failed, by its text."""
    texts = sorted({run.error for run in truth.runs if run.error} & {case.text for case in truth.cases})
    found: dict[str, dict[str, Any]] = {}
    for first in range(0, len(texts), 8):
        nodes = ask(_GROUPS, texts=texts[first : first + 8])["errorGroups"]["nodes"]
        found |= {node["text"]: node for node in nodes}
    return found


def judged(truth: Truth, found: Mapping[str, Mapping[str, Any]]) -> Score:
    """How many planted causes are named first, and where nobody can tell, that it is said."""
    score = Score()
    for case in truth.cases:
        # A cause that hardly met a run proves nothing of anybody.
        if case.text in found and found[case.text]["runCount"] >= _FEWEST_RUNS:
            _judge(case, found[case.text], score)
    return score


def _judge(case: Case, node: Mapping[str, Any], score: Score) -> None:
    answer = node["suspects"]
    facts_of = [some["facts"] for some in answer["suspects"]]
    listed = [{(one["kind"], one["name"], one["value"]) for one in facts} for facts in facts_of]
    causes = {tuple(fact) for fact in case.facts}
    if case.expected == UNKNOWN:
        what, is_right = "cannot tell", answer["verdict"] == UNKNOWN
    elif case.expected == AMBIGUOUS:
        what = "cannot tell"
        is_right = answer["verdict"] == AMBIGUOUS and bool(listed) and causes <= listed[0]
    else:
        what = "named"
        # Of two that act together either is half of the cause.
        is_right = answer["verdict"] == NAMED and bool(listed) and listed[0] <= causes
        score.counts["in the first three"] += any(causes & one for one in listed)
        score.counts["first, or one that nobody can tell from it"] += bool(listed and causes & listed[0])
    score.counts[f"{what}: cases"] += 1
    score.counts[what] += is_right
    if not is_right:
        said = "; ".join(
            f"{[' '.join(fact) for fact in sorted(facts)]} {some['failingWith']}+{some['failingWithout']}:"
            f"{some['passingWith']}+{some['passingWithout']} p {some['adjustedP']:.1g}"
            for facts, some in zip(listed, answer["suspects"], strict=True)
        )
        score.wrong.append(
            f"{case.kind} {[' '.join(fact) for fact in case.facts]} x{case.strength} "
            f"({node['runCount']} runs, {len(case.packages or ())} packages, "
            f"{case.begin:.0f}-{case.end:.0f}): {answer['verdict']} {said}"
        )


def history(ask: Ask, truth: Truth, nights: int) -> Score:
    """Known, new and returned errors, what is flaky, and what newly fails: equal to the truth or not."""
    score = Score()
    for name, said, true in (
        ("known, new, returned", dict(_news(ask)), _true_news(truth)),
        *((f"flaky, {least}", _flaky(ask, least), _true_flaky(truth, least)) for least in (1, 3)),
        *(
            (f"changed since {night}", _changed(ask, night), _true_changed(truth, night))
            for night in (nights // 2, nights - 2)
        ),
    ):
        score.counts["history: answers"] += 1
        score.counts["history"] += said == true
        if said != true:
            score.wrong.append(f"{name}: {_difference(said, true)}")
    return score


def _difference(said: Any, true: Any) -> str:
    if isinstance(said, dict) and isinstance(true, dict):
        keys = [key for key in {**said, **true} if said.get(key) != true.get(key)]
        return f"{len(keys)} differ: {[(key, said.get(key), true.get(key)) for key in keys[:3]]}"
    return f"{said} and not {true}"


def _news(ask: Ask) -> Iterator[tuple[int, str]]:
    after = None
    while True:
        page = ask(_NEWS, after=after)["attempts"]
        yield from ((int(one["id"].partition(":")[2]), one["errorNews"]) for one in page["nodes"])
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


def _true_news(truth: Truth) -> dict[int, str]:
    last: dict[str, float] = {}
    news = {}
    for number, run in enumerate(truth.runs, 1):
        if run.error is not None:
            before = last.get(run.error)
            known = "RETURNED" if before is None or run.night - before > 30 else "KNOWN"
            news[number] = "NEW" if before is None else known
            last[run.error] = run.night
    return news


def _flaky(ask: Ask, least: int) -> Any:
    found = ask(_FLAKY, changes=least)["flaky"]
    counts = ("runCount", "failedCount", "changeCount")
    listed = Counter(
        (one["spec"]["hash"], one["environment"]["hostname"], *(one[name] for name in counts))
        for one in found["nodes"]
    )
    return found["totalCount"], listed if found["totalCount"] <= 500 else None


def _true_flaky(truth: Truth, least: int) -> Any:
    ended: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for run in truth.runs:
        ended[run.spec.node.hash, run.host].append(run.error is not None)
    found = Counter(
        (*key, len(ends), sum(ends), changes)
        for key, ends in ended.items()
        if len(ends) > 1 and (changes := sum(a != b for a, b in pairwise(ends))) >= least
    )
    return found.total(), found if found.total() <= 500 else None


def _changed(ask: Ask, night: int) -> dict[str, int]:
    found = ask(_CHANGED, since=moment(night).isoformat())
    return {name: found[name]["totalCount"] for name in found}


def _true_changed(truth: Truth, night: int) -> dict[str, int]:
    last: dict[Any, dict[bool, bool]] = defaultdict(dict)
    for run in truth.runs:
        if run.night >= night - 90:
            last[_alike(run)][run.night >= night] = run.error is not None
    ends = Counter((each.get(False), each.get(True)) for each in last.values())
    # What had not run before is newly failing, too.
    return {
        "newlyFailing": ends[False, True] + ends[None, True],
        "newlyFixed": ends[True, False],
        "stillFailing": ends[True, True],
    }


def _alike(run: Run) -> Any:
    node = run.spec.node
    compiler = next(fact for fact in run.facts if fact.kind == "COMPILER")
    return node.name, node.version, node.parameters, compiler, node.operating_system, node.target.name
