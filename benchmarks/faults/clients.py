"""Recorded Spack clients, each of which gives up at the first answer that it does not know.

They run in processes of their own, one thread a client, and build on a machine each. Each session reports
graphs of its own, so that what it left can be compared with what a session left while nothing was at fault.
"""

import multiprocessing
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tests.player import Player, exchanges

CAPTURES = ("0.17-success", "0.17-fail", "0.17-upload", "0.19dev-success")
"""What is played: four kinds of sessions, of two versions of Spack."""
PHASE = "/ms1/builds/phases/update/"
_CLIENTS_OF_A_PROCESS = 50
_GIVE_UP_SECONDS = 600.0
_STATED = re.compile(r'hash"\s*:\s*"([a-z2-7]{32})"')
_LIKE_A_HASH = re.compile("[a-z2-7]{32}")
_LETTERS = "abcdefghij"
_OWN_LETTERS = 6
_MOST_CLIENTS = 2000
_MACHINE = "build-host-1"


@dataclass(frozen=True, slots=True)
class Client:
    """Who reports where; `number` is different for each client there ever is.

    Between two requests a client builds: for `pause_seconds` in the mean, as chance has it.
    """

    number: int
    url: str
    user: str
    token: str
    pause_seconds: float = 0.0


@dataclass(slots=True)
class Session:
    """What became of one session; times are of the monotonic clock, which all processes share."""

    capture: str
    number: int
    acknowledged: list[dict[str, Any]] = field(default_factory=list)
    """The requests that were answered as a client expects, in this session's hashes."""
    death: str | None = None
    ended_at: float = 0.0
    phases: list[tuple[float, float]] = field(default_factory=list)
    """When each update of a phase was sent, and how many seconds it took."""

    @property
    def is_whole(self) -> bool:
        """Whether it was played to its end."""
        return self.death is None


def ending(number: int) -> str:
    """The last letters of every hash of the session with this number."""
    return "".join(_LETTERS[int(digit)] for digit in f"{number:0{_OWN_LETTERS}d}")


@cache
def _recorded(capture: str) -> tuple[list[dict[str, Any]], frozenset[str]]:
    """The requests and answers of a capture, and every hash of a spec in them."""
    found = list(exchanges(capture))
    return found, frozenset(_STATED.findall(" ".join(one["request_body"] or "" for one in found)))


def hashes_of(capture: str, number: int) -> list[str]:
    """The hashes that a session states."""
    return [one[:-_OWN_LETTERS] + ending(number) for one in sorted(_recorded(capture)[1])]


def session_of(capture: str, number: int) -> list[dict[str, Any]]:
    """The requests and answers of a capture, with hashes of this session's own, on its client's machine."""
    found, hashes = _recorded(capture)
    machine = f"build-host-{number % _MOST_CLIENTS}"

    def own(word: re.Match[str]) -> str:
        return word[0][:-_OWN_LETTERS] + ending(number) if word[0] in hashes else word[0]

    texts = ("request_body", "response_body")
    return [
        {**one, **{text: _LIKE_A_HASH.sub(own, one[text] or "").replace(_MACHINE, machine) for text in texts}}
        for one in found
    ]


def play(
    client: Client,
    capture: str,
    number: int,
    recorded: Sequence[dict[str, Any]],
    pause: Callable[[float], object] = time.sleep,
) -> Session:
    """Play one session to its end, or to the client's; `pause` waits for some seconds, or for less."""
    session, luck = Session(capture, number), random.Random(number)
    # A report that is spooled is acknowledged in other words, which no client reads.
    player = Player(client.url, client.user, client.token, is_strict=False)
    for exchange in recorded:
        if client.pause_seconds:
            pause(luck.expovariate(1 / client.pause_seconds))
        began = time.monotonic()
        try:
            problem = player.play_one(exchange)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        if exchange["path"] == PHASE:
            session.phases.append((began, time.monotonic() - began))
        if problem is not None:
            session.death = f"{exchange['path']}: {problem}"
            break
        session.acknowledged.append(exchange)
    session.ended_at = time.monotonic()
    return session


def _report(clients: Sequence[Client], ready: Any, over: Any, queue: Any, sessions: int) -> None:
    """Play sessions until `over`, or so many; a client that died is followed by another."""
    ready.release()

    def go_on(client: Client) -> None:
        for turn in range(sessions):
            if over.is_set():
                return
            # The last digits of a session's number are the client's.
            number = turn * _MOST_CLIENTS + client.number
            capture = CAPTURES[number % len(CAPTURES)]
            queue.put(play(client, capture, number, session_of(capture, number), over.wait))

    threads = [threading.Thread(target=go_on, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    queue.put(None)


class Reporting:
    """Clients at work; `sessions` grows, and is whole after the block."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []


@contextmanager
def reporting(clients: Sequence[Client], sessions: int = 499) -> Iterator[Reporting]:
    """Let `clients` report for as long as the block, and finish the sessions they have begun.

    `sessions` are the most that one of them plays.
    """
    context = multiprocessing.get_context("spawn")
    queue: Any = context.Queue()
    ready, over = context.Semaphore(0), context.Event()
    shares = [
        clients[at : at + _CLIENTS_OF_A_PROCESS] for at in range(0, len(clients), _CLIENTS_OF_A_PROCESS)
    ]
    given = (ready, over, queue, sessions)
    processes = [context.Process(target=_report, args=(share, *given), daemon=True) for share in shares]
    found = Reporting()

    def take() -> None:
        for _ in processes:
            while (session := queue.get(timeout=_GIVE_UP_SECONDS)) is not None:
                found.sessions.append(session)

    taking = threading.Thread(target=take, daemon=True)
    for process in processes:
        process.start()
    taking.start()
    for _ in processes:
        ready.acquire()
    try:
        yield found
    finally:
        over.set()
        taking.join()
        for process in processes:
            process.terminate()
            process.join()
