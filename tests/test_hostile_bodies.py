"""While a body that is made to stop the server is read, the others are answered.

A wait is measured by what the serving process computes meanwhile, not by a clock: it computes nothing while a
busy machine lets others compute, and they wait for the machine then. What may be is what it takes to add up
some numbers, here and now.

It computes on while this thread, which asks, waits for a processor; that is no wait for the server.
"""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.hostile import Sent, bodies
from tests.server import Server, served_by_process, worker_of

BODIES = [
    name
    for name in bodies()
    if name.startswith("XML") or name in ("40,000 names", "64 lists", "empty objects")
]
# A tenth of a second, by and large.
_NUMBERS = 8_000_000
# What stops the others does so each time; a machine that has no processor for them does it now and then.
_TRIES = 12


@pytest.fixture(scope="module")
def open_server(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that anybody may report to; what is measured is not the database."""
    directory = tmp_path_factory.mktemp("open")
    database = directory / "spackmon.db"
    database.write_bytes(sqlite_template.read_bytes())
    environment = {"SPACKMON_DISABLE_AUTHENTICATION": "true"}
    with served_by_process(f"sqlite:///{database}", directory, environment) as server:
        yield server


@pytest.mark.parametrize("name", BODIES)
def test_others_are_answered_while_it_is_read(open_server: Server, name: str) -> None:
    hostile = bodies()[name]()
    waits: list[int] = []
    allowed = 0
    while len(waits) < _TRIES and not (waits and waits[-1] < allowed):
        waits.append(_longest_wait(open_server, hostile(len(waits))))
        allowed = _nanoseconds_of_adding()
    assert waits[-1] < allowed, waits


def _longest_wait(server: Server, sent: Sent) -> int:
    """What the server computes at most from a question to its answer while it reads this, in nanoseconds."""
    statuses: list[int] = []

    def send() -> None:
        headers = {"Content-Type": sent.content_type}
        answer = server.http.request(sent.method, sent.path, content=sent.body, headers=headers)
        statuses.append(answer.status_code)

    clock, longest = _clock(server), 0
    sending = threading.Thread(target=send)
    sending.start()
    while sending.is_alive():
        began = time.clock_gettime_ns(clock) - _nanoseconds_without_processor()
        assert server.http.get("/healthz").status_code == 200
        longest = max(longest, time.clock_gettime_ns(clock) - _nanoseconds_without_processor() - began)
    sending.join()
    assert statuses[0] < 500
    return longest


def _clock(server: Server) -> int:
    """The clock of what the process computes that answers: clock_getcpuclockid(3)."""
    return (~worker_of(server) << 3) | 2


def _nanoseconds_without_processor() -> int:
    """How long this thread has waited for one so far (sched-stats in the documentation of Linux)."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1])


def _nanoseconds_of_adding() -> int:
    began = time.thread_time_ns()
    sum(range(_NUMBERS))
    return time.thread_time_ns() - began
