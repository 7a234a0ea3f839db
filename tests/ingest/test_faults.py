"""What once went wrong between two sources or two runs, by every way in: the database holds what ran."""

import dataclasses
import itertools
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from spackmon.ingest import inbox
from spackmon.rest_compat import cdash
from tests.cli.command import Shell
from tests.ingest.conftest import Clock
from tests.player import Player
from tests.server import Server, new_token
from tests.uploads import recorded, upload

FAULTS = Path(__file__).parents[1] / "data" / "faults"
RUNS = """{ builds(first: 100, orderBy: {createdAt: ASC}) { nodes {
  id status prefix configureArguments owner { name } package { name } tags { nodes { name } }
  environmentVariables { name value }
  attempts {
    nodes {
      status spackVersion spackRevision startedAt finishedAt durationSeconds configureArguments
      tags { nodes { name } } environmentVariables { name value } sources { kind } phases { nodes { name } }
    }
  }
} } }"""
WAYS = ("http", "import")
DAYS = (timedelta(0), timedelta(days=1), timedelta(days=7), timedelta(days=30))
# The captured client of 0.17 reported until then, the upload of 0.23 says that it began so much later.
AT_017 = datetime(2026, 11, 22, 8, 43, 27, tzinfo=UTC)
AT_023 = datetime.fromtimestamp(1795337513, UTC)
SAME_TIME = AT_017 - AT_023

Send = Callable[[str, str], None]


@pytest.fixture(autouse=True)
def arrivals(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The tests' clock, for what comes by CDash's protocol as well."""
    for module in (cdash, inbox):
        monkeypatch.setattr(module, "utc_now", clock)
    return clock


@pytest.fixture(params=WAYS)
def send(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> Send:
    """Bring in a file of tests/data/faults for a person, by HTTP or by an import into the database."""

    def by_http(name: str, person: str) -> None:
        answers = server.post(
            "/api/submissions", (FAULTS / name).read_bytes(), new_token(server.database_url, person)
        )
        assert '"error"' not in answers.text

    def by_import(name: str, person: str) -> None:
        new_token(server.database_url, person)
        Shell(server.database_url, tmp_path).done("import", "--user", person, FAULTS / name)

    return by_http if request.param == "http" else by_import


def person(server: Server, name: str) -> Server:
    """The server as somebody else's client uses it."""
    return dataclasses.replace(server, user=name, token=new_token(server.database_url, name))


def builds(server: Server, owner: str = "") -> list[dict[str, Any]]:
    """Every build with its runs, or those of a person."""
    nodes: list[dict[str, Any]] = server.ask(RUNS)["builds"]["nodes"]
    return [build for build in nodes if owner in ("", build["owner"]["name"])]


def told(run: dict[str, Any]) -> dict[str, Any]:
    """What a build and each of its runs say by the same names."""
    return {
        "status": run["status"], "arguments": run["configureArguments"],
        "tags": [tag["name"] for tag in run["tags"]["nodes"]],
        "variables": {variable["name"]: variable["value"] for variable in run["environmentVariables"]},
    }  # fmt: skip


def kinds(run: dict[str, Any]) -> list[str]:
    """Which sources reported a run."""
    return sorted(source["kind"] for source in run["sources"])


def test_each_run_keeps_its_own_and_the_build_shows_the_newest(server: Server, send: Send) -> None:
    old = {"status": "FAILED", "arguments": "--old", "tags": ["week0"],
           "variables": {"CFLAGS": "-O3 -march=native"}}  # fmt: skip
    new = {"status": "SUCCESS", "arguments": "--new", "tags": ["week1"], "variables": {"CFLAGS": "-O2"}}
    for _ in range(2):  # the same again changes nothing
        send("reruns.jsonl", "ada")
        (build,) = builds(server)
        assert [told(run) for run in build["attempts"]["nodes"]] == [old, new]
        assert told(build) == new


def test_runs_of_two_people_are_two_builds_whichever_way_they_come(server: Server, send: Send) -> None:
    send("owner-1.jsonl", "ada")
    send("owner-2.jsonl", "bob")
    assert [
        (build["owner"]["name"], [run["status"] for run in build["attempts"]["nodes"]])
        for build in builds(server)
    ] == [("ada", ["SUCCESS"]), ("bob", ["FAILED"])]


def test_runs_of_two_spacks_are_two_whatever_their_times(server: Server, clock: Clock) -> None:
    def report_of_017(client: Server, _: timedelta) -> None:
        clock.now = AT_017
        assert Player(client.url, client.user, client.token).play("0.17-fail") == []

    def report_of_023(client: Server, shift: timedelta) -> None:
        clock.now, seconds = AT_023 + shift, int(shift.total_seconds())
        for parameters, body in recorded("fail"):
            moved = re.sub(rb"\b179533751[35]\b", lambda time: b"%d" % (int(time[0]) + seconds), body)
            assert upload(client, moved, **parameters | {"MD5": ""}).status_code == 200

    reports = (report_of_017, report_of_023)
    cases = list(itertools.product((*DAYS, SAME_TIME), itertools.permutations(reports)))
    for number, (shift, order) in enumerate(cases):
        client = person(server, f"person-{number}")
        for report in order:
            report(client, shift)
        runs = [(kinds(run), run["spackVersion"], run["spackRevision"])
                for build in builds(server, client.user) for run in build["attempts"]["nodes"]]  # fmt: skip
        of_017 = [(["MS1"], "0.17.0", None)] * 4
        assert sorted(runs, key=repr) == [
            (["CDASH"], "0.23.0.dev0", "eedc41405b594c60c0db0bbc0d255000c001486c"), *of_017
        ], (shift, order)  # fmt: skip


def test_a_command_that_concretized_for_long_and_its_prefix_are_one_run(server: Server, clock: Clock) -> None:
    """Spack's interval begins with the command and adds up the seconds of packages: it ends too early."""
    names = ("slow-concretization-Build.xml", "slow-concretization-prefix.jsonl")
    built = json.loads((FAULTS / names[1]).read_text())
    clock.now = datetime.fromtimestamp(built["finished_at"] + 11, UTC)
    for run in runs_in_every_order(server, *names):
        times = [datetime.fromisoformat(run[name]).timestamp() for name in ("startedAt", "finishedAt")]
        assert [*times, run["durationSeconds"]] == [built["started_at"], built["finished_at"], 2.0]


def test_phases_stand_in_the_order_in_which_they_ran(server: Server, clock: Clock) -> None:
    clock.now = datetime.fromtimestamp(1795917812, UTC)
    names = ("cdash-order-Build.xml", "cdash-order-Configure.xml", "cdash-order-prefix.jsonl")
    for run in runs_in_every_order(server, *names):
        assert [phase["name"] for phase in run["phases"]["nodes"]] == [
            "stage",
            "configure",
            "build",
            "install",
        ]


def runs_in_every_order(server: Server, *names: str) -> Iterator[dict[str, Any]]:
    """Files of tests/data/faults in each order, each for another person; the one run that they are."""
    for number, order in enumerate(itertools.permutations(names)):
        client = person(server, f"person-{number}")
        for name in order:
            body = (FAULTS / name).read_bytes()
            is_cdash = name.endswith(".xml")
            answer = upload(client, body, MD5="") if is_cdash else client.post("/api/submissions", body)
            assert (answer.status_code, '"error"' in answer.text) == (200, False), answer.text
        ((run,),) = (build["attempts"]["nodes"] for build in builds(server, client.user))
        assert kinds(run) == ["CDASH", "PREFIX"], order
        yield run
