"""The words of texts and of what is sought in them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spackmon.logs.words import (
    SearchSyntaxError,
    is_plain,
    matching,
    pattern,
    read_search,
    searchable,
    snippet,
)

LINE = (
    "/usr/bin/ld: a.o: undefined reference to `MPI_Init'; cannot find -lfoo; ns::vec<int>; __atomic_load_16"
)
FOUND = [
    "undefined reference MPI_Init", "mpi_init", "-lfoo", "lfoo", "ns::vec<int>", "vec<int>", "ld:", "a.o",
    "__atomic_load_16", "/usr/bin/ld", '"undefined reference to"', "MPI_*", "un*", '"find -lfoo" ld',
    "`MPI_Init'", "== ld",
]  # fmt: skip
NOT_FOUND = [
    "-foo", "lfo", "init", "ns.vec", "atomic_load_16", "__atomic_load_1", '"undefined to"', "MPI_Initialized",
    "ld foo", "find*lfoo", '"MPI_*"', "bin/usr",
]  # fmt: skip


@pytest.mark.parametrize(
    ("sought", "is_there"), [*((one, True) for one in FOUND), *((one, False) for one in NOT_FOUND)]
)
def test_words_of_build_logs_are_found_as_they_are(sought: str, is_there: bool) -> None:
    terms = read_search(sought)
    assert all(matching(LINE, (term,)) for term in terms) == is_there


@pytest.mark.parametrize(
    ("sought", "sentence"),
    [
        ("", "must have a word"), ("  ", "must have a word"), ("-- ::", "must have a word"),
        ('""', "must have a word"), ('"a', "a quotation mark without its other one"),
        ('x "y" "z', "a quotation mark without"), ("a " * 51, "may have 50 words and signs, it has 51"),
        ("x" * 10_000, "may have 1,000 characters, it has 10,000"),
    ],
)  # fmt: skip
def test_what_cannot_be_sought_is_named(sought: str, sentence: str) -> None:
    with pytest.raises(SearchSyntaxError, match=sentence):
        read_search(sought)


@given(st.text(), st.text())
def test_every_text_is_found_by_its_words_and_its_snippet_is_some_of_it(text: str, other: str) -> None:
    words = searchable(text, other).split(" ")
    assert searchable(" ".join(words)).split() == [word for word in words if word]
    sought = " ".join(text.replace('"', " ").split())[:900]
    try:
        terms = read_search(sought)
    except SearchSyntaxError:
        return
    pieces = snippet(text, terms)
    assert "".join(piece for piece, _ in pieces).strip("…") in text
    assert any(is_match for _, is_match in pieces) or "*" in text or not matching(text, terms)


_PLAIN = st.text("aAb_1:-/.*+'(‘ \t\n", max_size=12)


@given(_PLAIN, st.none() | _PLAIN, _PLAIN)
def test_in_a_plain_text_a_pattern_finds_what_is_among_its_words(
    text: str, file: str | None, sought: str
) -> None:
    assert is_plain(text, file)
    try:
        terms = read_search(sought)
    except SearchSyntaxError:
        return
    for term in terms:
        among = f" {' '.join(term.words)}{'' if term.is_prefix else ' '}" in f" {searchable(text, file)} "
        found = re.search(pattern(term), f"{text} {file or ''}", re.IGNORECASE | re.ASCII)
        assert bool(found) == among, term


def test_a_text_is_not_plain_that_is_long_or_has_other_characters_or_a_long_word() -> None:
    assert is_plain("a" * 200, "b" * 200)
    for text in ("é", "\x1b[31m", "a\0", "a" * 201, "a " * 501):
        assert not is_plain(text, None)


def test_a_snippet_of_a_long_text_is_what_is_around_the_first_term() -> None:
    text = f"{'a ' * 300}cannot find -lfoo {'b ' * 300}"
    pieces = snippet(text, read_search("-lfoo find"))
    assert [piece for piece, is_match in pieces if is_match] == ["find", "-lfoo"]
    assert pieces[0] == ("…", False)
    assert pieces[-1][0].endswith("…")
    assert sum(len(piece) for piece, _ in pieces) == 302
    assert snippet("nothing", read_search("else")) == [("nothing", False)]


def test_colours_are_no_words() -> None:
    assert searchable("\x1b[1m\x1b[31merror:\x1b[0m it", None, "a.c") == "error : it a . c"
