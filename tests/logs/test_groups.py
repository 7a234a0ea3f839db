"""What may differ between two builds of one failure makes no other group, and what it says does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spackmon.logs.event import PRIMARY, Event
from spackmon.logs.groups import VERSION, group, normal_form
from spackmon.logs.scanner import read

STOP = b"make: *** [Makefile:6: x.o] Error 1\n"
HASHES = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=32, max_size=32)
NAMES = st.from_regex(r"[a-z][a-z0-9]{2,8}", fullmatch=True)


def _group(line: str) -> str:
    (first,) = (event for event in read([line.encode() + b"\n" + STOP]).events if event.is_first)
    return first.group


@given(
    NAMES, HASHES, st.integers(1, 9999), st.from_regex(r"cc[A-Za-z0-9]{6}", fullmatch=True), st.integers(1, 9)
)
def test_places_hashes_and_temporary_names_make_no_difference(
    user: str, spec_hash: str, line: int, temporary: str, jobs: int
) -> None:
    stage = f"/scratch/{user}/spack-stage/spack-stage-acme-io-2.1-{spec_hash}/spack-src"
    assert _group(f"{stage}/src/a.c:{line}:{jobs}: error: 'q' undeclared") == _group(
        "a.c:1:1: error: 'q' undeclared"
    )
    full = "/tmp/ccAAAAAA.s: No space left on device"
    assert _group(
        f"a.c:{line}:1: fatal error: error writing to {stage}/{temporary}.s: No space left on device"
    ) == _group(f"a.c:1:1: fatal error: error writing to {full}")
    assert _group(f"install: cannot stat '{stage}/build/prog': No such file or directory") == _group(
        "install: cannot stat '/x/build/prog': No such file or directory"
    )


FETCH = "==> Error: FetchError: All fetchers failed for spack-stage-acme-io-2.1-"
TIME_LIMIT = "DUE TO TIME LIMIT ***"
SAME = [
    (
        "curl: (7) Failed to connect to a.example.org port 443 after 3 ms: x",
        "curl: (7) Failed to connect to b.example.com port 80 after 21 ms: x",
    ),
    (FETCH + "fzu3f3x2nyipnlpae4lpz7ac53f37smh", FETCH + "vowmncqzhpdfhzpjf3ajc2yhmtd3xawa"),
    (
        f"slurmstepd: error: *** JOB 4711 ON n17 CANCELLED AT 2026-11-29T02:13:00 {TIME_LIMIT}",
        f"slurmstepd: error: *** JOB 815 ON login02 CANCELLED AT 2025-01-02T12:00:59 {TIME_LIMIT}",
    ),
    ("n.c:(.text+0xf): undefined reference to `f'", "n.c:(.text.startup+0x1c): undefined reference to `f'"),
    ("/usr/bin/ld: cannot find -lfoo", "/opt/binutils/bin/ld: cannot find -lfoo"),
]
MODULE = "x.f90:2:7:\n\nFatal Error: Cannot open module file '{}.mod' for reading at (1): x"
CMAKE = 'CMake Error at C.txt:4 (find_package):\n  Could not find "{}"\n'
STAT = "install: cannot stat 'build/{}': No such file or directory"
DIFFERENT = [
    ("a.c:1:1: error: 'q' undeclared", "a.c:1:1: error: 'r' undeclared"),
    ("a.c:1:1: error: expected ';'", "b.c:1:1: error: expected ';'"),
    ("/usr/bin/ld: cannot find -lfoo", "/usr/bin/ld: cannot find -lbar"),
    ("/usr/bin/ld: cannot find -lpng16", "/usr/bin/ld: cannot find -lpng12"),
    (MODULE.format("a"), MODULE.format("b")),
    (STAT.format("prog"), STAT.format("tool")),
    (CMAKE.format("A"), CMAKE.format("B")),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_hosts_times_addresses_and_jobs_make_no_difference(one: str, other: str) -> None:
    assert _group(one) == _group(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_look_alikes_are_different_groups(one: str, other: str) -> None:
    assert _group(one) != _group(other)


def test_the_normal_form_explains_a_group() -> None:
    event = Event(
        "error", PRIMARY, "g++", "build", "no match for 'operator<' in /x/a.h:12", 3, 3, 3, "/tmp/src/m.cc"
    )
    event.class_name = "compile"
    assert normal_form(event) == f"v{VERSION} | gcc | compile | m.cc | no match for 'operator<' in a.h"
    assert len(group(event)) == 16
