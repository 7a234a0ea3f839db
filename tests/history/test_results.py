"""Two results: by structure, by line, and in bounds, whatever they are."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spackmon.history.results import MOST_COUNTED, By, Change, compare_bytes, compare_documents, compare_texts

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "a", "é/~"]),
    lambda below: (
        st.lists(below, max_size=4)
        | st.dictionaries(st.sampled_from(["name", "a", "b/c", ""]), below, max_size=4)
    ),
    max_leaves=12,
)
LINES = st.lists(st.sampled_from(["", "a", "b", "c"]), max_size=12)


def _as_sets(value: Any) -> str:
    """A document as it is written if no list has an order."""
    if isinstance(value, list):
        return f"[{sorted(map(_as_sets, value))}]"
    if isinstance(value, dict):
        return f"{sorted((name, _as_sets(one)) for name, one in value.items())}"
    return json.dumps(value)


def changes(before: Any, after: Any) -> list[tuple[str | None, str | None, str | None]]:
    """The pointers, and what is there before and after."""
    return [(one.pointer, one.before, one.after) for one in compare_documents(before, after, 100).changes]


def test_a_document_is_compared_by_its_structure_and_its_lists_as_sets() -> None:
    before = {
        "needed": ["libm", "libz", "libc"],
        "symbols": [{"name": "f", "size": 1}, {"name": "g"}],
        "a/b": 1,
    }
    after = {
        "needed": ["libc", "libm", "libx"],
        "symbols": [{"name": "g"}, {"name": "f", "size": 2}],
        "n": None,
    }
    assert changes(before, after) == [
        ("/a~1b", "1", None), ("/n", None, "null"), ("/needed/1", '"libz"', None),
        ("/needed/2", None, '"libx"'),
        ("/symbols/1/size", "1", "2"),
    ]  # fmt: skip
    assert changes({"name": "é"}, ["é"]) == [("", '{"name":"é"}', '["é"]')]
    assert changes(True, 1) == [("", "true", "1")]


@given(VALUES, VALUES)
def test_documents_without_a_change_are_equal_but_for_the_order_of_lists(before: Any, after: Any) -> None:
    assert compare_documents(before, before, 10).count == 0
    found = compare_documents(before, after, 1000)
    assert compare_documents(after, before, 10).count == found.count
    assert (found.count == 0) == (_as_sets(before) == _as_sets(after))


@given(LINES, LINES)
def test_what_is_removed_and_added_makes_the_second_text_of_the_first(a: list[str], b: list[str]) -> None:
    before, after = ("".join(f"{line}\n" for line in lines) for lines in (a, b))
    found = compare_texts(before, after, 1000)
    removed = {one.line_before for one in found.changes}
    added = {one.line_after: one.after for one in found.changes if one.line_after}
    kept = iter([line for number, line in enumerate(a, 1) if number not in removed])
    made = [added[number] if number in added else next(kept) for number in range(1, len(b) + 1)]
    assert (made, list(kept), found.by) == (b, [], By.LINES)


def test_lines_that_changed_stand_side_by_side() -> None:
    found = compare_texts("a\nold\nb\nc\n", "a\nnew\nb\nc\nd\n", 10)
    assert found.changes == [
        Change(line_before=2, line_after=2, before="old", after="new"), Change(line_after=5, after="d"),
    ]  # fmt: skip


def test_bytes_that_are_text_have_lines_and_others_only_differ() -> None:
    assert compare_bytes(b"<a>\n<b>\n", b"<a>\n<c>\n", 10).count == 1
    assert compare_bytes(b"\0a", b"\0b", 10) == compare_bytes(b"\xff", b"a", 10)
    assert compare_bytes(b"\xff", b"a", 10).by is By.DIGEST


@pytest.mark.parametrize("most", [0, 3])
def test_much_that_differs_is_counted_to_a_bound(most: int) -> None:
    many = [str(number) for number in range(20_000)]
    lines = compare_texts("\n".join(many), "\n".join(f"x{one}" for one in many), most)
    documents = compare_documents(many, [[one] for one in many], most)
    for found in (lines, documents):
        assert (found.count, len(found.changes)) == (MOST_COUNTED, most)
    assert lines.by is By.UNORDERED_LINES
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    assert compare_documents(deep, [deep], most).by is By.DIGEST
    long = json.dumps("x" * 10_000)
    assert len(compare_texts(long, "y", 1).changes[0].before or "") == 1000
