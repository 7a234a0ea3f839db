"""Whole logs are looked through line by line, and an answer says how far."""

import random
from typing import Any

import pytest

from spackmon.logs.chunks import CHUNK_BYTES
from spackmon.query.meanings import log_searching
from tests.ingest.reports import spec
from tests.query.conftest import AskedSite
from tests.reference.searches import is_in, terms_of

_QUERY = """
query ($search: String!, $first: Int! = 20, $lines: Int! = 20, $after: String, $where: BuildPhaseFilter) {
  logs(search: $search, first: $first, lines: $lines, context: 1, after: $after, where: $where) {
    found { phase { name attempt { build { id } } } lines { line text before after } }
    logCount sizeBytes endCursor
  }
}
"""
_WORDS = [
    "error:",
    "ERROR",
    "warning",
    "-lfoo",
    "-lfoobar",
    "foo::bar",
    "Énd",
    "x" * 50,
    "\x1b[31mred\x1b[0m",
    "100%",
]


def _with_log(site: AskedSite, log: bytes, name: str = "zlib") -> str:
    build = site.build(spec(name, "1.2"))
    site.phase(build, "build", "ERROR", log)
    return str(build)


def _logs(site: AskedSite, search: str, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = site.ask(_QUERY, search=search, **more)["logs"]
    return found


def test_lines_are_found_by_the_rule_of_events_wherever_a_log_is_cut(site: AskedSite) -> None:
    dice = random.Random(2)
    lines = [" ".join(dice.choices(_WORDS, k=dice.randrange(5))) for _ in range(20_000)]
    _with_log(site, "\n".join(lines).encode())
    plain = [line.replace("\x1b[31m", "").replace("\x1b[0m", "") for line in lines]
    for sought in [
        "-lfoo warning",
        '"error: warning"',
        "énd 100%",
        "red foo*",
        "foo::bar -lfoobar ERROR",
        "none",
    ]:
        wanted = [number for number, line in enumerate(plain) if is_in(line, terms_of(sought))]
        answer = _logs(site, sought)
        assert (answer["logCount"], answer["endCursor"]) == (1, None)
        found = answer["found"][0]["lines"] if answer["found"] else []
        assert [one["line"] - 1 for one in found] == wanted[:20], sought
        for one in found:
            at = one["line"] - 1
            assert one["text"] == plain[at]
            # The lines around are those of the same chunk.
            assert one["before"] in ([], plain[max(at - 1, 0) : at])
            assert one["after"] in ([], plain[at + 1 : at + 2])


@pytest.mark.parametrize("most", ["MOST_BYTES", "MOST_CHUNKS"])
def test_an_answer_looks_so_far_and_the_next_one_goes_on(
    site: AskedSite, monkeypatch: pytest.MonkeyPatch, most: str
) -> None:
    monkeypatch.setattr(log_searching, most, 3 if most == "MOST_CHUNKS" else 2 * CHUNK_BYTES)
    line = b"y" * 1000 + b"\n"
    builds = [_with_log(site, line * size + b"needle %d\n" % size, f"p{size}") for size in (1, 2, 3, 900, 4)]
    found: list[tuple[str, int]] = []
    size_bytes, after, answers = 0, None, 0
    while answers == 0 or after is not None:
        answer = _logs(site, "needle", after=after, first=2)
        assert answer["logCount"] <= 4
        found += [
            (one["phase"]["attempt"]["build"]["id"], line["line"])
            for one in answer["found"]
            for line in one["lines"]
        ]
        size_bytes, after, answers = size_bytes + answer["sizeBytes"], answer["endCursor"], answers + 1
    assert found == list(zip(reversed(builds), (5, 901, 4, 3, 2), strict=True))
    assert size_bytes == 910 * 1001 + 4 * 9 + 11
    assert answers >= 3


def test_one_log_is_looked_through_from_a_line_on(site: AskedSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_searching, "_MOST_CHUNKS_OF_ONE", 2)
    numbers = [3, 4, 5_000, 9_999]
    lines = [f"needle {n}" if n in numbers else f"{n} {'y' * 90}" for n in range(1, 10_001)]
    _with_log(site, "\n".join(lines).encode())
    query = """query ($line: Int!) {
      phases(first: 1) { nodes { log { search(text: "needle", fromLine: $line, first: 1, context: 1) {
        lines { line text before after } sizeBytes nextLine
      } } } }
    }"""
    found, line, answers = [], 1, 0
    while line is not None:
        answer = site.ask(query, line=line)["phases"]["nodes"][0]["log"]["search"]
        assert 0 < answer["sizeBytes"] <= 2 * CHUNK_BYTES
        found += [one["line"] for one in answer["lines"]]
        line, answers = answer["nextLine"], answers + 1
    assert found == numbers
    assert answers == 4
    assert site.ask(query, line=4)["phases"]["nodes"][0]["log"]["search"]["lines"] == [
        {"line": 4, "text": "needle 4", "before": ["needle 3"], "after": [lines[4]]}
    ]
    assert site.error(query, line=0)["message"].startswith("`fromLine` must be a line from 1 on here")


def test_logs_are_left_out_by_what_is_asked_of_their_phases(site: AskedSite) -> None:
    one, other = _with_log(site, b"needle\n", "one"), _with_log(site, b"needle\n", "other")
    where = {"attempt": {"build": {"package": {"name": {"eq": "one"}}}}}
    answer = _logs(site, "needle", where=where)
    assert [found["phase"]["attempt"]["build"]["id"] for found in answer["found"]] == [one]
    assert answer["logCount"] == 1
    assert {found["phase"]["attempt"]["build"]["id"] for found in _logs(site, "needle")["found"]} == {
        one,
        other,
    }


@pytest.mark.parametrize(
    ("variables", "code", "beginning"),
    [
        ({"search": "::"}, "SEARCH_INVALID", "`search` "),
        ({"search": "a\0"}, "ARGUMENT_INVALID", "`search` "),
        ({"search": "a", "first": 0}, "ARGUMENT_INVALID", "`first` "),
        ({"search": "a", "lines": 21}, "ARGUMENT_INVALID", "`lines` "),
        ({"search": "a", "after": "5b5d"}, "CURSOR_INVALID", "`after` "),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_named(
    site: AskedSite, variables: dict[str, Any], code: str, beginning: str
) -> None:
    _with_log(site, b"a\n")
    error = site.error(_QUERY, **variables)
    assert error["extensions"]["code"] == code
    assert error["message"].startswith(beginning)
