"""Messages go where they may, as their receivers read them, and what cannot be is refused with a sentence."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from socket import AF_INET, IPPROTO_TCP, SOCK_STREAM
from typing import Any

import httpcore
import pytest

from spackmon.errors import Refused
from spackmon.ops.notifications import chat, mail
from spackmon.ops.notifications.addresses import Allowed, CheckedNetwork, check_url
from spackmon.ops.notifications.mail import MailServer
from spackmon.ops.notifications.messages import example
from spackmon.ops.notifications.webhook import Outcome, WebhookSender
from tests.cli.command import Shell
from tests.ops.receiving import Receiver, receiving

PRIVATE = [
    "http://127.0.0.1/", "http://127.1/", "http://0x7f000001/", "http://2130706433/", "http://0177.0.0.1/",
    "http://localhost/", "http://LOCALHOST./", "http://0.0.0.0/", "http://0/", "http://[::1]/", "http://[::]/",
    "http://10.0.0.1/", "http://172.16.0.1/", "http://172.31.255.255/", "http://192.168.1.1/",
    "http://100.64.0.1/", "http://169.254.169.254/latest/meta-data/", "http://[fe80::1]/",
    "http://[fe80::1%251]/", "http://[fd00:ec2::254]/", "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:a9fe:a9fe]/", "http://[::127.0.0.1]/", "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/", "http://[2001:0:7f00:1::]/", "http://224.0.0.1/", "http://[ff02::1]/",
    "http://255.255.255.255/", "http://198.18.0.1/", "http://192.0.2.1/", "http://[2001:db8::1]/",
]  # fmt: skip
UNUSABLE = [
    "", "hook", "ftp://example.org/", "file:///etc/passwd", "http://", "https:///path", "http://example.org:0/",
    "http://example.org:99999/", "http://user:secret@example.org/", "http://example.org@127.0.0.1/",
    "http://[::1", "http://exa mple.org/", "http://example.org/\r\nHost: other", "http://①②⑦.0.0.1/",
    f"http://example.org/{'a' * 2_000}",
]  # fmt: skip


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def posted(urls: list[str], allowed: Allowed) -> list[Outcome]:
    async def work() -> list[Outcome]:
        sender = WebhookSender(allowed, "test")
        return [await sender.post(url, b"{}", {"Webhook-Id": "msg_1"}) for url in urls]

    return asyncio.run(work())


def test_no_request_goes_to_an_address_that_is_none_of_the_internet(receiver: Receiver) -> None:
    urls = [re.sub(r"(?<=\w|\]|\.)/", f":{receiver.port}/", url, count=1) for url in PRIVATE]
    assert all(f":{receiver.port}/" in url for url in urls)
    for url, outcome in zip(urls, posted(urls, Allowed()), strict=True):
        assert (outcome.is_delivered, outcome.answer_status) == (False, None), url
    assert not receiver.requests
    by_name = receiver.url.replace("127.0.0.1", "localhost")
    for allowed in ("127.0.0.0/8", "localhost", "LOCALHOST."):
        (outcome,) = posted([by_name], Allowed.of([allowed]))
        assert outcome.is_delivered
    (outcome,) = posted([receiver.url], Allowed.of(["localhost", "10.0.0.0/8"]))
    assert not outcome.is_delivered
    assert len(receiver.requests) == 3
    for url in ("http://8.8.8.8/", "https://[2606:4700::1111]/", "https://example.org:8443/hook?a=b"):
        check_url(url, Allowed())


def test_what_was_checked_is_what_is_connected_to_whatever_the_name_means_a_moment_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connected: list[str] = []

    class Network(httpcore.AnyIOBackend):
        async def connect_tcp(self, host: str, *_: Any, **__: Any) -> Any:
            connected.append(host)
            raise httpcore.ConnectError("nobody is there")

    meanings = [["93.184.216.34"], ["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["::ffff:10.0.0.1"]]

    def looked_up(*_: Any, **__: Any) -> list[Any]:
        return [(AF_INET, SOCK_STREAM, IPPROTO_TCP, "", (one, 80)) for one in meanings.pop(0)]

    monkeypatch.setattr("socket.getaddrinfo", looked_up)
    network = CheckedNetwork(Allowed(), Network())

    async def connect() -> None:
        await network.connect_tcp("rebinding.example", 80)

    with pytest.raises(httpcore.ConnectError):
        asyncio.run(connect())
    for _ in range(3):
        with pytest.raises(Refused, match="no address of the Internet"):
            asyncio.run(connect())
    assert (connected, meanings) == (["93.184.216.34"], [])


@pytest.mark.parametrize("url", UNUSABLE)
def test_an_address_that_no_webhook_can_have_is_refused(url: str) -> None:
    with pytest.raises(Refused) as refused:
        check_url(url, Allowed())
    assert refused.value.code in ("WEBHOOK_INVALID", "ADDRESS_PRIVATE")
    assert "secret" not in refused.value.sentence


def test_an_answer_is_bounded_and_leads_nowhere(receiver: Receiver) -> None:
    allowed = Allowed.of(["127.0.0.1"])
    receiver.answers, receiver.headers = [302, 429, 410], {"Location": receiver.url, "Retry-After": "77"}
    redirected, busy, gone = posted([receiver.url] * 3, allowed)
    assert (redirected.is_delivered, redirected.answer_status, len(receiver.requests)) == (False, 302, 3)
    assert (busy.wait_seconds, busy.is_final) == (77.0, False)
    assert gone.is_final
    assert "taken" in gone.answer


NASTY = (
    "<!channel> @all ``` ``` *x* & </pre><script> {{ 7 * 7 }} \x1b[31m \r\nBcc: eve@example.org"
    " \"'\\ \ud800 é"
)


def nasty() -> dict[str, Any]:
    content = example("NEWLY_FAILING", "nightly", "https://monitor.example.org")
    return {**content, "title": NASTY, "cause": {**content["cause"], "message": NASTY}}


@pytest.mark.parametrize("name", chat.presets())
def test_a_chat_is_sent_json_that_mentions_nobody(name: str) -> None:
    template = chat.preset(name)
    chat.check_template(template, "NEWLY_FAILING")
    text = json.dumps(json.loads(chat.rendered(template, nasty())), ensure_ascii=False)
    assert "7 * 7" in text
    match name:
        case "slack":
            assert json.loads(text)["text"].startswith("&lt;!channel&gt; @all")
            assert {block["text"]["type"] for block in json.loads(text)["blocks"]} == {"plain_text"}
        case "mattermost":
            shown = json.loads(text)["text"]
            assert shown.startswith("```")
            assert shown.count("```") == 2
        case "matrix":
            assert "<script>" not in json.loads(text)["html"]
        case "teams":
            card = json.loads(text)["attachments"][0]["content"]
            assert card["actions"][0]["url"] == "https://monitor.example.org/"


def test_a_mail_has_the_headers_that_are_meant_and_no_others() -> None:
    server = MailServer("mail.example.org", 25, "none", "spackmon@example.org")
    composed = mail.composed(server, "ada@example.org", "msg_1", nasty())
    assert composed["Bcc"] is None
    assert composed["Message-ID"] == "<msg_1@example.org>"
    assert "Bcc" in composed["Subject"]
    composed.as_bytes()
    for address in (
        "ada",
        "ada@example.org\r\nBcc: eve@example.org",
        "a@b, c@d",
        "<a@b>",
        "",
        "ada@example.org\n",
    ):
        with pytest.raises(Refused):
            mail.check_address(address)


WRONG = [
    ("a rule needs a channel", ()),
    ("--where", ("--where", "[]", "--webhook", "https://example.org")),
    ("colour", ("--where", '{"colour": {"eq": "red"}}', "--webhook", "https://example.org")),
    ("no address of the Internet", ("--webhook", "http://169.254.169.254/latest")),
    ("no mail address", ("--email", "ada")),
    ("no chat", ("--chat", "irc=https://example.org")),
    ("not JSON", ("--chat", "@bad.j2=https://example.org")),
    ("missing", ("--chat", "@missing.j2=https://example.org")),
    ("--environment", ("--environment", "site", "--email", "ada@example.org")),
    ("one thing", ("--on", "NEWLY_FAILING", "--email", "ada@example.org")),
    ("no person", ("--user", "nobody", "--email", "ada@example.org")),
]


def test_a_rule_that_cannot_be_is_refused_with_a_sentence(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.j2").write_text("{{ message.title }}")
    shell = Shell(sqlite_url, tmp_path)
    for sentence, given in WRONG:
        assert sentence in shell.refused("rule", "add", "one", "--on", "FIXED", *given)
    assert len(shell.done("rule", "list").splitlines()) == 1
    assert "no rule named 'one'" in shell.refused("rule", "remove", "one")
    assert "no message" in shell.refused("rule", "redeliver", "msg_1")


WRONG_CHANGES = [
    ("nothing is to be changed", ()),
    ("last one", ("--remove-channel", "https://example.org/secret")),
    ("2 channels go", ("--email", "eve@example.org", "--remove-channel", "https://example.org")),
    ("no channel goes", ("--remove-channel", "https://example.org/other")),
    ("--environment", ("--on", "FIXED")),
    ("colour", ("--where", '{"colour": {"eq": "red"}}')),
    ("no mail address", ("--email", "ada")),
]


def test_a_rule_is_edited_or_left_as_it_is(sqlite_url: str, tmp_path: Path) -> None:
    shell = Shell(sqlite_url, tmp_path)
    one = ("rule", "add", "one", "--on", "ROOT_FAILED", "--environment", "site")
    shell.done(*one, "--webhook", "https://example.org/secret")
    before = shell.done("rule", "list")
    for sentence, given in WRONG_CHANGES:
        if sentence == "2 channels go":
            shell.done("rule", "edit", "one", "--webhook", "https://example.org/token")
            before = shell.done("rule", "list")
        refused = shell.refused("rule", "edit", "one", *given)
        assert sentence in refused
        assert "secret" not in refused
        assert shell.done("rule", "list") == before
    assert "no rule named 'two'" in shell.refused("rule", "edit", "two", "--mute")
    shell.done(
        "rule", "edit", "one", "--on", "FIXED", "--environment", "", "--where",
        '{"status": {"eq": "SUCCESS"}}', "--remove-channel", "@-", "--chat",
        "slack=https://chat.example.org/hook", "--mute",
        stdin="https://example.org/secret",
    )  # fmt: skip
    row = shell.done("rule", "list").splitlines()[1]
    assert "FIXED" in row
    assert '{"status": {"eq": "SUCCESS"}}' in row
    assert "site" not in row
    assert "webhook https://example.org/…, chat https://chat.example.org/…" in row
    assert row.split()[-1].startswith("20")
