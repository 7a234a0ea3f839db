"""Some lines of a log, whatever chunks they stand in, cost those chunks alone."""

import base64
import random
from typing import Any

import pytest

from spackmon.logs.chunks import CHUNK_BYTES
from tests.ingest.reports import spec
from tests.query.conftest import AskedSite

_LOG = "query ($from: Int, $to: Int) { phases { nodes { log(fromLine: $from, toLine: $to) { %s } } } }"


def _with_log(site: AskedSite, log: bytes) -> None:
    site.phase(site.build(spec("zlib", "1.2")), "build", "ERROR", log)


def _log(site: AskedSite, fields: str, **lines: int | None) -> dict[str, Any]:
    log: dict[str, Any] = site.ask(_LOG % fields, **lines)["phases"]["nodes"][0]["log"]
    return log


@pytest.mark.parametrize("ending", [b"", b"\n"])
def test_lines_are_those_of_the_whole_log_however_it_is_cut(site: AskedSite, ending: bytes) -> None:
    dice = random.Random(5)
    # Lines that fill a chunk, end with it, need several of their own, or are empty.
    lengths = [0, 1, 80, CHUNK_BYTES - 1, CHUNK_BYTES, 3 * CHUNK_BYTES, 90_000]
    lines = [b"%d:" % number + b"x" * dice.choice(lengths) for number in range(40)]
    _with_log(site, b"\n".join(lines) + ending)
    whole = [line + b"\n" for line in lines]
    whole[-1] = lines[-1] + ending
    assert _log(site, "lineCount", **{"from": 7})["lineCount"] == len(lines)
    ends: list[int | None] = [None, 1, 2, 39, 40, 41, 10**9, -1, -2, -40, -41, -(10**9)]
    drawn = [(dice.choice([*ends, *range(-40, -1), *range(2, 40)]), dice.choice(ends)) for _ in range(50)]
    for start, stop in [*drawn, *((number, number) for number in range(1, 41))]:
        first, last = (1 if start is None else start), (-1 if stop is None else stop)
        if first * last > 0 and first > last:
            error = site.error(_LOG % "text", **{"from": first, "to": last})
            assert error["extensions"]["code"] == "ARGUMENT_INVALID"
            assert "`toLine` must not be before `fromLine`" in error["message"]
            continue
        first, last = (41 + one if one < 0 else one for one in (first, last))
        wanted = b"".join(whole[max(first, 1) - 1 : max(last, 0)])
        shown = _log(site, "text base64", **{"from": start, "to": stop})
        assert base64.b64decode(shown["base64"]) == wanted, (start, stop)
        assert shown["text"] == wanted.decode()


@pytest.mark.parametrize(
    ("lines", "most"), [((-100, None), 2), ((1, 100), 1), ((20_000, 20_100), 2), ((None, None), 20)]
)
def test_some_lines_cost_a_chunk_or_two(
    site: AskedSite, lines: tuple[int | None, int | None], most: int
) -> None:
    _with_log(site, b"".join(b"%090d\n" % number for number in range(56_000)))
    start, stop = lines
    _log(site, "text", **{"from": start, "to": stop})
    chunks = site.ask_raw().partition(b";")[2].count(b",") + 1
    assert most / 2 <= chunks <= most


def test_colours_stay_where_they_are_shown_and_are_not_in_plain_text(site: AskedSite) -> None:
    log = b"\x1b[31merror:\x1b[0m a\r\n 1%\r 50%\r100%\r\n\x1b]8;;https://x\x07link\x1b]8;;\x07\r\nlast\r"
    _with_log(site, log)
    assert _log(site, "text")["text"] == log.decode()
    assert _log(site, "plainText") == {"plainText": "error: a\n100%\nlink\nlast"}
    assert _log(site, "plainText", **{"from": 2, "to": 2}) == {"plainText": "100%\n"}
    assert site.error(_LOG % "text", **{"from": 0})["message"].startswith("`fromLine` must be a line from 1")
