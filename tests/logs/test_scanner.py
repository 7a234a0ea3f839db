"""What is found in real logs, and that no log, however cut or broken, makes it fail or differ."""

import gzip
import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spackmon.logs.event import CONSEQUENCE, PRIMARY, Event, Report
from spackmon.logs.scanner import MOST_EVENTS, read
from spackmon.logs.windows import WINDOW_BYTES
from tests.logs.scoring import Label, score

LOGS = Path(__file__).parents[1] / "data" / "logs"
DIAGNOSTIC = b"solver.c:8:15: error: 'omega' undeclared\n"
STOP = b"make: *** [Makefile:6: solver.o] Error 1\n"
PARTS = [
    DIAGNOSTIC, STOP, b"w.c:1:2: warning: unused variable 'x' [-Wunused]\n", b"gcc -c a.c\r\n",
    b"\r 50% \r 99%",
    b"\x1b[31merror:\x1b[0m x\n", b"CMake Error at C.txt:4 (message):\n\n  no\n\n",
    b"Traceback (most recent call last):\n", b'  File "a.py", line 3, in f\n', b"ValueError: x\n",
    b"checking for x... ", b"E   assert 1\n", b"\n", b"\xff\xfe\x00", b"==> zlib: Executing phase: 'build'\n",
    b"  >> 12    a.c:1:2: error: y\n", b"2 errors found in build log:\n",
]  # fmt: skip


def content(name: str) -> bytes:
    data = (LOGS / name).read_bytes()
    return gzip.decompress(data) if name.endswith(".gz") else data


@cache
def labelled() -> list[tuple[Label, Report]]:
    lines = (LOGS / "labels.jsonl").read_text(encoding="utf-8").splitlines()
    return [(label, read([content(label["file"])])) for label in map(json.loads, lines)]


def listed(report: Report) -> list[Event]:
    return [event for event in report.events if event.role != CONSEQUENCE]


def test_the_events_of_labelled_logs_are_those_that_a_person_named() -> None:
    found = score((label, listed(report)) for label, report in labelled())
    assert found.false_alarms == []
    assert found.share(found.not_first) >= 0.97, found.not_first
    assert found.share(found.not_among_three) >= 0.99, found.not_among_three
    assert found.share(found.wrong_class) >= 0.97, found.wrong_class
    assert found.share(found.wrong_blame) >= 0.97, found.wrong_blame
    assert found.errors.strict_precision >= 0.97, (found.errors.wrong, found.errors.consequences)
    assert found.errors.recall >= 0.97, found.errors.missed
    assert found.warnings.strict_precision >= 0.97, found.warnings.wrong
    assert found.warnings.recall >= 0.97, found.warnings.missed


def test_the_same_failure_is_one_group_and_look_alikes_are_several() -> None:
    found = score((label, listed(report)) for label, report in labelled())
    assert found.split == []
    assert found.joined == []


def test_a_line_is_counted_where_a_line_feed_ends_it() -> None:
    for label, report in labelled():
        text = content(label["file"])
        assert report.lines == text.count(b"\n") + (not text.endswith(b"\n")), label["file"]
        assert all(
            event.first_line <= event.line <= event.last_line <= report.lines for event in report.events
        )


def pieces(log: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    start = 0
    for size in sizes:
        yield log[start : start + size]
        start += size
    yield log[start:]


@given(st.lists(st.one_of(st.sampled_from(PARTS), st.binary(max_size=60))), st.lists(st.integers(0, 40)))
def test_a_log_of_anything_gives_the_same_answer_however_it_is_cut(
    parts: list[bytes], sizes: list[int]
) -> None:
    log = b"".join(parts)
    whole = read([log])
    assert read(pieces(log, sizes)) == whole
    assert all(1 <= event.line <= whole.lines for event in whole.events)
    assert sum(event.is_first for event in whole.events) <= 1


@pytest.mark.parametrize(
    "before", [WINDOW_BYTES - 60, WINDOW_BYTES - 10, WINDOW_BYTES + 5, 2 * WINDOW_BYTES - 30]
)
@pytest.mark.parametrize("filler", [b"gcc -c a.c\n", b"x" * 70_000 + b"\n", b"\x1b[1mg++\x1b[0m\r\n"])
def test_where_a_window_ends_makes_no_difference(before: int, filler: bytes) -> None:
    log = (
        (filler * (before // len(filler) + 1))[: before - before % len(filler)]
        + DIAGNOSTIC
        + b"    8 | a;\n"
        + STOP
    )
    report = read(pieces(log * 2, [3, 1 << 16, 7]))
    assert [event.line for event in report.events] == [
        log.count(b"\n") - 2, log.count(b"\n")
    ]  # fmt: skip
    assert [event.count for event in report.events] == [2, 2]


def test_a_line_without_an_end_takes_no_more_memory_than_others() -> None:
    report = read(b"y" * 1000_000 for _ in range(20))
    assert (report.lines, report.events) == (1, [])


def test_more_events_than_the_limit_are_counted_and_said() -> None:
    log = b"".join(b"a.c:%d:1: error: 'x%d' undeclared\n" % (n, n) for n in range(MOST_EVENTS + 30)) + STOP
    report = read([log])
    assert len(report.events) == MOST_EVENTS + 1
    assert (report.errors, report.unlisted) == (MOST_EVENTS + 30, 30)
    assert report.events[0].is_first


def test_a_warning_of_one_text_is_one_event_with_a_count() -> None:
    log = b"".join(b"a%d.c:%d:1: warning: 'old' is deprecated [-Wd]\n" % (n, n) for n in range(500))
    (event,) = read([log]).events
    assert (event.count, event.line, event.source_file) == (500, 1, "a0.c")


@pytest.mark.parametrize(
    ("log", "roles"),
    [
        (b"a.c:1:1: error: x\nmake: [Makefile:3: t] Error 1 (ignored)\ngcc -c b.c\n", []),
        (
            b"==> a: Executing phase: 'configure'\na.c:1:1: error: x\n==> a: Executing phase: 'build'\nok\n",
            [],
        ),
        (b"ERROR: simulated\n" + b"ok\n" * 50, []),
        (b"ERROR: set ACME_DIR\n" + STOP, [PRIMARY, CONSEQUENCE]),
        (
            b"checking for a.h...\na.c:1:1: fatal error: a.h: No such file\nno\nconfigure: creating x\n",
            [],
        ),
        (STOP, [PRIMARY]),
        (b"FAIL: t-mesh.sh\n# FAIL:  1\n" + STOP, [PRIMARY, CONSEQUENCE, CONSEQUENCE]),
        (b"FAIL: t-mesh.sh\n" + b"PASS: t\n" * 50, []),
    ],
)
def test_what_stopped_nothing_is_no_error_and_what_follows_stands_for_it(
    log: bytes, roles: list[str]
) -> None:
    events = read([log]).events
    assert [event.role for event in events if roles or event.role == PRIMARY] == roles
    assert any(event.is_first for event in events) == (PRIMARY in roles)


def test_the_first_error_is_in_the_source_that_make_could_not_build() -> None:
    log = b"other.c:3:1: error: tried\nsolver.c:8:15: error: 'omega' undeclared\n" + STOP
    assert [event.source_file for event in read([log]).events if event.is_first] == ["solver.c"]


CURL = "curl: (22) The requested URL returned error: 404\n"
FETCH = "==> Error: FetchError: All fetchers failed for spack-stage-acme-2.1\n"
FRAMES = (
    'Traceback (most recent call last):\n  File "/opt/spack/lib/spack/spack/builder.py", line 1073, in f\n'
    "    return_value = function(pkg, kwargs)\n"
)
CARGO = (
    "error: failed to run custom build command for `libz-sys v1.1.8`\n\nCaused by:\n"
    "  process didn't exit successfully: `/x/build-script-build` (exit status: 101)\n  --- stderr\n"
)
PANIC = "  thread 'main' panicked at build.rs:30:10:\n"
ONE_FAILURE = [
    ("==> Error: ChecksumError: sha256 checksum failed for /x/a.tar.gz\n    Expected 12\n" + FRAMES
     + "spack.util.crypto.ChecksumError: sha256 checksum failed for /x/a.tar.gz\n", 1, "checksum"),
    (FRAMES + "spack.error.FetchError: All fetchers failed for spack-stage-acme-2.1\n" + FETCH, 4, "fetch"),
    ("==> Error: KeyError: 'foo'\n" + FRAMES + "KeyError: 'foo'\n", 1, "other"),
    (CURL + FETCH, 1, "fetch"),
    ("fatal: unable to access 'https://x.org/a.git/': Could not resolve host: x.org\n" + FETCH, 1, "network"),
    ("==> Error: PatchLookupError: Couldn't find patch for package foo with sha256: ab\n", 1, "patch"),
    ("==> patch() function failed for foo\n==> Error: FileNotFoundError: 'Makefile.in'\n", 2, "patch"),
    (CARGO + PANIC + "  could not find system library 'zlib' required by the 'libz-sys' crate\n",
     7, "missing-library"),
    (CARGO.replace("stderr", "stdout") + "  cargo:rerun-if-changed=x\n\n  --- stderr\n"
     "  Package openssl was not found in the pkg-config search path.\n" + PANIC + "  no openssl\n",
     9, "missing-library"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "class_name"), ONE_FAILURE)
def test_what_is_told_twice_is_one_error(text: str, line: int, class_name: str) -> None:
    (event,) = listed(read([text.encode()]))
    assert (event.line, event.class_name, event.is_first) == (line, class_name, True)


def test_two_failures_with_the_same_words_are_two() -> None:
    of_both = "".join(f"==> Error: {name}-1.0: FetchError: All fetchers failed\n" for name in "ab")
    panicked = CARGO + PANIC + "  ACME_SDK_DIR must point to the SDK\n"
    for text in (of_both, CURL + "ok\n" * 50 + FETCH, panicked):
        assert len(listed(read([text.encode()]))) == 2, text
