"""A body in a file says what it says in the memory, wherever its parts are divided."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spackmon.errors import Refused
from spackmon.formats.bytes import json_body
from spackmon.formats.bytes.json_body import memory_of, read_json
from spackmon.large_bytes import LARGE_BYTES, LargeBytes, Writer, pieces

# What a piece must not be cut within.
TEXTS = st.sampled_from(
    ["plain", "\n", '"', "\\", "\\\\", "é", "\u201c", "\U0001f600", "\ud83d", "\x00", "</", "u12"]
)
BEFORE = st.dictionaries(
    st.sampled_from(["build_id", "x", "outputs"]), st.sampled_from([1, "output", {"output": ""}])
)
WINDOW_BYTES = 997


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(json_body, "_WINDOW_BYTES", WINDOW_BYTES)
    return tmp_path


def in_file(content: bytes, directory: Path) -> LargeBytes:
    with Writer(directory) as writer:
        writer.add(content)
        writer.flush()
        large = writer.finish()
    assert isinstance(large, LargeBytes)
    return large


def value(body: bytes | LargeBytes) -> Any:
    try:
        read = read_json(body)
    except Refused as refused:
        return refused.sentence
    if not isinstance(read.get("output"), str | None):
        read["output"] = bytes(read["output"]).decode("utf-8", "surrogatepass")
    return read


@settings(max_examples=20)
@given(
    log=st.lists(TEXTS, min_size=1, max_size=30).map("".join),
    escaped=st.booleans(),
    before=BEFORE,
    after=st.sampled_from([{}, {"status": "S"}, {"output": None}, {"more": {"output": "x"}}]),
    cut=st.sampled_from([0, 0, 1, 2, 3, 7]),
)  # fmt: skip
def test_it_says_the_same(
    directory: Path, log: str, escaped: bool, before: Any, after: Any, cut: int
) -> None:
    log *= LARGE_BYTES // len(log) + 1
    text = (
        json.dumps(before)[:-1]
        + (", " if before else "")
        + '"output": '
        + json.dumps(log, ensure_ascii=escaped)
    )
    for key, one in after.items():
        text += f", {json.dumps(key)}: {json.dumps(one)}"
    whole = (text + "}").encode("utf-8", "surrogatepass")
    body = whole[: len(whole) - cut]
    large = in_file(body, directory)
    memory_of(large)
    assert value(large) == value(body)
    if not cut and (escaped or "\ud83d" not in log.replace("\ud83d\ude00", "")):
        assert value(large) == json.loads(whole)


def test_a_log_in_a_file_takes_no_memory_and_is_weighed_so(tmp_path: Path) -> None:
    log = b'{"status": "S", "output": "' + b"a line\\n" * (1 << 18) + b'"}'
    assert memory_of(in_file(log, tmp_path)) < memory_of(log) - (1 << 20)
    values = b'{"status": ' + b"[" + b"[]," * (1 << 20) + b"[]]}"
    assert memory_of(in_file(values, tmp_path)) > 30 * len(values)


def test_its_parts_are_those_of_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) * (20 << 10)
    large = in_file(content, tmp_path)
    assert b"".join(pieces(large)) == content
    assert large[1000:5000] == content[1000:5000]
    assert large[-1] == content[-1]
    end = content.rfind(b"\xfe\xff")
    assert [large.find(b"\xfe\xff"), large.find(b"\xfe\xff", end), large.find(b"none")] == [254, end, -1]
    assert large.find(b"\x00\x01", 1, 200) == -1
