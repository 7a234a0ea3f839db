"""Events are found by their words: by an index of each database's own, with one meaning in both.

The index knows which words are in a text; whether they stand side by side is seen in `search_words`, which
both hold alike (`spackmon.logs.words`), and in PostgreSQL in the text itself where that is plain.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    case,
    cast,
    column,
    func,
    literal_column,
    not_,
    or_,
    select,
    table,
    true,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from spackmon.errors import Code, Refused
from spackmon.logs.words import SearchSyntaxError, Term, is_word, pattern, read_search
from spackmon.models import BuildEvent
from spackmon.query.rows.lookups import without_nul
from spackmon.query.sql.conditions import Condition, Driver, Filtering, Predicate, Way, Ways
from spackmon.query.sql.json_text import constant
from spackmon.query.sql.scope import Attribute, Scope
from spackmon.query.sql.values import Given
from spackmon.status import EventKind

# Of LIKE.
_SPECIAL, _ESCAPED = re.compile(r"[%_\\]"), r"\\\g<0>"
_MOST_READ = literal_column("10000", BigInteger())
"""Of the rows that SQLite's index finds: these take some milliseconds."""
_NEWEST, _COMMON = (literal_column(number, BigInteger()) for number in ("1000", "10"))
"""So many of the newest rows are looked at in PostgreSQL, and words that so many of them have are common."""


def search_terms(text: str) -> tuple[Term, ...]:
    """What is sought. Raises Refused SEARCH_INVALID."""
    try:
        return read_search(without_nul("search", text))
    except SearchSyntaxError as error:
        raise Refused(Code.SEARCH_INVALID, str(error)) from None


def has_words(words: Attribute) -> Predicate:
    """The row's words are those that are sought; `words` is the column with all of them."""

    def predicate(row: Scope, given: Given, filtering: Filtering) -> Condition:
        if filtering.dialect_name != "sqlite":
            return _by_texts(row, given, words, filtering)
        count = filtering.decided(given, lambda text: len(_side_by_side(text)))
        phrases = [filtering.bind(given, Text(), _phrase(number)) for number in range(count)]
        are_side_by_side = [_contains(row[words], phrase, filtering) for phrase in phrases]
        index = _Fts5(row, given, filtering)
        if row.is_led:
            found = or_(
                row.row_id.in_(index.latest()), and_(row.row_id < index.reach(), index.has(row.row_id))
            )
            return Condition(and_(found, *are_side_by_side), is_few=index.has_few())
        driver = None if count else Driver(index.rows, index.row_id, (index.matches,))
        return Condition(and_(row.row_id.in_(index.ids()), *are_side_by_side), driver)

    return predicate


def _by_texts(row: Scope, given: Given, words: Attribute, filtering: Filtering) -> Condition:
    """In PostgreSQL: rows by the index of their words, or where many of the newest are found by walking."""
    sought = cast(filtering.bind(given, Text(), _tsquery), TSQUERY)

    def has(texts: _Texts, terms: Callable[[str], Sequence[Term]]) -> ColumnElement[bool]:
        numbers = range(filtering.decided(given, lambda text: len(terms(text))))
        return and_(true(), *(texts.has(given, partial(_nth, terms, one), filtering) for one in numbers))

    texts = _Texts.of(row, words)
    has_all = texts.vector().op("@@", is_comparison=True)(sought)
    count = filtering.decided(given, lambda text: len(_words(text, whole="{}", beginning="{}")))
    each = [filtering.bind(given, Text(), partial(_nth_word, number)) for number in range(count)]

    def holds(newest: _Texts, text: ColumnElement[Any]) -> ColumnElement[bool]:
        # Of the texts that lack a term nearly all lack its words, wherever these end.
        are_there = (func.strpos(text, word) > literal_column("0") for word in each)
        return and_(*are_there, has(newest, search_terms))

    found = and_(has_all, has(texts, _side_by_side))
    if count == 1 and not row.is_led:
        return Condition(found)
    # To take a text apart takes longer than to look for each term.
    is_common, walked = _is_common(row, words, holds), has(texts, search_terms)
    if row.is_led:
        return Condition(found, is_common=is_common, walked=walked)
    return Condition(found, ways=Ways(found, (Way(is_common, walked), Way(not_(is_common), found))))


def _nth_word(number: int, text: str) -> str:
    return _words(text, whole="{}", beginning="{}")[number]


def _nth(terms: Callable[[str], Sequence[Term]], number: int, text: str) -> Term:
    return terms(text)[number]


@dataclass(frozen=True, slots=True)
class _Texts:
    """What PostgreSQL finds a row by: its words or, where these are empty, its plain text."""

    words: ColumnElement[Any]
    plain: ColumnElement[Any] | None

    @classmethod
    def of(cls, row: Scope, words: Attribute) -> Self:
        """Of a row whose words are in this column."""
        if words.class_ is not BuildEvent:
            return cls(row[words], None)
        file = constant(" ").concat(row[BuildEvent.source_file])
        return cls(row[words], row[BuildEvent.text].concat(func.coalesce(file, constant(""))))

    def vector(self) -> ColumnElement[Any]:
        """Written as in the index: it is stored nowhere else."""
        words = func.string_to_array(self.words, constant(" "))
        if self.plain is None:
            return func.array_to_tsvector(words)
        parts = func.regexp_split_to_array(func.lower(self.plain), constant("[^a-z0-9_]+"))
        either = case((self.words == constant(""), parts), else_=words)
        return func.array_to_tsvector(func.array_remove(either, constant("")))

    def has(self, given: Given, term: Callable[[str], Term], filtering: Filtering) -> ColumnElement[bool]:
        """Whether a term of what is sought is there."""
        words = filtering.bind(given, Text(), lambda text: _spaced(term(text)))
        has_words = _contains(self.words, words, filtering)
        if self.plain is None:
            return has_words
        found = filtering.bind(given, Text(), lambda text: pattern(term(text)))
        # Matching the expression takes longer than all else, and is left to what these cannot tell.
        lowered = func.lower(self.plain)
        in_order = lowered.like(filtering.bind(given, Text(), lambda text: _in_order(term(text))))
        between_spaces = _contains(lowered, words, filtering)
        matches = and_(in_order, or_(between_spaces, self.plain.op("~*", is_comparison=True)(found)))
        return case((self.words == constant(""), matches), else_=has_words)


def _is_common(
    row: Scope, words: Attribute, holds: Callable[[_Texts, ColumnElement[Any]], ColumnElement[bool]]
) -> ColumnElement[bool]:
    """Of the newest rows of the table so many are found.

    PostgreSQL takes each word to be in a text whatever the others are: of the four of a usual message it
    expects a three-hundredth of those that it finds.
    """
    other = row.beneath(row.table)
    texts = _Texts.of(other, words)
    plain = constant("") if texts.plain is None else texts.plain
    text = case((texts.words == constant(""), func.lower(plain)), else_=texts.words)
    columns = texts.words.label("words"), plain.label("plain"), text.label("text")
    newest = select(*columns).select_from(other.source)
    last = newest.order_by(other.row_id.desc()).limit(_NEWEST).subquery(row.new_name())
    found = _Texts(last.c.words, None if texts.plain is None else last.c.plain)
    some = select(last).where(holds(found, last.c.text)).limit(_COMMON).subquery(row.new_name())
    number = select(func.count().label("number")).select_from(some).cte(row.new_name())
    return select(number.c.number).scalar_subquery() >= _COMMON


class _Fts5:
    """SQLite's index of a table's words, asked for what is sought.

    To read all that a common word finds in a million rows takes half a second, and to ask whether one row is
    found some microseconds. So the latest that are found are read once, which are all of a word that is not
    common; of rows older than these it is asked one by one.
    """

    def __init__(self, row: Scope, given: Given, filtering: Filtering) -> None:
        self._name = f"{row.table.name}_search"  # type: ignore[attr-defined]
        self._new_name = row.new_name
        self._sought = filtering.bind(given, Text(), _fts5_query)
        self.rows, self.row_id, self.matches = self._again()

    def _again(self) -> tuple[FromClause, ColumnElement[Any], ColumnElement[bool]]:
        rows = table(self._name, column("rowid", BigInteger()), column(self._name, Text()))
        alias = rows.alias(self._new_name())
        return alias, alias.c.rowid, alias.c[self._name].op("MATCH", is_comparison=True)(self._sought)

    def ids(self) -> Select[Any]:
        """The ids of all rows that are found."""
        rows, row_id, matches = self._again()
        return select(row_id).where(matches).correlate_except(rows)

    def latest(self) -> Select[Any]:
        """The ids of the latest of them."""
        rows, row_id, matches = self._again()
        found = select(row_id).where(matches).order_by(row_id.desc())
        return found.limit(_MOST_READ).correlate_except(rows)

    def reach(self) -> ColumnElement[Any]:
        """The id of the last of the latest; 0 where these are all."""
        found = self.latest().subquery()
        is_full = func.count() == _MOST_READ
        lowest = case((is_full, func.min(found.c.rowid)), else_=literal_column("0"))
        return select(lowest).select_from(found).scalar_subquery()

    def has_few(self) -> ColumnElement[bool]:
        """Whether the latest are all."""
        return self.reach() == literal_column("0")

    def has(self, row_id: ColumnElement[Any]) -> ColumnElement[bool]:
        """A row is found."""
        rows, own_id, matches = self._again()
        return select(own_id).where(own_id == row_id, matches).correlate_except(rows).exists()


def rank_of(words: Attribute, row: Scope, given: Given, filtering: Filtering) -> ColumnElement[Any]:
    """How well a row fits that has what is sought: 2 for all of it side by side, and 1 for an error."""
    texts = _Texts(row[words], None) if filtering.dialect_name == "sqlite" else _Texts.of(row, words)
    is_whole = texts.has(given, _all_in_a_row, filtering)
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
    return lambda text: _spaced(_side_by_side(text)[number])


def _all_in_a_row(text: str) -> Term:
    terms = search_terms(text)
    return Term(tuple(word for term in terms for word in term.words), terms[-1].is_prefix)


def _in_order(term: Term) -> str:
    """What LIKE compares with a text that has the words and signs of a term one behind the other."""
    return f"%{'%'.join(_SPECIAL.sub(_ESCAPED, word) for word in term.words)}%"


def _spaced(term: Term) -> str:
    """A term as it stands between spaces."""
    return f" {' '.join(term.words)}{'' if term.is_prefix else ' '}"


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
