"""Fields that count: groups of a connection's rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import strawberry
from sqlalchemy import Select, literal_column, select

from spackmon.query.groups import aggregates, days, facets, references, totals
from spackmon.query.groups.aggregates import DEFAULT_GROUPS, MAXIMUM_GROUPS
from spackmon.query.groups.group_keys import Key
from spackmon.query.groups.histograms import Histograms
from spackmon.query.groups.measures import measures_of
from spackmon.query.meanings.fields import SQL, argument
from spackmon.query.meanings.meaning import At, Meaning, object_type
from spackmon.query.meanings.order_by import ordered
from spackmon.query.rows.facets import Facets
from spackmon.query.rows.paging import Rows
from spackmon.query.sql.conditions import ValueOf
from spackmon.query.sql.json_text import Json
from spackmon.query.sql.scope import Scope
from spackmon.query.sql.selection import Selected
from spackmon.query.sql.values import Given

if TYPE_CHECKING:
    from spackmon.query.meanings.limits import Measure
    from spackmon.query.meanings.statement import Statement

INCLUDE_INSTALLED = argument(
    "include_installed",
    bool,
    "Whether to count also what was not built: binaries of a build cache, and externals.",
    False,
)
"""The argument of what counts builds."""
# Reads every row of the list and sorts durations.
_COST = 1000


@dataclass(frozen=True, slots=True)
class Grouped(Meaning):
    """A field of a connection: its rows by groups.

    `facts` are the values of a row that groups measure, each under the name that measures know it by. Where
    rows say what they were `installed_from`, those that were not built count only if a client asks for it.
    `faceted` rows are builds, which facets know some keys of.
    """

    facts: Mapping[str, ValueOf]
    installed_from: ValueOf | None
    faceted: bool = False

    @property
    def own_cost(self) -> int:
        """See Meaning."""
        return _COST

    def length(self, selected: Selected, measure: "Measure") -> int:
        """See Meaning."""
        return measure.first(selected, DEFAULT_GROUPS)

    def listed(self, rows: Rows, at: At, statement: "Statement") -> Json:
        """The groups of these rows as a JSON array."""
        first = aggregates.read_first(statement.decided(statement.arguments(at).get("first")))
        return statement.listed(self.groups(rows, at, statement, first))

    def groups(self, rows: Rows, at: At, statement: "Statement", first: int | None) -> Select[Any]:
        """The groups' objects, in a column `body`; `first` of them or all."""
        arguments, fields = statement.arguments(at), statement.fields(at)
        offset = aggregates.read_offset(statement.decided(arguments["offset"]))
        keys, measured = self._asked(at, arguments, statement)
        found = self._found(rows, keys, measured, arguments, statement)
        group = Scope(statement.rows(found), statement.names)
        holds = statement.holds_by(at, "having", group)
        order = ordered(at, group, statement)
        body = statement.object_of(object_type(at.type_), fields, group, at.depth + 1).label("body")
        listed = select(body).select_from(group.joined()).where(*holds)
        listed = listed.order_by(*(key.ordered(from_end=False) for key in order), group.source.c["place"])
        if first is not None:
            listed = listed.limit(literal_column(str(first)))
        elif offset:
            # SQLite has no OFFSET without a LIMIT.
            listed = listed.limit(literal_column(str(2**62)))
        return listed.offset(literal_column(str(offset))) if offset else listed

    def reads_rows(self, rows: Rows, at: At, statement: "Statement") -> bool:
        """Whether each of these rows may be looked at: not where counts that are kept say all of it."""
        if not self.faceted:
            return True
        arguments = statement.arguments(at)
        keys, measured = self._asked(at, arguments, statement)
        if "durations" in measured:
            return True
        is_counted = rows.are_all and (days.answer(keys, measured) or totals.answer(keys, measured))
        return not is_counted and self._known(rows, keys, measured) is None

    def _asked(
        self, at: At, arguments: Mapping[str, Given], statement: "Statement"
    ) -> tuple[list[Key], list[str]]:
        """The keys, and what is measured."""
        keys = [statement.decided(key) for key in statement.each(arguments["keys"])]
        names = {part.name for part in statement.fields(at).values()}
        for name in arguments.keys() & {"having", "orderBy"}:
            names |= arguments[name].names()
        return keys, measures_of(self.facts, names)

    def _known(self, rows: Rows, keys: Sequence[Key], measured: Sequence[str]) -> Facets | None:
        """The facets that know all that is asked; durations they know of all of their builds alone."""
        if not facets.answer(keys, set(measured) - {"durations"}):
            return None
        found = rows.facets()
        return None if found is None or ("durations" in measured and not found.are_whole) else found

    def _found(
        self,
        rows: Rows,
        keys: Sequence[Key],
        measured: Sequence[str],
        arguments: Mapping[str, Given],
        statement: "Statement",
    ) -> Select[Any]:
        """Every group of these rows."""
        has_all = self.installed_from is None or bool(statement.decided(arguments["includeInstalled"]))
        dialect = statement.dialect_name
        counted = rows
        if self.installed_from is not None and not has_all:
            counted = aggregates.built(rows, self.installed_from)
        if not self.faceted:
            return aggregates.groups(counted, keys, self.facts, measured, statement.rows, dialect)
        known = self._known(rows, keys, measured)
        if known is not None:
            if "durations" in measured:
                histograms = Histograms(counted, known, statement.rows, dialect)
                return histograms.groups(keys, measured, with_installed=has_all)
            nested = statement.rows
            return facets.groups_of_facets(
                known, rows, keys, measured, nested, dialect, with_installed=has_all
            )
        if rows.are_all and days.answer(keys, measured):
            return days.groups_of_all(keys, measured, statement.rows, dialect, with_installed=has_all)
        if rows.are_all and totals.answer(keys, measured):
            names, nested = statement.names, statement.rows
            return totals.groups_of_all(keys, measured, names, nested, dialect, with_installed=has_all)
        if facets.answer(keys, measured):
            nested = statement.rows
            return facets.groups(rows, keys, measured, nested, dialect, with_installed=has_all)
        if references.answer(keys, measured):
            names, nested = statement.names, statement.rows
            return references.groups(counted, keys, measured, names, nested, dialect)
        return aggregates.groups(counted, keys, self.facts, measured, statement.rows, dialect)


def grouped(
    key_type: Any,
    having: Any,
    order_by: Any,
    *,
    facts: Mapping[str, ValueOf],
    installed_from: ValueOf | None = None,
    faceted: bool = False,
    description: str,
) -> Any:
    """A field of a connection that counts its rows by groups; `having` and `order_by` are input types."""
    field = strawberry.field(metadata={SQL: Grouped(facts, installed_from, faceted)}, description=description)
    field.arguments = [
        *([] if installed_from is None else [INCLUDE_INSTALLED]),
        argument(
            "keys",
            list[key_type],
            "The values that the rows of a group share; without any, there is one group.",
        ),
        argument("having", having | None, "Only these groups."),
        argument(
            "order_by",
            list[order_by] | None,
            "Sorted by these values, in this order; then largest group first.",
        ),
        argument("first", int, f"How many groups; at most {MAXIMUM_GROUPS}.", DEFAULT_GROUPS),
        argument("offset", int, "How many groups to skip.", 0),
    ]
    return field
