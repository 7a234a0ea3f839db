"""Which tags rows have, by the sets that runs share: of few sets it is asked which have a tag, of no run."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, Select, case, false, func, literal_column, select

from spackmon.models import Attempt, Build, TagSetMember
from spackmon.query.rows.ranges import ABOVE_ALL
from spackmon.query.rows.totals import number_of_tagged
from spackmon.query.sql.among import among
from spackmon.query.sql.conditions import Way
from spackmon.query.sql.scope import Attribute, Scope

_MEMBER: Any = TagSetMember.__table__
# Where so many of the newest have a tag, a page of them is found soon by walking.
_NEWEST, _NEWEST_OF_ONE, _COMMON = 10_000, 2_000, 10
_MOST = 60_000
_NONE, _ONE = (literal_column(number, Integer()) for number in "01")


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of a row, whose set is in its column `ours`, which has an index."""

    ours: Attribute

    def __call__(self, row: Scope, tag: Scope) -> ColumnElement[bool]:
        """`tag` belongs to `row`."""
        return tag.behind(_MEMBER, "tag_id").column("tag_set_id") == row[self.ours]

    def have_one(self, row: Scope, sets: Select[Any]) -> ColumnElement[bool]:
        """Whether the row's set is one of these: of equal numbers PostgreSQL expects few, of a set half."""
        return case((among(row[self.ours], sets), _ONE), else_=_NONE) == _ONE

    def found(self, row: Scope, sets: Select[Any]) -> Way:
        """The rows that have one of these sets by their index: where hardly any of the newest has, and of all
        no more than 60,000. PostgreSQL thinks that they are everywhere.
        """
        new, every = (row.beneath(row.table).led() for _ in range(2))
        newest = select(new[self.ours]).select_from(new.source).order_by(new.row_id.desc())
        some = newest.limit(literal_column(str(_NEWEST))).correlate(None).subquery(row.new_name())
        is_one = among(some.c[self.ours.key], sets)
        # Of a tag that is in no set nothing is looked at.
        of_newest: Select[Any] = select(literal_column("1")).select_from(some).where(sets.exists(), is_one)
        common = of_newest.limit(literal_column(str(_COMMON))).subquery(row.new_name())
        # A name of its own, since whether this way is taken is asked by both ways.
        counted = select(func.count(type_=BigInteger()).label("number")).select_from(common)
        number = select(counted.correlate(None).cte(row.new_name()).c.number).scalar_subquery()
        own = every[self.ours]
        indexed = select(every.row_id).select_from(every.source).where(among(own, sets, leads=True))
        # In the order of the index, or it would look for them in the table.
        ids = indexed.order_by(own).limit(literal_column(str(_MOST + 1))).correlate(None).cte(row.new_name())
        of_all = select(func.count(type_=BigInteger())).select_from(ids).scalar_subquery()
        is_taken = case((number >= _COMMON, false()), else_=of_all <= _MOST)
        is_one_of_few = among(row.row_id, select(*ids.c), leads=True)
        return Way(is_taken, is_one_of_few, counting=among(row[self.ours], sets, leads=True))


tags_of_build = Tags(Build.tag_set_id)
tags_of_attempt = Tags(Attempt.tag_set_id)


def sets_of(tag: Scope) -> ColumnElement[Any]:
    """The sets that a tag is in; a statement of tags then begins with these."""
    return tag.behind(_MEMBER, "tag_id").column("tag_set_id")


def builds_tagged(tag: Scope, build: Scope) -> ColumnElement[bool]:
    """The builds whose newest attempt has a tag."""
    return build[Build.tag_set_id].in_(_sets_with(tag))


def newest_tagged(tag: Scope, build: Scope) -> ColumnElement[Any]:
    """No id of these is greater. It is looked for among all of them where they are no more than 60,000, and
    hardly any of the newest builds is one: PostgreSQL thinks that they are everywhere.
    """
    new, every = (build.beneath(build.table).led() for _ in range(2))
    newest = select(new[Build.tag_set_id]).select_from(new.source).order_by(new.row_id.desc())
    some = newest.limit(literal_column(str(_NEWEST_OF_ONE))).correlate(None).subquery(build.new_name())
    of_newest: Select[Any] = select(literal_column("1")).where(some.c.tag_set_id.in_(_sets_with(tag)))
    common = of_newest.limit(literal_column(str(_COMMON))).correlate(tag.source).subquery(build.new_name())
    number_of_newest = select(func.count(type_=BigInteger())).select_from(common).scalar_subquery()
    tagged = select(every.row_id).where(among(every[Build.tag_set_id], _sets_with(tag), leads=True))
    found = tagged.limit(literal_column(str(_MOST + 1))).correlate(tag.source).subquery(build.new_name())
    greatest = case((func.count() <= _MOST, func.max(found.c.id)), else_=ABOVE_ALL)
    return case(
        (number_of_tagged(tag.row_id) > _MOST, ABOVE_ALL),
        (number_of_newest >= _COMMON, ABOVE_ALL),
        else_=select(greatest).select_from(found).scalar_subquery(),
    )


def _sets_with(tag: Scope) -> Select[Any]:
    member = _MEMBER.alias()
    found = select(member.c.tag_set_id).where(member.c.tag_id == tag.row_id)
    return found.correlate_except(member)
