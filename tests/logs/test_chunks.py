"""Logs cut into chunks of whole lines."""

import zstandard
from hypothesis import given
from hypothesis import strategies as st

from spackmon.logs.chunks import CHUNK_BYTES, join, split

LINES = st.lists(
    st.sampled_from(["", "short", "ü" * 90_001, "x" * 262_143, "€" * 87_382, "\ud800"]), max_size=12
)


@given(LINES, st.sampled_from(["\n", "\r\n", ""]))
def test_the_chunks_of_a_log_are_whole_lines_and_joined_they_are_the_log(lines: list[str], end: str) -> None:
    log = "".join(line + end for line in lines).encode("utf-8", "surrogatepass")
    chunks = list(split(log))
    assert join(chunk.content for chunk in chunks) == log
    position = 0
    for number, chunk in enumerate(chunks):
        text = zstandard.decompress(chunk.content)
        text.decode("utf-8", "surrogatepass")
        assert chunk.number == number
        assert chunk.first_line == log[:position].count(b"\n") + 1
        assert len(text) == chunk.size_bytes <= CHUNK_BYTES
        position += chunk.size_bytes
        longest = max((len(line) for line in text.splitlines(keepends=True)), default=0)
        assert text.endswith(b"\n") or position == len(log) or longest > CHUNK_BYTES - 4
