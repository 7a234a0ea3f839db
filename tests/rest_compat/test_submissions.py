"""Batches of reports over HTTP: an answer for each line, and nothing lost when a connection is."""

import gzip
import json
import random
import socket
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import zstandard

from spackmon.large_bytes import Writer
from spackmon.rest_compat.lines import Lines, Numbered
from tests.cli.command import Shell
from tests.formats.corpus import documents
from tests.server import Server, new_token, served
from tests.waiting import until

SPECS = documents("nodes-v5-1.2")
PATH = "/api/submissions"


def install(number: int, **fields: Any) -> dict[str, Any]:
    """A line about one run of a package that nobody knows the spec of."""
    source = {"kind": "EXTENSION", "key": f"run-{number}"}
    return {"type": "install", "source": source, "package": f"package-{number}", **fields}


def spec(number: int) -> dict[str, Any]:
    return {"type": "spec", "spec": SPECS[number], "spack_version": "1.2.0"}


def body_of(*lines: Any) -> bytes:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    return "".join(f"{text}\n" for text in texts).encode()


def send(server: Server, body: bytes, **headers: str) -> list[dict[str, Any]]:
    """The answers to a batch; header names are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = server.post(PATH, body, **named)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def statuses(answers: list[dict[str, Any]]) -> list[str]:
    return [answer["status"] for answer in answers]


def builds(server: Server) -> int:
    count: int = server.ask("{ builds(first: 1) { totalCount } }")["builds"]["totalCount"]
    return count


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("identity", bytes), ("gzip", gzip.compress), ("zstd", zstandard.compress)],
)
def test_each_line_has_its_answer_and_the_same_again_is_known(
    server: Server, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    environment = {"hostname": "node1", "platform": "linux", "host_os": "ubuntu22.04", "host_target": "zen3"}
    whole = body_of(
        install(1, spec=SPECS[0], environment=environment, status="RUNNING"),
        install(1, status="SUCCESS", duration_seconds=9.5),
        "",
        spec(0),
        spec(1),
        {"type": "concretization_failure", "spec": "hdf5@99", "package": "hdf5", "message": "no",
         "spack_version": "1.2.0"},
    )  # fmt: skip
    answers = send(server, pack(whole), Content_Encoding=encoding)
    assert statuses(answers) == ["created", "changed", "known", "created", "created"]
    assert [answer["line"] for answer in answers] == [1, 2, 4, 5, 6]
    assert answers[0]["build"] == answers[1]["build"]
    assert answers[0]["spec"] == answers[2]["spec"] == SPECS[0]["spec"]["nodes"][0]["hash"]
    again = send(server, pack(whole), Content_Encoding=encoding)
    assert statuses(again) == ["known"] * 5
    assert builds(server) == 1


def test_bad_lines_stop_no_other_and_wait_in_the_inbox(server: Server, tmp_path: Path) -> None:
    answers = send(
        server,
        body_of(
            install(1), "{", install(2, status="DONE"), "[]", spec(0),
            {"type": "spec", "spec": {"nodes": []}}, install(3),
            '{"type": "install", "source": ' + "[" * 5000, "\x00", "\u00e9",
        ),
    )  # fmt: skip
    wanted = ["created", "refused", "refused", "refused", "created", "refused", "created", *["refused"] * 3]
    assert statuses(answers) == wanted
    assert answers[2]["code"] == "FIELD_INVALID"
    assert answers[2]["message"] == "status must be one of NOTRUN, RUNNING, SUCCESS, FAILED, CANCELLED"
    shell = Shell(server.database_url, tmp_path)
    shown = shell.run("inbox", "show", answers[2]["inbox"])
    assert "submissions from builder: FIELD_INVALID" in shown.stderr
    assert json.loads(shown.stdout)["status"] == "DONE"
    replayed = shell.run("inbox", "replay")
    assert replayed.returncode == 1
    assert replayed.stderr.splitlines()[-2:] == [
        "0 applied", "spackmon: 7 could not be applied and stay in the inbox",
    ]  # fmt: skip


def test_a_line_with_more_errors_than_are_listed_is_taken_and_kept(server: Server) -> None:
    errors = [{"kind": "ERROR", "text": f"error {number}"} for number in range(1_003)]
    body = body_of(install(1, events=errors), install(2, events=errors[:1_000]))
    first, second = send(server, body)
    told = {name: first.pop(name) for name in ("code", "message", "inbox")}
    assert first.keys() == second.keys()
    assert (first["status"], told["code"], told["inbox"]) == ("created", "EVENTS_NOT_LISTED", 1)
    assert told["message"] == "3 errors and warnings are not listed: 1,000 of each are"
    assert statuses(send(server, body)) == ["known", "known"]


def test_a_batch_that_was_cut_is_gone_on_with_where_it_ended(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = bytearray()
    feed = Lines.feed

    def note(lines: Lines, chunk: bytes) -> Iterator[Numbered]:
        taken.extend(chunk)
        return feed(lines, chunk)

    monkeypatch.setattr(Lines, "feed", note)
    lines = [install(number) for number in range(120)]
    whole = body_of(*lines)
    at = whole.index(b'"run-100"')  # in the middle of line 101
    with cut_off(server, whole[:at], declared=len(whole), key="batch 1"):
        # A hard end throws away what the server has not taken yet.
        until(lambda: len(taken) == at, "the part that was sent")
    until(lambda: lines_done(server, "batch 1") == 100, "line 100")
    assert builds(server) == 100
    answers = send(server, whole, Idempotency_Key="batch 1")
    assert statuses(answers) == ["known"] * 100 + ["created"] * 20
    assert lines_done(server, "batch 1") == 120
    assert builds(server) == 120


@contextmanager
def cut_off(server: Server, part: bytes, declared: int, key: str) -> Iterator[None]:
    """A part of a body is sent; after the block the client hangs up hard."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {declared}\r\n"
            f"Authorization: Bearer {server.token}\r\nIdempotency-Key: {key}\r\n\r\n"
        )
        connection.sendall(head.encode() + part)
        yield
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def lines_done(server: Server, key: str) -> int:
    answer = server.http.get(f"{PATH}/{key}", headers={"Authorization": f"Bearer {server.token}"})
    count: int = answer.json()["lines_done"]
    return count


def test_done_lines_are_not_looked_at_again_and_a_key_is_its_sender_s_own(server: Server) -> None:
    (_, refused) = send(server, body_of(install(1), install(2, status="DONE")), Idempotency_Key="k")
    again = send(server, body_of("{", "{", install(3)), Idempotency_Key="k")
    assert statuses(again) == ["known", "refused", "created"]
    assert again[1] == refused
    other = new_token(server.database_url, "somebody-else")
    answers = server.post(PATH, body_of(install(1)), token=other, **{"Idempotency-Key": "k"})
    assert json.loads(answers.text)["status"] == "created"
    assert lines_done(server, "never heard of") == 0


def test_eight_clients_with_the_same_lines_in_other_orders_do_not_undo_each_other(server: Server) -> None:
    lines = [
        line
        for number, document in enumerate(SPECS)
        for line in (
            install(number, spec=document, status="RUNNING"),
            install(number, status="SUCCESS", phases=[{"name": "build", "status": "SUCCESS"}]),
            {"type": "install", "source": {"kind": "PREFIX", "key": f"/{number}"}, "spec": document,
             "status": "SUCCESS"},
        )
    ]  # fmt: skip
    orders = [random.Random(seed).sample(lines, len(lines)) for seed in range(8)]
    with ThreadPoolExecutor(len(orders)) as clients:
        for answers in clients.map(lambda order: send(server, body_of(*order)), orders):
            assert "refused" not in statuses(answers)
    assert builds(server) <= len(SPECS)
    assert statuses(send(server, body_of(*lines))) == ["known"] * len(lines)


def test_a_body_that_ends_too_early_gives_what_it_has(server: Server) -> None:
    stored = zlib.compressobj(0, wbits=31)
    packed = stored.compress(body_of(install(1), install(2), install(3))) + stored.flush()
    answers = send(server, packed[:-60], Content_Encoding="gzip")
    assert statuses(answers) == ["created", "created", "refused"]
    assert answers[2]["code"] == "BODY_INCOMPLETE"
    (noise,) = send(server, b"no gzip at all", Content_Encoding="gzip")
    assert noise["message"] == "the body is not whole: it cannot be unpacked from here on"
    assert send(server, b"", Content_Encoding="zstd") == []
    assert builds(server) == 2


def bombs() -> Iterator[tuple[str, bytes, str]]:
    """More than a batch may hold, in a few kilobytes or megabytes."""
    yield "gzip", gzip.compress(bytes(140 << 20), 9), "LINE_TOO_LONG"
    yield "zstd", zstandard.compress(bytes(1100 << 20)), "BODY_TOO_LARGE"
    yield "gzip", gzip.compress(b"\n" * (20 << 20) + b"{}\n"), "BODY_TOO_LARGE"


@pytest.mark.parametrize(("encoding", "bomb", "code"), list(bombs()), ids=["line", "body", "lines"])
def test_a_bomb_is_one_sentence_and_the_next_batch_goes_in(
    server: Server, encoding: str, bomb: bytes, code: str
) -> None:
    answers = send(server, bomb, Content_Encoding=encoding)
    assert [answer["code"] for answer in answers] == [code]
    assert statuses(send(server, body_of(install(1)))) == ["created"]


def test_lines_are_unpacked_and_written_to_files_beside_the_event_loop(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []

    def note(content_of: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any) -> Any:
            threads.append(threading.current_thread().name)
            return content_of(*arguments)

        return noted

    for name in ("flush", "finish"):
        monkeypatch.setattr(Writer, name, note(getattr(Writer, name)))
    phases = [{"name": "build", "status": "SUCCESS", "output": "x" * 600_000}]
    batch = body_of(*(install(number, phases=phases, status="SUCCESS") for number in range(3)))
    assert statuses(send(server, gzip.compress(batch), Content_Encoding="gzip")) == ["created"] * 3
    assert {name.partition(" ")[0] for name in threads} == {"AnyIO"}


def test_who_may_not_write_is_challenged_and_what_cannot_be_read_is_said(server: Server) -> None:
    denied = server.http.post(PATH, content=body_of(install(1)))
    assert denied.status_code == 401
    assert denied.headers["www-authenticate"].startswith('Bearer realm="')
    assert server.http.get(f"{PATH}/k").status_code == 401
    brotli = server.post(PATH, b"", **{"Content-Encoding": "br"})
    assert (brotli.status_code, brotli.json()["message"]) == (
        415, "the body's encoding is 'br': expected gzip, zstd or none",
    )  # fmt: skip
    assert server.post(PATH, b"", **{"Idempotency-Key": "k" * 201}).status_code == 400


def test_an_open_server_takes_lines_from_anybody(sqlite_url: str, tmp_path: Path) -> None:
    with served(sqlite_url, tmp_path, disable_authentication=True) as open_server:
        answer = open_server.http.post(PATH, content=body_of(install(1)))
        assert json.loads(answer.text)["status"] == "created"
