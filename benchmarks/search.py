"""Searching: how long it takes to find words in many events, common and rare ones."""

import os
import sqlite3
from collections.abc import Iterator
from itertools import islice
from random import Random

import psycopg
from sqlalchemy import make_url

from benchmarks.databases import Loaded
from benchmarks.measure import Meter, Result, at_most, backends, interleaved
from benchmarks.query import SETTLING
from benchmarks.service import service
from spackmon.database import Database
from spackmon.ingest.tables.events import search_words

TOPIC = "search"
_EVENTS, _QUICK_EVENTS = 1_000_000, 100_000
_ROWS_AT_ONCE = 10_000
_RUNS = 5
_EVENT = "INSERT INTO build_event (claim_id, attempt_id, position, kind, text, source_file, search_words) "
EVENTS = """
query ($search: String!) {
  events(first: 20, where: {search: $search}) { nodes { id text snippet(search: $search) { text isMatch } } }
}
"""
BUILDS = """
query ($search: String!) {
  builds(first: 20, where: {events: {some: {search: $search}}}) { nodes { id status } }
}
"""
SOUGHT = {
    "a word that most have": "error",
    "a word of one in a hundred": "undefined",
    "a word of one in a thousand": "collect2",
    "a word that one has": "sym_123456_c",
    "a word that none has": "nothing_has_this",
    "a beginning": "sym_1234*",
    "three words": "undefined reference dgemm_",
    "signs": "-lpng16",
    "words side by side": '"undefined reference to" dgemm_',
}
_LINKERS = (
    "/usr/bin/ld: unit_{number}.o: undefined reference to symbol 'dgemm_'",
    "/usr/bin/ld: cannot find -lpng16: No such file or directory",
    "unit_{number}.o:(.text+0x{number:x}): undefined reference to `sym_{number}_c'",
)


def texts(random: Random) -> Iterator[tuple[str, str]]:
    """Errors without end, each with its file; one in a hundred is a linker's."""
    number = 0
    while True:
        number += 1
        file = f"src/part_{random.randrange(300)}/unit_{random.randrange(5000)}.cpp"
        one = random.random()
        if one < 0.001:
            yield "collect2: error: ld returned 1 exit status", file
        elif one < 0.01:
            yield random.choice(_LINKERS).format(number=number), file
        else:
            name = f"sym_{number}_c"
            yield f"{file}:{number % 900}:{number % 70}: error: '{name}' was not declared in this scope", file


def add_events(url: str, count: int) -> None:
    """Give so many events to the runs that there are."""
    given = make_url(url)
    if given.get_backend_name() == "sqlite":
        with sqlite3.connect(given.database or "") as opened:
            runs = opened.execute("SELECT id, attempt_id FROM claim WHERE attempt_id IS NOT NULL").fetchall()
            for rows in _rows(runs, count, "sqlite"):
                opened.executemany(f"{_EVENT} VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            opened.execute("ANALYZE")
        return
    address = given.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection, connection.cursor() as cursor:
        runs = cursor.execute("SELECT id, attempt_id FROM claim WHERE attempt_id IS NOT NULL").fetchall()
        columns = _EVENT.partition("(")[2].rpartition(")")[0]
        for rows in _rows(runs, count, "postgresql"):
            with cursor.copy(f"COPY build_event ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        cursor.execute("VACUUM ANALYZE build_event")


def _rows(runs: list[tuple[int, int]], count: int, dialect_name: str) -> Iterator[list[tuple[object, ...]]]:
    random = Random(7)
    made = (
        (*random.choice(runs), 1_000 + number, "ERROR", text, file, search_words(dialect_name, text, file))
        for number, (text, file) in enumerate(islice(texts(random), count))
    )
    while rows := list(islice(made, _ROWS_AT_ONCE)):
        yield rows


def measure(loaded: Loaded, *, quick: bool) -> list[Result]:
    """Every search among the events of one database."""
    count = _QUICK_EVENTS if quick else _EVENTS
    with loaded.copy() as url:
        add_events(url, count)
        return results(loaded.name, url, count, rounds=3 if quick else 9)


def results(name: str, url: str, count: int, rounds: int) -> list[Result]:
    """The same of a database at hand."""
    database = Database(url)
    try:
        with service(database) as asked:
            works = {
                f"{what}: {noun}": (asked.asking(query, {"search": sought}, _RUNS), _RUNS)
                for what, sought in SOUGHT.items()
                for noun, query in (("events", EVENTS), ("builds", BUILDS))
            }
            for _ in range(SETTLING // _RUNS + 1):
                for work, _ in works.values():
                    work()
            processes = backends(url) if name == "postgresql" else []
            costs = interleaved(Meter(os.getpid(), processes), works, rounds)
    finally:
        database.close()
    return [
        Result(TOPIC, name, f"20 of {count:,} events, {what}", cost.wall, "ms", at_most(50))
        for what, cost in costs.items()
    ]
