"""Bodies of any size at once: the memory that they take is shared out, and what is large is in files."""

import asyncio
import hashlib
import http.client
import json
import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import anyio.lowlevel
import pytest
from sqlalchemy import select

from spackmon.errors import Refused
from spackmon.http import body
from spackmon.http.body import read_body
from spackmon.ingest.tables import contents
from spackmon.logs import chunks
from spackmon.models import Log, LogChunk
from spackmon.ops.memory import Memory
from spackmon.rest_compat import writes
from tests import player
from tests.player import Player
from tests.server import Server, in_database, served_by_process

PHASE_BYTES = 30 << 20
AT_ONCE = 6


def test_shares_are_given_in_order_and_never_exceed_the_budget() -> None:
    memory = Memory(100)
    log: list[tuple[str, int]] = []
    in_use = 0

    async def take(name: str, size: int, rounds: int) -> None:
        nonlocal in_use
        async with memory.share(size, 60):
            in_use += min(size, 100)
            log.append((name, in_use))
            for _ in range(rounds):
                await anyio.lowlevel.checkpoint()
            in_use -= min(size, 100)

    async def all_at_once() -> None:
        wanted = [("a", 60, 5), ("b", 50, 3), ("small", 10, 1), ("huge", 1000, 2), ("last", 100, 1)]
        tasks = [asyncio.create_task(take(*one)) for one in wanted]
        await anyio.lowlevel.checkpoint()
        tasks[2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # All of it is there again.
        async with memory.share(100, 0):
            pass

    asyncio.run(all_at_once())
    assert [name for name, _ in log] == ["a", "b", "huge", "last"]
    assert max(used for _, used in log) <= 100


def test_whoever_waits_too_long_is_told_and_is_in_nobodys_way() -> None:
    memory = Memory(10)

    async def wait() -> str:
        async with memory.share(8, 0):
            with pytest.raises(Refused) as refused:
                async with memory.share(5, 0):
                    pass
            async with memory.share(2, 0):
                pass
        return refused.value.code

    assert asyncio.run(wait()) == "BUSY"


def test_large_phases_at_once_take_no_memory(sqlite_url: str, tmp_path: Path) -> None:
    with served_by_process(sqlite_url, tmp_path) as server:
        build_id = begun(server)
        before = peak_bytes(server)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(lambda number: post_phase(server, build_id, number), range(AT_ONCE)))
        assert answers == [200] * AT_ONCE
        assert peak_bytes(server) - before < AT_ONCE * PHASE_BYTES / 3
        stored = in_database(server, lambda c: c.execute(select(Log.size_bytes)).scalars().all())
        assert list(stored) == [PHASE_BYTES] * AT_ONCE


def begun(server: Server) -> int:
    client = Player(server.url, server.user, server.token)
    for exchange in player.exchanges("0.17-success"):
        assert client.play_one(exchange) is None
        if exchange["path"].endswith("builds/new/"):
            return client.build_ids[json.loads(exchange["response_body"])["data"]["build"]["build_id"]]
    raise AssertionError("no build was recorded")


def post_phase(server: Server, build_id: int, number: int) -> int:
    head = f'{{"build_id": {build_id}, "phase_name": "p{number}", "status": "SUCCESS", "output": "'.encode()
    line = f"phase {number} went on and on\\n".encode()
    text_bytes = len(line) - 1
    whole, rest = divmod(PHASE_BYTES, text_bytes)
    log = line * whole + b"." * rest
    connection = http.client.HTTPConnection(re.sub("^http://", "", server.url))
    headers = {"Authorization": f"Bearer {server.token}"}
    connection.request("POST", "/ms1/builds/phases/update/", head + log + b'"}', headers)
    return connection.getresponse().status


def peak_bytes(server: Server) -> int:
    """The most memory that the worker has had."""
    assert server.process is not None
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    peaks = [re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()) for pid in children]
    return max(int(peak[1]) for peak in peaks if peak) * 1024


def test_a_body_that_is_too_large_is_read_before_it_is_refused(server: Server) -> None:
    connection = http.client.HTTPConnection(re.sub("^http://", "", server.url))
    headers = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"}
    # A client that writes on while its connection is closed never sees an answer.
    for size in (2 << 20, 20 << 20):
        connection.request("POST", "/api/v1/addBuild.php", b'{"a": "' + b"x" * size + b'"}', headers)
        answer = connection.getresponse()
        assert (answer.status, answer.will_close) == (413, False)
        answer.read()


def test_a_large_log_is_compressed_before_the_transaction_that_stores_it(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is what was sent; others do not wait for more than its insertion."""

    def in_transaction(_: object) -> None:
        raise AssertionError("divided and compressed while others wait")

    monkeypatch.setattr(contents.chunks, "split", in_transaction)
    build_id = begun(server)
    text = "".join(f"line {number} of a log\n" for number in range(100_000))
    report = {"build_id": build_id, "phase_name": "build", "status": "SUCCESS", "output": text}
    assert server.post("/ms1/builds/phases/update/", report).status_code == 200
    rows = in_database(server, lambda c: c.execute(select(LogChunk.content).order_by(LogChunk.number)).all())
    assert len(rows) > 5
    assert chunks.join(content for (content,) in rows) == text.encode()
    assert (
        in_database(server, lambda c: c.execute(select(Log.digest)).scalar_one())
        == hashlib.sha256(text.encode()).digest()
    )


@pytest.mark.parametrize("is_chunked", [False, True], ids=["declared", "chunked"])
def test_the_largest_report_is_taken_and_one_byte_more_is_refused(
    server: Server, monkeypatch: pytest.MonkeyPatch, is_chunked: bool
) -> None:
    monkeypatch.setattr(writes, "read_body", partial(read_body, maximum_bytes=1 << 20))
    report = b'{"build_id": 999, "status": "SUCCESS"}'
    answers = []
    for size in (1 << 20, (1 << 20) + 1):
        whole = report.ljust(size)
        sent = iter([whole[: size // 2], whole[size // 2 :]]) if is_chunked else whole
        answer = server.http.post("/ms1/builds/update/", content=sent, headers=bearer(server))
        answers.append((answer.status_code, answer.json()["error"]))
    assert answers == [(404, "BUILD_UNKNOWN"), (413, "BODY_TOO_LARGE")]


def test_a_gibibyte_is_refused_by_its_declared_length(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit as it is; what is read on after it is cut short here."""
    monkeypatch.setattr(body, "_MOST_DISCARDED_BYTES", 0)
    connection = http.client.HTTPConnection(re.sub("^http://", "", server.url))
    connection.putrequest("POST", "/ms1/builds/phases/update/")
    for name, value in {**bearer(server), "Content-Length": str((1 << 30) + 1)}.items():
        connection.putheader(name, value)
    connection.endheaders(b"{")
    answer = connection.getresponse()
    assert answer.status == 413
    assert json.load(answer)["message"] == "the body is too large: expected at most 1024 MiB"
    connection.close()


def bearer(server: Server) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.token}"}
