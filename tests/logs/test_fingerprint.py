"""One failure has one fingerprint, on whatever machine and day it is seen; two failures have two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spackmon.logs.fingerprint import LONGEST, fingerprint

HASH = "gcwoc5tqjsaq7kbhwwpdrkvgp2ch4xzu"

SAME = [
    (
        "/tmp/ada/spack-stage/spack-stage-zlib-1.2.11-"
        + HASH
        + "/spack-src/inflate.c:12:7: error: expected ';'",
        "inflate.c:890:1: error: expected ‘;’",
    ),
    ("undefined reference to `foo'", 'undefined reference to "foo"'),
    ("Segmentation fault at 0x7ffe12ab", "Segmentation fault at 0xdeadbeef"),
    ("make[3]: *** [Makefile:12: all] Error 2", "make[1]:  ***  [Makefile:977: all] Error 1"),
    ("\x1b[31merror:\x1b[0m out of memory", "error: out of memory"),
    ("cc1: error: commit 1a2b3c4d5e6f lost", "cc1: error: commit 99aa88bb77 lost"),
    (f"Error: /opt/spack/lib/{HASH}/libz.so: file not recognized", "Error: libz.so: file not recognized"),
    ("C:\\work\\a\\main.c(12): error C2065", "D:\\b\\main.c(7): error C2065"),
    ("curl: (28) timed out after 10.5 s", "curl: (28) timed out after 300 s"),
]

DIFFERENT = [
    ("undefined reference to `foo'", "undefined reference to `bar'"),
    ("main.c:1: error: unused", "other.c:1: error: unused"),
    ("cannot find -lpng16", "cannot find -lpng12"),
    ("sha256 mismatch", "md5 mismatch"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_where_and_when_it_happened_makes_no_difference(one: str, other: str) -> None:
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_happened_makes_a_difference(one: str, other: str) -> None:
    assert fingerprint(one) != fingerprint(other)


@given(st.text() | st.text(alphabet="ab/\\.:'\"`1290xf# \t\n-", max_size=60))
def test_the_fingerprint_of_any_text_is_short_and_that_of_itself(text: str) -> None:
    found = fingerprint(text)
    assert len(found) <= LONGEST
    assert fingerprint(found) == found


@given(
    folders=st.lists(st.from_regex(r"[a-z][a-z0-9._-]{0,12}", fullmatch=True), min_size=1, max_size=6),
    line=st.integers(0, 10**6),
    column=st.integers(0, 500),
    dag_hash=st.text(alphabet="abcdefghijklmnopqrstuvwxyz234567", min_size=32, max_size=32),
)
def test_any_path_line_and_hash_fall_away(folders: list[str], line: int, column: int, dag_hash: str) -> None:
    told = f"/{'/'.join(folders)}/zlib-{dag_hash}/gz.c:{line}:{column}: fatal error: zconf.h: No such file"
    assert fingerprint(told) == "gz.c:#: fatal error: zconf.h: No such file"
