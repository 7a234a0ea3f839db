"""While a body that is made to stop the server is read, the others are answered: counted, not timed.

Another process beats at its own pace. How many answers there are for a beat beside a thread that computes,
and lets others in whenever the interpreter asks it to, says what this machine can do at this moment; beside a
body there must be a good share of that.
"""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.hostile import bodies
from tests.server import Server, served

_SHARE = 0.3
_ASKED_BEFORE = 12
BODIES = [name for name in bodies() if name.startswith("XML")] + ["100,000 names", "empty objects"]


class Heart:
    """Another process that writes a byte for each beat."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe

    def beats(self) -> int:
        """How often it has beaten since this was asked before; it waits for one."""
        return len(os.read(self._pipe, 1 << 20))


@pytest.fixture(scope="module")
def open_server(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that anybody may report to; what is measured is not the database."""
    directory = tmp_path_factory.mktemp("open")
    database = directory / "spackmon.db"
    database.write_bytes(sqlite_template.read_bytes())
    with served(f"sqlite:///{database}", directory, disable_authentication=True) as server:
        yield server


@pytest.fixture(scope="module")
def heart() -> Iterator[Heart]:
    """Beats until the module's tests are over."""
    beating = "import time\nwhile True:\n    print(end='.', flush=True)\n    time.sleep(0.005)"
    with subprocess.Popen([sys.executable, "-c", beating], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(1) == b"."
        yield Heart(process.stdout.fileno())
        process.kill()


@pytest.mark.parametrize("name", BODIES)
def test_others_are_answered_while_it_is_read(open_server: Server, heart: Heart, name: str) -> None:
    sent = bodies()[name]()(1)
    statuses: list[int] = []

    def send() -> None:
        headers = {"Content-Type": sent.content_type}
        answer = open_server.http.request(sent.method, sent.path, content=sent.body, headers=headers)
        statuses.append(answer.status_code)

    with _computing():
        heart.beats()
        expected = _answered(open_server, lambda count: count < _ASKED_BEFORE) / heart.beats()
    heart.beats()
    sending = threading.Thread(target=send)
    sending.start()
    answered = _answered(open_server, lambda _: sending.is_alive())
    sending.join()
    # The last one may have been under way when the body was answered.
    assert answered + 1 >= _SHARE * expected * heart.beats()
    assert statuses[0] < 500


def _answered(server: Server, goes_on: Callable[[int], bool]) -> int:
    """How many questions were answered, one after the other."""
    count = 0
    while goes_on(count):
        assert server.http.get("/healthz").status_code == 200
        count += 1
    return count


@contextlib.contextmanager
def _computing() -> Iterator[None]:
    over = threading.Event()

    def compute() -> None:
        while not over.is_set():
            sum(range(100))

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
