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

from spackmon.auth.people import set_role
from spackmon.auth.tokens import create_token
from spackmon.database import Database
from spackmon.graph.spec import SpecNode
from spackmon.ingest.rows import Statement
from spackmon.models import utc_now
from spackmon.ops.notifications.rules import Channel, NewRule, add_rule
from spackmon.status import BuildStatus, ChannelKind, CiProvider, NewsKind
from spackmon.submission import CiJob, EnvironmentReport, EnvironmentRoot, InstallPhase
from spackmon.viewer import ADMIN, ADMINISTRATOR, READ, WRITE
from tests.cli.command import Shell
from tests.ingest.installs import live
from tests.ingest.reports import Site, graph, spec
from tests.ops import mailbox as mailbox_of
from tests.ops.mailbox import receiving_mail
from tests.ops.receiving import Receiver, receiving
from tests.server import USER, Server, in_database, new_token, served, served_by_process, worker_of
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
    with served(database_url, tmp_path, webhook_private_allowed=HERE) as server:
        runs.ended("zlib", "FAILED", tag="weekly")
        runs.ended("never-succeeded", "FAILED")
        runs.ended("zlib", "SUCCESS")
        runs.ended("zlib", "FAILED")
        until(lambda: len(receiver.requests) == 2, "the second try")
        runs.ended("zlib", "FAILED")
        runs.ended("zlib", "SUCCESS")
        runs.ended("zlib", "FAILED")
        until(lambda: len(receiver.requests) == 3, "the next time it newly fails")
        until(lambda: set(statuses(site)) == {"DELIVERED"}, "the end of all deliveries")
        newest, oldest = shell.done("rule", "deliveries", "nightly").splitlines()[1:]
        shell.done("rule", "redeliver", receiver.requests[0].delivery)
        until(lambda: len(receiver.requests) == 4, "what was asked for again")
        shell.done("rule", "edit", "nightly", "--mute")
        runs.ended("zlib", "SUCCESS")
        runs.ended("zlib", "FAILED")
        shell.done(
            "rule", "edit", "nightly", "--unmute", "--on", "FIXED", "--webhook", f"{receiver.url}/second"
        )
        runs.ended("zlib", "SUCCESS")
        until(lambda: len(receiver.requests) == 6, "what was fixed, by both")
        assert_administrators_see_rules(server, receiver)
    *_, muted_until, besides = receiver.requests
    assert {one.message["type"] for one in (muted_until, besides)} == {"FIXED"}
    del receiver.requests[4:]
    shell.done(
        "rule", "edit", "nightly", "--on", "NEWLY_FAILING", "--remove-channel", f"{receiver.url}/second"
    )
    receiver.answers = [503]
    assert "1 message could not be delivered" in shell.refused("rule", "test", "nightly")
    shell.done("rule", "test", "nightly")
    key = key_of(shell, "nightly")
    assert all(request.is_signed_by(key) for request in receiver.requests)
    assert not receiver.requests[0].is_signed_by(key[::-1])
    first, again, later, third, *tests = receiver.requests
    assert first.delivery == again.delivery == third.delivery != later.delivery
    assert first.body == again.body == third.body
    assert [test.message["data"]["build"]["id"] for test in tests] == ["0", "0"]
    data = first.message["data"]
    assert (first.message["type"], data["title"]) == ("NEWLY_FAILING", "zlib@1.2.11 newly fails")
    cause = data["cause"]
    assert (cause["package"], cause["phase"]) == ("zlib@1.2.11", "build")
    assert (cause["sourceFile"], cause["sourceLine"], cause["errorClass"]) == ("main.c", 7, "compile")
    assert data["url"].endswith(f"/builds/{data['build']['id']}")
    assert oldest.split()[0] == first.delivery
    assert " DELIVERED  2      200" in oldest
    assert " DELIVERED  1      200" in newest


RULES = """{ notificationRules { totalCount nodes {
    name event condition mutedAt owner { name } channels { nodes { kind shownAddress } }
    deliveries(where: {status: {eq: DELIVERED}}) { totalCount nodes { content channel { rule { name } } } }
} } notificationChannels { totalCount } notificationDeliveries { totalCount } }"""


def assert_administrators_see_rules(server: Server, receiver: Receiver) -> None:
    """What others would need to know of rules cannot be found out, whatever token they have."""
    for scopes in ([READ], [WRITE], []):
        seen = ask_as(server, scopes)
        assert [one["totalCount"] for one in seen.values()] == [0, 0, 0]
    in_database(server, lambda connection: set_role(connection, USER, ADMINISTRATOR))
    seen = ask_as(server, [ADMIN])
    (rule,) = seen["notificationRules"]["nodes"]
    shown = {"kind": "WEBHOOK", "shownAddress": "http://" + receiver.url.split("/")[2] + "/…"}
    assert rule["channels"]["nodes"] == [shown, shown]
    assert (rule["name"], rule["event"], rule["mutedAt"], rule["owner"]) == (
        "nightly",
        "FIXED",
        None,
        {"name": USER},
    )
    assert rule["condition"] == json.loads(NIGHTLY)
    fixed, *_ = rule["deliveries"]["nodes"]
    assert (fixed["content"]["title"], fixed["channel"]["rule"]["name"]) == (
        "zlib@1.2.11 is fixed",
        "nightly",
    )
    assert "/second" not in json.dumps(seen)


def ask_as(server: Server, scopes: list[str]) -> dict[str, Any]:
    token = in_database(server, lambda connection: create_token(connection, USER, scopes)) if scopes else None
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    answer: dict[str, Any] = server.http.post("/graphql", json={"query": RULES}, headers=headers).json()
    data: dict[str, Any] = answer["data"]
    return data


def new_rule(database: Database, name: str, event: NewsKind, *channels: Channel, **other: Any) -> None:
    rule = NewRule(name, event, other.get("condition", {}), other.get("environment"), 20, channels)
    rule = replace(rule, messages_per_hour=other.get("per_hour", 20))
    database.write_once(lambda connection: add_rule(connection, other.get("owner", 1), rule))


def statuses(site: Site) -> list[str]:
    """How the messages stand, in the order in which they were noted."""
    return [status for (status,) in site.rows("SELECT status FROM notification_delivery ORDER BY id")]


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
        tried = "SELECT 1 FROM notification_delivery WHERE answer LIKE 'ConnectError%'"
        until(lambda: site.rows(tried), "a try of who came after")
        with receiving(port) as again:
            for name in names[2:]:
                runs.ended(name, "FAILED")
            until(lambda: statuses(site) == ["DELIVERED"] * 4, "all of them")
    assert sorted(again.titles) == [f"{name}@1.2.11 newly fails" for name in names]
    (first,) = (one for one in again.requests if one.delivery == receiver.requests[0].delivery)
    assert first.body == receiver.requests[0].body


def test_each_kind_of_news_is_told_of_its_own_runs_alone(
    shell: Shell, database: Database, site: Site, receiver: Receiver, database_url: str, tmp_path: Path
) -> None:
    runs = Runs(site)
    runs.ended("zlib", "SUCCESS")
    old = {"started_at": utc_now() - timedelta(days=80), "finished_at": utc_now() - timedelta(days=79)}
    runs.ended("zlib", "FAILED", log=LOG.replace(b"deflate", b"returns"), **old)
    for kind in NewsKind:
        name = kind.lower().replace("_", "-")
        environment = "site" if kind is NewsKind.ROOT_FAILED else None
        condition = {"ciRun": {"stack": {"eq": "nightly-stack"}}} if kind is NewsKind.NEWLY_FAILING else {}
        told_by = webhook(receiver, f"/{name}")
        new_rule(database, name, kind, told_by, environment=environment, condition=condition)
    new_rule(database, "gone", NewsKind.FIXED, webhook(receiver, "/gone"), owner=2)
    disable = "UPDATE person SET disabled_at = :past_at WHERE id = 2"
    let_pass(database, disable)
    with served(database_url, tmp_path, webhook_private_allowed=HERE):
        # History, as an import brings it, is no news.
        past = {"started_at": utc_now() - timedelta(days=6), "finished_at": utc_now() - timedelta(days=5)}
        runs.ended("zlib", "FAILED", **past)
        root = runs.ended("hdf5", "FAILED", log=LOG.replace(b"deflate", b"a_new_thing"))
        job = CiJob(
            CiProvider.GITLAB,
            "https://git.example.org/site",
            "7",
            "nightly-stack",
            ref="main",
            job_name="zlib",
        )
        runs.ended("zlib", "FAILED", log=LOG.replace(b"deflate", b"returns"), ci_job=job)
        runs.ended("zlib", "SUCCESS")
        until(lambda: len(receiver.requests) == 4, "the first news")
        site.apply(EnvironmentReport("site", 7, None, (EnvironmentRoot("hdf5 +mpi", root.hash),)))
        site.apply(EnvironmentReport("other", 7, None, ()))
        runs.again(root, "FAILED", log=LOG.replace(b"deflate", b"a_new_thing"))
        # Of both runs, which are of a root by now.
        until(lambda: len(receiver.requests) == 6, "the root")
        until(lambda: site.rows("SELECT 1 FROM notification_rule WHERE trouble IS NOT NULL"), "a trouble")
    told = {request.path.removeprefix("/hook/"): request.message["data"] for request in receiver.requests}
    assert {path: data["build"]["package"] for path, data in told.items()} == {
        "newly-failing": "zlib", "fixed": "zlib", "new-error-group": "hdf5", "returned-error-group": "zlib",
        "root-failed": "hdf5",
    }  # fmt: skip
    assert told["root-failed"]["root"] == {"environment": "site", "abstractSpec": "hdf5 +mpi"}
    assert told["fixed"]["cause"] is None
    assert told["newly-failing"]["ciRun"] == {"stack": "nightly-stack", "ref": "main", "url": None}
    (gone,) = (line for line in shell.done("rule", "list").splitlines() if line.startswith("gone "))
    assert "disabled" in gone


def test_mail_says_what_broke_and_sums_up_what_is_too_much(
    shell: Shell, database: Database, site: Site, database_url: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    runs = Runs(site)
    for name in ("zlib", "hdf5", "cmake", "perl"):
        runs.ended(name, "SUCCESS")
    with receiving_mail(tmp_path) as mailbox:
        monkeypatch.setenv("SSL_CERT_FILE", str(mailbox.certificate))
        mail_server = {
            "smtp_host": "127.0.0.1", "smtp_port": mailbox.port, "smtp_user": mailbox_of.USER,
            "smtp_password": mailbox_of.PASSWORD, "mail_from": "spackmon@example.org",
            "domain_name": "https://monitor.example.org",
        }  # fmt: skip
        channel = Channel(ChannelKind.EMAIL, "ada@example.org")
        new_rule(database, "mail", NewsKind.NEWLY_FAILING, channel, per_hour=1)
        mailbox.refusals = ["451 try again"]
        with served(database_url, tmp_path, **mail_server):
            runs.ended("zlib", "FAILED")
            until(lambda: mailbox.mails, "the mail")
            for name in ("hdf5", "cmake", "perl"):
                runs.ended(name, "FAILED")
            until(lambda: statuses(site).count("HELD") == 3, "what is too much")
            let_pass(
                database,
                "UPDATE notification_delivery SET first_try_at = :past_at WHERE first_try_at IS NOT NULL",
                "UPDATE notification_delivery SET next_try_at = :past_at WHERE status = 'HELD'",
            )
            until(lambda: len(mailbox.mails) == 2, "the summary")
    first, summary = mailbox.mails
    assert (first["Subject"], first["To"]) == ("zlib@1.2.11 newly fails", "ada@example.org")
    text = first.get_content()
    assert "Broken: zlib@1.2.11, phase build" in text
    assert "At: main.c:7" in text
    assert "Build: https://monitor.example.org/builds/5" in text
    assert summary["Subject"] == "mail: 3 more events"
    assert [name in summary.get_content() for name in ("hdf5@", "cmake@", "perl@", "zlib@")] == [
        True, True, True, False,
    ]  # fmt: skip
    listed = shell.done("rule", "deliveries")
    assert listed.count(" SUMMED_UP ") == 3
    assert mailbox_of.PASSWORD not in listed
