"""Rows by the specs that contain something, of which nobody knows how many there are before they are read.

PostgreSQL expects as many above a package that hardly anything contains as above one that everything does.
Where a condition stands alone, rows are found by the values, put in order in one array; elsewhere each row's
is looked up in a hash of them.
"""

from typing import Any

from sqlalchemy import ColumnElement, not_

from spackmon.query.speclang.satisfying import FEW_BY_THEMSELVES, counted
from spackmon.query.speclang.spec_dependencies import Found
from spackmon.query.sql.among import among, gathered
from spackmon.query.sql.conditions import Condition, Way, Ways


def each_once(found: Found, *, is_of_one: bool) -> Found:
    """A selection of the specs above some, each of which is gathered only so often.

    A graph has few specs `of one` package: there to tell them apart would cost more than what is twice. Above
    any specs stand all pairs of all graphs.
    """
    return found if is_of_one else found.distinct()


def spec_is_among(spec_id: ColumnElement[Any], found: Found) -> Condition:
    """The spec is one of those found."""
    return Condition(gathered(spec_id, found), leads=among(spec_id, found, leads=True))


def build_is_among(
    spec_id: ColumnElement[Any], found: Found, one_by_one: ColumnElement[bool] | None = None
) -> Condition:
    """The build's spec is one of those found; `one_by_one` is the same, asked of a build.

    Of few specs all builds are looked up, of many the newest are walked.
    """
    few, is_few = counted(found, FEW_BY_THEMSELVES)
    by_specs = Way(is_few, among(spec_id, few, leads=True))
    whole, counting = gathered(spec_id, found), among(spec_id, found, leads=True)
    ways = Ways(whole, (by_specs, Way(not_(is_few), whole, one_by_one)), by_specs, counting)
    return Condition(whole, ways=ways)
