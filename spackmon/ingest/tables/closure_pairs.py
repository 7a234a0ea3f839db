"""Where the pairs of the closure are stored: SQLite has a row for each, PostgreSQL two kinds of lists.

`descendant_list` has a row for each spec with all that is below it, eight bytes each. `ancestor_list` has one
for each spec and for each chunk of ancestors, next to each other by their numbers, with the places in the
chunk of those that are above the spec, four bytes each. A number says how the two are connected, too. The
views `closure` and `closure_above` show the lists as rows (docs/decisions/0017-closures.md).

A report appends to the lists of what is below its specs, in the order of their keys, so that no two wait for
each other. Who takes pairs out owns the graphs (`locks`).
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection

from spackmon.ingest.rows import RowStatement, Statement, insert_rows, over_rows
from spackmon.models.graph import ANCESTORS_OF_CHUNK

# How two specs are connected, in one number: a graph has thousands of pairs, and each column costs.
_BY_CARET, _BY_LINK_RUN, _BY_BUILD, _DEPTH = 1, 2, 4, 8
_WAYS = ("by_caret", "by_link_run", "by_build")

Pair = tuple[int, int]
"""An ancestor and a descendant."""
ClosureRow = tuple[int, int, int]
"""An ancestor, a descendant, and how they are connected."""
_Lists = defaultdict[tuple[int, ...], "array[int]"]

_HOW_BITS, _PLACE_BITS = 24, 8
_PAIRS_AT_ONCE = 100_000
_ANCESTORS_AT_ONCE = 32
_PAIR = "ancestor_id bigint, descendant_id bigint"

_ROWS = insert_rows(
    "closure",
    f"{_PAIR}, how integer",
    {
        "ancestor_id": "i.ancestor_id",
        "descendant_id": "i.descendant_id",
        "by_caret": f"(i.how & {_BY_CARET}) <> 0",
        "by_link_run": f"(i.how & {_BY_LINK_RUN}) <> 0",
        "by_build": f"(i.how & {_BY_BUILD}) <> 0",
        "depth": f"i.how / {_DEPTH}",
    },
)
_DESCENDANTS = over_rows(
    "ancestor_id bigint, descendants text",
    """
    INSERT INTO descendant_list (ancestor_id, descendants)
    SELECT i.ancestor_id, CAST(i.descendants AS bigint[]) FROM {input} i ORDER BY 1
    ON CONFLICT (ancestor_id) DO UPDATE SET descendants = descendant_list.descendants || excluded.descendants
    """,
)
_ANCESTORS = over_rows(
    "descendant_id bigint, chunk bigint, ancestors text",
    """
    INSERT INTO ancestor_list (descendant_id, chunk, ancestors)
    SELECT i.descendant_id, i.chunk, CAST(i.ancestors AS integer[]) FROM {input} i ORDER BY 1, 2
    ON CONFLICT (descendant_id, chunk) DO UPDATE SET ancestors = ancestor_list.ancestors || excluded.ancestors
    """,
)

_STORED = over_rows(
    "ancestor_id bigint",
    f"""
    SELECT c.ancestor_id, c.descendant_id, CAST(c.by_caret AS integer) * {_BY_CARET}
        + CAST(c.by_link_run AS integer) * {_BY_LINK_RUN} + CAST(c.by_build AS integer) * {_BY_BUILD}
        + c.depth * {_DEPTH} AS how
    FROM {{input}} i JOIN closure c ON c.ancestor_id = i.ancestor_id
    """,  # noqa: S608 -- of our own constants, as below
)
_IS_PLACE = f"(p.place & {ANCESTORS_OF_CHUNK - 1}) = i.ancestor_id % {ANCESTORS_OF_CHUNK}"
_OF_ANCESTOR = f"l.descendant_id = i.descendant_id AND l.chunk = i.ancestor_id / {ANCESTORS_OF_CHUNK}"
_STORED_ABOVE = over_rows(
    _PAIR,
    f"""
    SELECT i.ancestor_id, i.descendant_id, p.place >> {_PLACE_BITS} AS how
    FROM {{input}} i JOIN ancestor_list l ON {_OF_ANCESTOR}
    CROSS JOIN LATERAL unnest(l.ancestors) AS p (place) WHERE {_IS_PLACE}
    """,  # noqa: S608
)

_DELETE = over_rows(
    _PAIR,
    "DELETE FROM closure WHERE (ancestor_id, descendant_id) IN ("
    "SELECT i.ancestor_id, i.descendant_id FROM {input} i)",
)
# What has lost all is deleted.
_DESCENDANTS_LOSE = (
    over_rows(
        _PAIR,
        f"""
        UPDATE descendant_list l
        SET descendants = ARRAY(
            SELECT p FROM unnest(l.descendants) p WHERE (p >> {_HOW_BITS}) <> ALL (w.ids)
        )
        FROM (SELECT i.ancestor_id, array_agg(i.descendant_id) AS ids FROM {{input}} i GROUP BY 1) w
        WHERE l.ancestor_id = w.ancestor_id
        """,  # noqa: S608
    ),
    over_rows(
        _PAIR,
        """
        DELETE FROM descendant_list WHERE cardinality(descendants) = 0
            AND ancestor_id IN (SELECT i.ancestor_id FROM {input} i)
        """,
    ),
)
_ANCESTORS_LOSE = (
    over_rows(
        _PAIR,
        f"""
        UPDATE ancestor_list l
        SET ancestors = ARRAY(
            SELECT p FROM unnest(l.ancestors) p WHERE (p & {ANCESTORS_OF_CHUNK - 1}) <> ALL (w.places)
        )
        FROM (
            SELECT i.descendant_id, i.ancestor_id / {ANCESTORS_OF_CHUNK} AS chunk,
                array_agg(i.ancestor_id % {ANCESTORS_OF_CHUNK}) AS places
            FROM {{input}} i GROUP BY 1, 2
        ) w
        WHERE l.descendant_id = w.descendant_id AND l.chunk = w.chunk
        """,  # noqa: S608
    ),
    over_rows(
        _PAIR,
        f"""
        DELETE FROM ancestor_list WHERE cardinality(ancestors) = 0 AND (descendant_id, chunk) IN (
            SELECT i.descendant_id, i.ancestor_id / {ANCESTORS_OF_CHUNK} FROM {{input}} i
        )
        """,  # noqa: S608
    ),
)
_FORGET = tuple(
    over_rows("id bigint", f"DELETE FROM closure WHERE {column} IN (SELECT i.id FROM {{input}} i)")  # noqa: S608
    for column in ("ancestor_id", "descendant_id")
)

_PAIRS_OF = over_rows(
    "id bigint",
    """
    SELECT c.ancestor_id, c.descendant_id FROM {input} i JOIN closure c ON c.ancestor_id = i.id
    UNION SELECT c.ancestor_id, c.descendant_id FROM {input} i JOIN closure_above c ON c.descendant_id = i.id
    """,
)
_IS_STRAY = (
    "NOT EXISTS (SELECT 1 FROM spec s WHERE s.id = ancestor_id)"
    " OR NOT EXISTS (SELECT 1 FROM spec s WHERE s.id = descendant_id)"
)
_DELETE_STRAYS = Statement(f"DELETE FROM closure WHERE {_IS_STRAY} RETURNING ancestor_id")  # noqa: S608
_STRAYS, _STRAYS_ABOVE = (
    Statement(f"SELECT ancestor_id, descendant_id FROM {pairs} WHERE {_IS_STRAY}")  # noqa: S608
    for pairs in ("closure", "closure_above")
)
# Of each spec it was looked up whether what is below it has it above it: then the numbers tell the rest.
_ARE_AS_MANY = Statement(
    "SELECT (SELECT sum(cardinality(descendants)) FROM descendant_list)"
    " IS NOT DISTINCT FROM (SELECT sum(cardinality(ancestors)) FROM ancestor_list) AS are_as_many"
)
_ABOVE_ALONE = Statement(
    "SELECT ancestor_id, descendant_id FROM closure_above"
    " EXCEPT SELECT ancestor_id, descendant_id FROM closure"
)


def how(depth: int, by_caret: bool, by_link_run: bool, by_build: bool) -> int:
    """How two specs are connected, as a number."""
    return depth * _DEPTH + by_caret * _BY_CARET + by_link_run * _BY_LINK_RUN + by_build * _BY_BUILD


def pair_of(row: Mapping[str, Any]) -> ClosureRow:
    """What `insert_pairs` takes, of a row of the view."""
    return row["ancestor_id"], row["descendant_id"], how(row["depth"], *(row[way] for way in _WAYS))


def insert_pairs(connection: Connection, rows: Iterable[ClosureRow]) -> None:
    """Insert pairs of which none is there."""
    if connection.dialect.name == "sqlite":
        _insert_rows(connection, rows)
    else:
        descendants, ancestors = _lists(rows)
        _append(connection, _DESCENDANTS, descendants)
        _append(connection, _ANCESTORS, ancestors)


def replace_pairs(
    connection: Connection, spec_ids: Sequence[int], rows: set[ClosureRow]
) -> tuple[set[Pair], set[Pair]]:
    """Make these the pairs of some specs with what is below them; which were wrong, which are written.

    Who calls it owns the graphs, unless none of the specs had any.
    """
    stored = {(row[0], row[1], row[2]) for row in _STORED.run(connection, sorted((one,) for one in spec_ids))}
    wrong, missing = {row[:2] for row in stored - rows}, rows - stored
    if connection.dialect.name == "sqlite":
        _DELETE.run(connection, sorted(wrong))
        _insert_rows(connection, missing)
        return wrong, {row[:2] for row in missing}
    pairs = sorted({row[:2] for row in stored | rows})
    above = {(row[0], row[1], row[2]) for row in _STORED_ABOVE.run(connection, pairs)}
    wrong_above, missing_above = {row[:2] for row in above - rows}, rows - above
    _take_out(connection, _DESCENDANTS_LOSE, wrong)
    _append(connection, _DESCENDANTS, _lists(missing)[0])
    _take_out(connection, _ANCESTORS_LOSE, wrong_above)
    _append(connection, _ANCESTORS, _lists(missing_above)[1])
    return wrong | wrong_above, {row[:2] for row in missing | missing_above}


def forget_pairs(connection: Connection, spec_ids: Iterable[int]) -> None:
    """Delete all pairs of which one of these specs is a part; who calls it owns the graphs."""
    ids = sorted((one,) for one in spec_ids)
    if connection.dialect.name == "sqlite":
        for statement in _FORGET:
            statement.run(connection, ids)
    else:
        _delete(connection, ((row[0], row[1]) for row in _PAIRS_OF.run(connection, ids)))


def forget_strays(connection: Connection) -> int:
    """Delete the pairs of specs that are not there, and what only one kind of list has; how many."""
    if connection.dialect.name == "sqlite":
        return len(_DELETE_STRAYS.run(connection))
    statements = [_STRAYS, _STRAYS_ABOVE]
    if not _ARE_AS_MANY.run(connection)[0].are_as_many:
        statements.append(_ABOVE_ALONE)
    pairs = {(row[0], row[1]) for one in statements for row in one.run(connection)}
    _delete(connection, pairs)
    return len(pairs)


def _insert_rows(connection: Connection, rows: Iterable[ClosureRow]) -> None:
    waiting = iter(rows)
    # A chain of 2,000 specs has two million pairs.
    while some := sorted(islice(waiting, _PAIRS_AT_ONCE)):
        # What one index has beside each other, the other has far apart. A few ancestors with the same
        # descendants stay within what a processor holds of both, which halves the time of a long chain.
        some.sort(key=itemgetter(1))
        some.sort(key=lambda row: row[0] // _ANCESTORS_AT_ONCE)
        _ROWS.run(connection, some)


def _lists(rows: Iterable[ClosureRow]) -> tuple[_Lists, _Lists]:
    """What lists get, by their keys."""
    below: _Lists = defaultdict(lambda: array("q"))
    above: _Lists = defaultdict(lambda: array("i"))
    for ancestor, descendant, how in rows:
        below[(ancestor,)].append(descendant << _HOW_BITS | how)
        chunk, place = divmod(ancestor, ANCESTORS_OF_CHUNK)
        above[descendant, chunk].append(how << _PLACE_BITS | place)
    return below, above


def _append(connection: Connection, statement: RowStatement, lists: _Lists) -> None:
    some: list[tuple[int | str, ...]] = []
    waiting = 0
    for key in sorted(lists):
        some.append((*key, f"{{{','.join(map(str, lists[key]))}}}"))
        waiting += len(lists[key])
        if waiting >= _PAIRS_AT_ONCE:
            statement.run(connection, some)
            some, waiting = [], 0
    statement.run(connection, some)


def _delete(connection: Connection, pairs: Iterable[Pair]) -> None:
    pairs = list(pairs)
    _take_out(connection, _DESCENDANTS_LOSE, pairs)
    _take_out(connection, _ANCESTORS_LOSE, pairs)


def _take_out(connection: Connection, statements: Iterable[RowStatement], pairs: Iterable[Pair]) -> None:
    rows = sorted(pairs)
    for statement in statements:
        statement.run(connection, rows)
