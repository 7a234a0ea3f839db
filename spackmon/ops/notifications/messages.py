"""What a message says, for people: lines of text about an event, and an event to try channels with."""

from collections.abc import Mapping
from typing import Any

_LONGEST_LINE = 500


def lines_of(content: Mapping[str, Any]) -> list[str]:
    """The event, or each of a summary, line by line; the title is not repeated."""
    if "events" not in content:
        return _lines_of_event(content)
    lines: list[str] = []
    for event in content["events"]:
        lines += [event["title"], f"  {event['url']}"]
    left_out = content["count"] - len(content["events"])
    return [*lines, f"and {left_out} more"] if left_out else lines


def _lines_of_event(content: Mapping[str, Any]) -> list[str]:
    build, run, cause = content["build"], content["run"], content["cause"]
    machine = " ".join(filter(None, (run["host"], run["operatingSystem"], run["target"])))
    told = [
        ("Spec", build["spec"]),
        ("Asked for as", content["root"] and content["root"]["abstractSpec"]),
        ("Machine", machine),
        ("Tags", ", ".join(run["tags"])),
        ("Ended", run["finishedAt"]),
        *(_cause(cause, content["url"]) if cause else []),
        ("Last success", content["lastSuccess"] and content["lastSuccess"]["finishedAt"]),
        *_continuous_integration(content["ciRun"], content["ciJob"]),
        ("Build", content["url"]),
    ]
    return [f"{name}: {_line(value)}" for name, value in told if value]


def _cause(cause: Mapping[str, Any], address: str) -> list[tuple[str, Any]]:
    place = ":".join(str(one) for one in (cause["sourceFile"], cause["sourceLine"]) if one is not None)
    kind = " ".join(filter(None, (cause["errorClass"], cause["blame"] and f"({cause['blame'].lower()})")))
    return [
        ("Broken", cause["package"] + (f", phase {cause['phase']}" if cause["phase"] else "")),
        ("Error", cause["message"]),
        ("At", place),
        ("Class", kind),
        ("Known issue", cause["knownIssue"]),
        ("Its page", cause["url"] if cause["url"] != address else None),
    ]


def _continuous_integration(
    run: Mapping[str, Any] | None, job: Mapping[str, Any] | None
) -> list[tuple[str, Any]]:
    told = [("Stack", run["stack"]), ("Ref", run["ref"]), ("Pipeline", run["url"])] if run else []
    return [*told, ("Job", " ".join(filter(None, (job["name"], job["url"]))))] if job else told


def _line(value: str) -> str:
    """In one line, however long and of how many lines it is."""
    line = " ".join(value.split())
    return line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 1] + "…"


def example(event: str, rule: str, address: str) -> dict[str, Any]:
    """An event as there is none, to try a rule's channels and templates with."""
    return {
        "event": event,
        "rule": rule,
        "title": f"Test of the rule {rule}: example@1.0 would be told of",
        "url": f"{address}/",
        "build": {
            "id": "0", "package": "example", "version": "1.0", "hash": "a" * 32,
            "spec": "example@1.0 %gcc@13.2.0", "owner": "nobody",
        },
        "run": {
            "id": "", "number": 1, "status": "FAILED", "startedAt": "2026-01-01T00:00:00Z",
            "finishedAt": "2026-01-01T00:01:00Z", "spackVersion": "1.0", "host": "node-1",
            "operatingSystem": "debian12", "target": "zen2", "tags": ["nightly"],
        },
        "root": None, "ciRun": None, "ciJob": None,
        "cause": {
            "package": "example@1.0", "url": f"{address}/", "phase": "build",
            "message": "error: 'x' was not declared in this scope", "sourceFile": "example.cpp",
            "sourceLine": 1, "logLine": 10, "errorClass": "compile", "blame": "PACKAGE",
            "errorGroup": "b" * 32, "knownIssue": None,
        },
        "lastSuccess": None,
    }  # fmt: skip
