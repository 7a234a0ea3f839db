"""What of the builds that changed is news for a rule: asked in the words of GraphQL, as anybody may ask it.

`compareRuns`, `errorNews` and the roots of environments mean what they mean there.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from spackmon.models import utc_now
from spackmon.ops.notifications.deliveries import Event
from spackmon.ops.notifications.rules import StoredRule
from spackmon.query.groups.comparison import before_days
from spackmon.query.serve.service import QueryService
from spackmon.status import BuildStatus, NewsKind

NEWS_DAYS = 2
"""A run that ended longer ago is history, which imports bring, and no news."""

_LOOK_BACK_DAYS = 90
_QUESTIONS = {
    path.stem: path.read_text(encoding="utf-8")
    for path in (Path(__file__).parent / "questions").glob("*.graphql")
}
_FAILED = (BuildStatus.FAILED,)
_STATUSES: Mapping[NewsKind, Sequence[BuildStatus]] = {
    NewsKind.NEWLY_FAILING: _FAILED,
    NewsKind.FIXED: (BuildStatus.SUCCESS,),
    NewsKind.NEW_ERROR_GROUP: _FAILED,
    NewsKind.RETURNED_ERROR_GROUP: _FAILED,
    NewsKind.ROOT_FAILED: (BuildStatus.FAILED, BuildStatus.CANCELLED),
}
_COMPARISONS = {NewsKind.NEWLY_FAILING: "newly_failing", NewsKind.FIXED: "newly_fixed"}
_ERROR_NEWS = {NewsKind.NEW_ERROR_GROUP: "NEW", NewsKind.RETURNED_ERROR_GROUP: "RETURNED"}
_WORDS = {
    NewsKind.NEWLY_FAILING: "newly fails",
    NewsKind.FIXED: "is fixed",
    NewsKind.NEW_ERROR_GROUP: "fails with a new error",
    NewsKind.RETURNED_ERROR_GROUP: "fails with an error that is back",
    NewsKind.ROOT_FAILED: "failed",
}


class News:
    """Judges runs for rules; `address` is that of the site, without a slash at the end."""

    def __init__(self, service: QueryService, address: str) -> None:
        self._service, self._address = service, address

    async def among(self, rule: StoredRule, build_ids: Sequence[int], now: datetime) -> list[Event]:
        """What a rule tells of these builds' runs. Raises Refused."""
        runs = await self._ended_runs(rule, build_ids, now)
        if rule.event in _COMPARISONS:
            runs = [run for run in runs if await self._is_change(_COMPARISONS[rule.event], run)]
        elif rule.event in _ERROR_NEWS:
            runs = [run for run in runs if _is_error_news(run, _ERROR_NEWS[rule.event])]
        else:
            return await self._failed_roots(rule, runs)
        return [self._event(rule, run, None) for run in runs]

    async def matching(self, event: NewsKind, condition: Mapping[str, Any]) -> int:
        """How many builds a condition holds for today.

        Raises Refused where it is no BuildFilter, or nested too deeply for the question that rules ask.
        """
        now = utc_now()
        await self._ask("ended_runs", after=None, **_of_runs(event, (), now, now, condition))
        answer = await self._ask("builds_of_condition", condition=condition)
        count: int = answer["builds"]["totalCount"]
        return count

    async def _ask(self, question: str, **variables: Any) -> dict[str, Any]:
        return await self._service.ask(_QUESTIONS[question], variables)

    async def _ended_runs(
        self, rule: StoredRule, build_ids: Sequence[int], now: datetime
    ) -> list[dict[str, Any]]:
        variables = _of_runs(rule.event, build_ids, now, rule.tells_since, rule.condition)
        found: list[dict[str, Any]] = []
        after: str | None = None
        while True:
            page = (await self._ask("ended_runs", after=after, **variables))["attempts"]
            found += page["nodes"]
            if not page["pageInfo"]["hasNextPage"]:
                return found
            after = page["pageInfo"]["endCursor"]

    async def _is_change(self, question: str, run: Mapping[str, Any]) -> bool:
        """Whether the last run of the same thing before this one ended the other way."""
        build = run["build"]
        if run["startedAt"] is None or build["package"] is None:
            return False
        of_thing: dict[str, Any] = {"package": {"name": {"eq": build["package"]["name"]}}}
        if build["spec"] is not None:
            of_thing["spec"] = {"version": {"eq": build["spec"]["version"]}}
        began = run["startedAt"]
        least = before_days(datetime.fromisoformat(began), _LOOK_BACK_DAYS).isoformat()
        answer = await self._ask(
            question,
            before={"build": of_thing, "startedAt": {"ge": least, "lt": began}},
            # Of this run alone: what came after it may be judged with it, after an outage.
            run={"id": {"eq": run["id"]}},
        )
        return bool(answer["compareRuns"]["runs"]["nodes"])

    async def _failed_roots(self, rule: StoredRule, runs: Sequence[Mapping[str, Any]]) -> list[Event]:
        failed = [run for run in runs if run["build"]["spec"] is not None and _has_failed(run)]
        hashes = sorted({run["build"]["spec"]["hash"] for run in failed})
        if not hashes:
            return []
        name = {} if rule.environment_name is None else {"eq": rule.environment_name}
        answer = await self._ask("roots", environment=name, hashes=hashes)
        roots = _roots(answer["spackEnvironments"]["nodes"])
        return [
            self._event(rule, run, root)
            for run in failed
            if (root := roots.get(run["build"]["spec"]["hash"])) is not None
        ]

    def _event(self, rule: StoredRule, run: Mapping[str, Any], root: Mapping[str, str] | None) -> Event:
        build = run["build"]
        package = build["package"] and build["package"]["name"]
        name = package_version(build)
        words = (
            _WORDS[rule.event] if root is None else f"{_WORDS[rule.event]}, a root of {root['environment']}"
        )
        content = {
            "event": rule.event,
            "rule": rule.name,
            "title": f"{name} {words}",
            "url": f"{self._address}/builds/{build['id']}",
            "build": {
                "id": build["id"],
                "package": package,
                "version": build["spec"] and build["spec"]["version"],
                "hash": build["spec"] and build["spec"]["hash"],
                "spec": build["spec"] and build["spec"]["format"],
                "owner": build["owner"]["name"],
            },
            "run": {
                "id": run["id"],
                "number": run["number"],
                "status": run["status"],
                "startedAt": run["startedAt"],
                "finishedAt": run["finishedAt"],
                "spackVersion": run["spackVersion"],
                "host": run["environment"]["hostname"],
                "operatingSystem": run["environment"]["operatingSystem"],
                "target": run["environment"]["target"],
                "tags": [tag["name"] for tag in run["tags"]["nodes"]],
            },
            "ciRun": run["ciRun"],
            "ciJob": run["ciJob"],
            "root": root,
            "cause": self._cause(run),
            "lastSuccess": self._last_success(build),
        }
        subject = f"{rule.event}:{run['id']}"
        if rule.event is NewsKind.NEW_ERROR_GROUP:
            subject = f"{rule.event}:{run['rootEvent']['errorGroup']['fingerprint']}"
        return Event(subject, content)

    def _cause(self, run: Mapping[str, Any]) -> dict[str, Any] | None:
        """The error to read first, of the run that really broke."""
        broken = run["rootFailure"] or {"build": run["build"], "rootEvent": run["rootEvent"]}
        event = broken["rootEvent"] or run["rootEvent"]
        if run["status"] == BuildStatus.SUCCESS or (event is None and run["rootFailure"] is None):
            return None
        found = event or {}
        return {
            "package": package_version(broken["build"]),
            "url": f"{self._address}/builds/{broken['build']['id']}",
            "phase": found["phase"]["name"] if found.get("phase") else None,
            "message": found.get("message"),
            "sourceFile": found.get("sourceFile"),
            "sourceLine": found.get("sourceLine"),
            "logLine": found.get("logLine"),
            "errorClass": found.get("errorClass"),
            "blame": found.get("blame"),
            "errorGroup": found["errorGroup"]["fingerprint"] if found.get("errorGroup") else None,
            "knownIssue": found["errorGroup"]["knownIssue"] if found.get("errorGroup") else None,
        }

    def _last_success(self, build: Mapping[str, Any]) -> dict[str, Any] | None:
        last = build["lastSuccess"]
        if last is None:
            return None
        return {"finishedAt": last["finishedAt"], "url": f"{self._address}/builds/{last['build']['id']}"}


def _of_runs(
    event: NewsKind,
    build_ids: Sequence[int],
    now: datetime,
    tells_since: datetime,
    condition: Mapping[str, Any],
) -> dict[str, Any]:
    """The variables of the question for the ended runs that an event is about."""
    return {
        "builds": [str(build_id) for build_id in build_ids],
        "statuses": list(_STATUSES[event]),
        "since": (now - timedelta(days=NEWS_DAYS)).isoformat(),
        # What ended and was reported before the rule told of it is none of its news, whatever changes.
        "added": tells_since.isoformat(),
        "condition": condition,
    }


def package_version(build: Mapping[str, Any]) -> str:
    """`zlib@1.2.11`, as far as it is known."""
    if build["package"] is None:
        return "an unknown package"
    name: str = build["package"]["name"]
    return name if build["spec"] is None else f"{name}@{build['spec']['version']}"


def _has_failed(run: Mapping[str, Any]) -> bool:
    # One that somebody gave up says nothing of itself.
    return run["status"] == BuildStatus.FAILED or run["rootFailure"] is not None


def _is_error_news(run: Mapping[str, Any], news: str) -> bool:
    group = run["rootEvent"] and run["rootEvent"]["errorGroup"]
    return bool(run["errorNews"] == news and group and not group["isMuted"])


def _roots(environments: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """The roots of the newest lock files, by their hashes: whose, and in their user's words."""
    return {
        root["specHash"]: {"environment": environment["name"], "abstractSpec": root["abstractSpec"]}
        for environment in environments
        for lock_file in environment["lockFiles"]["nodes"]
        for root in lock_file["roots"]["nodes"]
    }
