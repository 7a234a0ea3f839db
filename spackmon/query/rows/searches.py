"""Events are found by their words: by an index of each database's own, with one meaning in both.

The index knows which words are in a text; whether they stand side by side is seen in `search_words`, which
both hold alike (`spackmon.logs.words`).
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Text,
    and_,
    case,
    cast,
    column,
    func,
    literal_column,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from spackmon.errors import Code, Refused
from spackmon.logs.words import SearchSyntaxError, Term, is_word, read_search
from spackmon.query.rows.lookups import without_nul
from spackmon.query.sql.conditions import Condition, Driver, Filtering, Predicate
from spackmon.query.sql.json_text import constant
from spackmon.query.sql.scope import Attribute, Scope
from spackmon.query.sql.values import Given
from spackmon.status import EventKind


def search_terms(text: str) -> tuple[Term, ...]:
    """What is sought. Raises Refused SEARCH_INVALID."""
    try:
        return read_search(without_nul("search", text))
    except SearchSyntaxError as error:
        raise Refused(Code.SEARCH_INVALID, str(error)) from None


def has_words(words: Attribute) -> Predicate:
    """The row's words are those that are sought; `words` is the column with all of them."""

    def predicate(row: Scope, given: Given, filtering: Filtering) -> Condition:
        count = filtering.decided(given, lambda text: len(_side_by_side(text)))
        are_side_by_side = [
            _contains(row[words], filtering.bind(given, Text(), _phrase(number)), filtering)
            for number in range(count)
        ]
        if filtering.dialect_name != "sqlite":
            vector: ColumnElement[Any] = literal_column(f"{row.source.name}.search_vector")
            sought = cast(filtering.bind(given, Text(), _tsquery), TSQUERY)
            has_all = vector.op("@@", is_comparison=True)(sought)
            return Condition(and_(has_all, *are_side_by_side))
        name = f"{row.table.name}_search"  # type: ignore[attr-defined]
        index = table(name, column("rowid", BigInteger()), column(name, Text())).alias(row.new_name())
        matches = index.c[name].op("MATCH", is_comparison=True)(filtering.bind(given, Text(), _fts5_query))
        found = select(index.c.rowid).where(matches).correlate_except(index)
        driver = None if count else Driver(index, index.c.rowid, (matches,))
        return Condition(and_(row.row_id.in_(found), *are_side_by_side), driver)

    return predicate


def rank_of(words: Attribute, row: Scope, given: Given, filtering: Filtering) -> ColumnElement[Any]:
    """How well a row fits that has what is sought: 2 for all of it side by side, and 1 for an error."""
    is_whole = _contains(row[words], filtering.bind(given, Text(), _all_in_a_row), filtering)
    is_error = row[words.class_.kind] == constant(EventKind.ERROR)
    zero, one, two = (literal_column(str(number), Integer()) for number in range(3))
    rank: ColumnElement[Any] = case((is_whole, two), else_=zero) + case((is_error, one), else_=zero)
    return rank


def _contains(
    words: ColumnElement[Any], part: ColumnElement[Any], filtering: Filtering
) -> ColumnElement[bool]:
    position = func.instr if filtering.dialect_name == "sqlite" else func.strpos
    spaced = constant(" ").concat(words).concat(constant(" "))
    return position(spaced, part) > literal_column("0")


def _side_by_side(text: str) -> list[Term]:
    """The terms that the index alone cannot find."""
    return [term for term in search_terms(text) if len(term.words) > 1]


def _phrase(number: int) -> Callable[[str], str]:
    def phrase(text: str) -> str:
        term = _side_by_side(text)[number]
        return f" {' '.join(term.words)}{'' if term.is_prefix else ' '}"

    return phrase


def _all_in_a_row(text: str) -> str:
    terms = search_terms(text)
    words = " ".join(word for term in terms for word in term.words)
    return f" {words}{'' if terms[-1].is_prefix else ' '}"


def _words(text: str, *, whole: str, beginning: str) -> list[str]:
    """Every word that is sought, in a language of queries; words have no character that means anything."""
    return [
        (beginning if term.is_prefix and number == len(term.words) - 1 else whole).format(word)
        for term in search_terms(text)
        for number, word in enumerate(term.words)
        if is_word(word)
    ]


def _tsquery(text: str) -> str:
    return " & ".join(_words(text, whole="'{}'", beginning="'{}':*"))


def _fts5_query(text: str) -> str:
    return " AND ".join(_words(text, whole='"{}"', beginning='"{}" *'))
