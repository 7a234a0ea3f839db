"""What sessions left, compared with what they leave where nothing is at fault."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from benchmarks.faults.clients import PHASE, Session, ending, hashes_of

_LEFT = """
query Left($hashes: [String!]) {
  specs(first: 20, where: {hash: {in: $hashes}}) { nodes { hash builds(first: 2) { nodes {
    status attempts(first: 2) { nodes { number status phases(first: 8) { nodes {
      name status log { text }
    } } analyses { analyzer } } }
  } } } }
}
"""
Left = dict[str, list[dict[str, Any]]]


def left_by(url: str, capture: str, number: int) -> Left:
    """What a service shows of a session: the builds of each of its specs, by the spec's first letters."""
    question = {"query": _LEFT, "variables": {"hashes": hashes_of(capture, number)}}
    answer = httpx.post(f"{url}/graphql", json=question, timeout=120).json()
    if "errors" in answer:
        raise RuntimeError(f"the question was refused: {answer['errors']}")
    # What a log says of its own spec has the letters of the session, too.
    text = json.dumps(answer["data"]).replace(ending(number), "")
    nodes = json.loads(text)["specs"]["nodes"]
    return {node["hash"]: node["builds"]["nodes"] for node in nodes}


@dataclass(slots=True)
class Wrong:
    """What is not as it should be, each in a few words."""

    lost: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)


def judge(wrong: Wrong, session: Session, left: Left, whole: Left) -> None:
    """Add the acknowledged writes that are not there, and the runs and builds that are there twice.

    `whole` is what a session of this capture leaves.
    """
    name = f"{session.capture} {session.number}"
    for spec, builds in left.items():
        should = whole.get(spec, [])
        if len(builds) > len(should):
            wrong.duplicates.append(f"{name}: a build of {spec}")
        for build, expected in zip(builds, should, strict=False):
            runs, expected_runs = build["attempts"]["nodes"], expected["attempts"]["nodes"]
            if len(runs) > len(expected_runs):
                wrong.duplicates.append(f"{name}: a run of {spec}: {runs}")
    if session.is_whole:
        wrong.lost += [
            f"{name}: {spec}: {left.get(spec)} and not {whole.get(spec)}"
            for spec in {*left, *whole}
            if left.get(spec) != whole.get(spec)
        ]
        return
    wrong.lost += [
        f"{name}, which died of {session.death}: {one['path']} {one['request_body'][:100]}: {left}"
        for one in session.acknowledged
        if not _is_there(one, session, left)
    ]


def _is_there(exchange: Mapping[str, Any], session: Session, left: Left) -> bool:
    sent = json.loads(exchange["request_body"] or "{}")
    if exchange["path"].endswith("/specs/new/"):
        return len(left) >= len(sent["spec"]["nodes"])
    if exchange["path"] != PHASE:
        return True
    phases = [
        (phase["name"], phase["status"], phase["log"] is not None)
        for builds in left.values()
        for build in builds
        for run in build["attempts"]["nodes"]
        for phase in run["phases"]["nodes"]
    ]
    # An empty log is none.
    return (sent["phase_name"], sent["status"], bool(sent["output"])) in phases
