"""Who asks for it is told of what newly fails and of what is fixed, by each channel, once."""

import base64
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from spackmon.database import Database
from spackmon.graph.spec import SpecNode
from spackmon.ingest.rows import Statement
from spackmon.models import utc_now
from spackmon.ops.notifications.rules import Channel, NewRule, add_rule
from spackmon.status import BuildStatus, ChannelKind, NewsKind
from spackmon.submission import InstallPhase
from tests.cli.command import Shell
from tests.ingest.installs import live
from tests.ingest.reports import Site, graph, spec
from tests.ops.receiving import Receiver, receiving
from tests.server import USER, new_token, served, served_by_process, worker_of
from tests.waiting import until

HERE = "127.0.0.0/8"
NIGHTLY = json.dumps({"tags": {"some": {"name": {"eq": "nightly"}}}})
LOG = (
    b"cc -c main.c\nmain.c:7:3: error: 'deflate' undeclared (first use in this function)\nmake: *** Error 1\n"
)


@pytest.fixture
def shell(database_url: str, tmp_path: Path) -> Shell:
    shell = Shell(database_url, tmp_path)
    shell.environment["SPACKMON_WEBHOOK_PRIVATE_ALLOWED"] = HERE
    return shell


@pytest.fixture
def site(database: Database, database_url: str) -> Site:
    new_token(database_url)
    new_token(database_url, "bob")
    return Site(database, has_people=True)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


class Runs:
    """Runs of packages that ended lately, one after the other."""

    def __init__(self, site: Site) -> None:
        self.site, self.number = site, 0

    def ended(self, name: str, status: str, **told: Any) -> SpecNode:
        """A run of another build than the ones before, as a change of a dependency makes it; its spec."""
        below = spec("dependency", str(self.number))
        node = spec(name, "1.2.11", below)
        self._run(node, status, graph=graph(node, below), **told)
        return node

    def again(self, node: SpecNode, status: str, **told: Any) -> None:
        """Another run of a build."""
        self._run(node, status, **told)

    def _run(self, node: SpecNode, status: str, log: bytes = LOG, tag: str = "nightly", **told: Any) -> None:
        self.number += 1
        began = utc_now() - timedelta(hours=10) + timedelta(minutes=self.number)
        failed = status == "FAILED"
        phase = InstallPhase("build", "ERROR" if failed else "SUCCESS", 3, log if failed else b"ok\n")
        values = {
            "status": BuildStatus(status), "started_at": began, "finished_at": began + timedelta(seconds=30),
            "phases": (phase,), "tags": (tag,), **told,
        }  # fmt: skip
        self.site.apply(live(node, f"run-{self.number}", **values))


def key_of(shell: Shell, rule: str) -> bytes:
    shown = shell.done("rule", "keys", rule).split()[0]
    assert shown.startswith("whsec_")
    return base64.b64decode(shown.removeprefix("whsec_"))


def test_what_newly_fails_is_told_once_signed_and_again_after_an_error(
    shell: Shell, site: Site, receiver: Receiver, database_url: str, tmp_path: Path
) -> None:
    runs = Runs(site)
    runs.ended("zlib", "SUCCESS")
    shell.done(
        "rule", "add", "nightly", "--on", "NEWLY_FAILING", "--where", NIGHTLY, "--webhook", receiver.url,
        "--user", USER,
    )  # fmt: skip
    receiver.answers = [500]
    with served(database_url, tmp_path, webhook_private_allowed=HERE):
        runs.ended("zlib", "FAILED", tag="weekly")
        runs.ended("never-succeeded", "FAILED")
        runs.ended("zlib", "SUCCESS")
        runs.ended("zlib", "FAILED")
        until(lambda: len(receiver.requests) == 2, "the second try")
        runs.ended("zlib", "FAILED")
        runs.ended("zlib", "SUCCESS")
        runs.ended("zlib", "FAILED")
        until(lambda: len(receiver.requests) == 3, "the next time it newly fails")
        until(lambda: "WAITING" not in shell.done("rule", "deliveries"), "the end of all deliveries")
    key = key_of(shell, "nightly")
    assert all(request.is_signed_by(key) for request in receiver.requests)
    assert not receiver.requests[0].is_signed_by(key[::-1])
    first, again, later = receiver.requests
    assert first.delivery == again.delivery != later.delivery
    assert first.body == again.body
    data = first.message["data"]
    assert (first.message["type"], data["title"]) == ("NEWLY_FAILING", "zlib@1.2.11 newly fails")
    cause = data["cause"]
    assert (cause["package"], cause["phase"]) == ("zlib@1.2.11", "build")
    assert (cause["sourceFile"], cause["sourceLine"], cause["errorClass"]) == ("main.c", 7, "compile")
    assert data["url"].endswith(f"/builds/{data['build']['id']}")
    newest, oldest = shell.done("rule", "deliveries", "nightly").splitlines()[1:]
    assert oldest.split()[0] == first.delivery
    assert " DELIVERED  2      200" in oldest
    assert " DELIVERED  1      200" in newest


def new_rule(database: Database, name: str, event: NewsKind, *channels: Channel, **other: Any) -> None:
    rule = NewRule(name, event, other.get("condition", {}), other.get("environment"), 20, channels)
    rule = replace(rule, messages_per_hour=other.get("per_hour", 20))
    database.write_once(lambda connection: add_rule(connection, other.get("owner", 1), rule))


def webhook(receiver: Receiver, path: str = "") -> Channel:
    return Channel(ChannelKind.WEBHOOK, receiver.url + path)


def let_pass(database: Database, *changes: str) -> None:
    """Time, in the rows: nobody waits for leases and hours."""
    past = {"past_at": utc_now() - timedelta(hours=2)}
    for change in changes:
        statement = Statement(change)
        database.write_once(lambda connection, statement=statement: statement.run(connection, **past))


def test_servers_that_are_killed_and_serve_beside_each_other_lose_nothing_and_tell_once(
    shell: Shell, database: Database, site: Site, database_url: str, tmp_path: Path
) -> None:
    runs = Runs(site)
    names = [f"package-{number}" for number in range(4)]
    for name in names:
        runs.ended(name, "SUCCESS")
    allowed = {"SPACKMON_WEBHOOK_PRIVATE_ALLOWED": HERE}
    with receiving() as receiver:
        new_rule(database, "all", NewsKind.NEWLY_FAILING, webhook(receiver))
        receiver.may_answer.clear()
        with served_by_process(database_url, tmp_path, allowed, token="none") as server:
            runs.ended(names[0], "FAILED")
            until(lambda: receiver.requests, "the first try")
            # It dies as it sends; what comes meanwhile nobody has judged.
            os.kill(worker_of(server), signal.SIGKILL)
            assert server.process is not None
            server.process.kill()
        runs.ended(names[1], "FAILED")
    let_pass(database, "UPDATE notification_channel SET leased_until = :past_at")
    port = receiver.port
    # The receiver is away, and comes back while two serve.
    with (
        served(database_url, tmp_path, webhook_private_allowed=HERE),
        served(database_url, tmp_path, webhook_private_allowed=HERE),
    ):
        until(lambda: "ConnectError" in shell.done("rule", "deliveries"), "a try of who came after")
        with receiving(port) as again:
            for name in names[2:]:
                runs.ended(name, "FAILED")
            until(lambda: shell.done("rule", "deliveries").count(" DELIVERED ") == 4, "all of them")
    assert sorted(again.titles) == [f"{name}@1.2.11 newly fails" for name in names]
    (first,) = (one for one in again.requests if one.delivery == receiver.requests[0].delivery)
    assert first.body == receiver.requests[0].body
