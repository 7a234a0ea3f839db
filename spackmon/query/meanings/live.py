"""Fields of a subscription: rows of a table as they change, read for all who asked the same at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphql import GraphQLObjectType
from sqlalchemy import BigInteger, ColumnElement, FromClause, Text, bindparam, cast, func, select

from spackmon.errors import Code, Refused
from spackmon.models import ReportedChange
from spackmon.query.meanings.meaning import At, Meaning, object_type
from spackmon.query.sql.json_text import Json, JsonWriter, braced, constant, joined
from spackmon.query.sql.scope import Scope
from spackmon.query.sql.selection import Selected
from spackmon.query.sql.values import Given
from spackmon.status import ChangeKind

if TYPE_CHECKING:
    from spackmon.query.meanings.statement import Plan, Statement

# A raw control character: JSON text has none, and its white space is none either.
UPDATE_END = "\x1e"
# The parameters of a plan: changes after the one and up to the other are read.
AFTER, UNTIL = "live_after", "live_until"

_CHANGE: Any = ReportedChange.__table__


@dataclass(frozen=True, slots=True)
class Live(Meaning):
    """Rows of a model of which changes of a kind are noted; `where` leaves some of them.

    A row that changed several times is read once, as it is, at its last change.
    """

    model: Any
    kind: ChangeKind

    def updates(self, key: str, at: At, statement: "Statement") -> Json:
        """The updates of rows that changed between two positions: cursor, space, data, UPDATE_END each."""
        picked = statement.rows(self._latest())
        child = at.row.beneath(self.model.__table__)
        holds = [*child.is_counted(), *statement.holds_by(at, "where", child)]
        cursor = cursor_json(picked.c["position"], picked.c["changed_at"], statement.json)
        data = braced([(key, self._update(at, child, cursor, statement))])
        source = child.joined(picked.join(child.source, child.has_id(picked.c["row_id"])))
        body = joined([cursor, " ", data, UPDATE_END]).label("body")
        found = select(body).select_from(source).where(*holds).order_by(picked.c["position"])
        rows: FromClause = statement.rows(found)
        return func.coalesce(statement.json.aggregated(rows.c["body"]), constant("")).label("answer")

    def _update(self, at: At, child: Scope, cursor: Json, statement: "Statement") -> Json:
        type_ = object_type(at.type_)

        def value(part: Selected) -> Json | str:
            match part.name:
                case "__typename":
                    return f'"{type_.name}"'
                case "cursor":
                    return cursor
                case _:
                    return statement.object(At(type_, part, child, at.depth + 1), child)

        return braced((key, value(part)) for key, part in statement.fields(at).items())

    def _latest(self) -> Any:
        change = _CHANGE.alias()
        after, until = (bindparam(name, None, type_=BigInteger()) for name in (AFTER, UNTIL))
        last = (
            select(func.max(change.c.position).label("position"))
            .where(change.c.kind == constant(self.kind.value), change.c.position.between(after + 1, until))
            .group_by(change.c.row_id)
            .subquery()
        )
        return select(_CHANGE.c.position, _CHANGE.c.row_id, _CHANGE.c.changed_at).join_from(
            last, _CHANGE, _CHANGE.c.position == last.c.position
        )


def cursor_json(position: ColumnElement[Any], changed_at: ColumnElement[Any], json: JsonWriter) -> Json:
    """A cursor as JSON: the position of a change, and when it was, which no other change there ever has."""
    return joined(['"', cast(position, Text), "@", func.substr(json.moment(changed_at), 2)])


def newest_cursor(json: JsonWriter) -> Json:
    """The cursor of the newest change that is numbered, as JSON."""
    last = select(_CHANGE).where(_CHANGE.c.position.is_not(None)).order_by(_CHANGE.c.position.desc()).limit(1)
    newest = last.subquery()
    cursor = select(cursor_json(newest.c.position, newest.c.changed_at, json)).select_from(newest)
    return func.coalesce(cursor.scalar_subquery(), constant('"0"'))


def only_field(fields: Mapping[str, Selected]) -> tuple[str, Selected]:
    """The response key and the one field of a subscription. Raises Refused OPERATION_UNSUPPORTED."""
    if len(fields) != 1:
        raise Refused(Code.OPERATION_UNSUPPORTED, "a subscription has exactly one field")
    ((key, selected),) = fields.items()
    return key, selected


def compile_live(
    statement: "Statement", root: GraphQLObjectType, key: str, selected: Selected
) -> tuple["Plan", ChangeKind, Given | None]:
    """The plan of a subscription's field, the changes that it reads, and its argument `after`, if it has one.

    Raises Refused.
    """
    meaning = statement.registry.meanings[root.name].get(selected.name)
    if not isinstance(meaning, Live):
        raise Refused(Code.OPERATION_UNSUPPORTED, f"`{selected.name}` is no field to subscribe to")
    at = At(root, selected, statement.no_row(), 1)
    after = statement.arguments(at).get("after")
    return statement.plan(select(meaning.updates(key, at, statement))), meaning.kind, after
