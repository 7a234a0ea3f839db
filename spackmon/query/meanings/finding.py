"""Root fields that find one row, or several by their ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from graphql import GraphQLObjectType
from sqlalchemy import Select, and_, case, func, literal_column, select, union_all

from spackmon.errors import Code, Refused
from spackmon.query.meanings.meaning import At, Meaning, scalar
from spackmon.query.rows.lookups import MAXIMUM_IDS, by_id, type_of_id
from spackmon.query.sql.conditions import Finder, Satisfying
from spackmon.query.sql.json_text import MARK, NULL, Json, constant
from spackmon.query.sql.selection import Selected
from spackmon.query.sql.unpack import ERROR
from spackmon.query.sql.values import Given

if TYPE_CHECKING:
    from spackmon.query.meanings.limits import Measure
    from spackmon.query.meanings.statement import Statement


@dataclass(frozen=True, slots=True)
class Lookup(Meaning):
    """A root field that finds one row by its arguments.

    With `satisfying` it only tells whether the row satisfies the argument `spec`.
    """

    model: Any
    find: Finder
    satisfying: Satisfying | None = None

    def json(self, at: At, statement: "Statement", type_: GraphQLObjectType | None = None) -> Json:
        """See Meaning; `type_` is the row's own, where the field's is an interface."""
        arguments = statement.arguments(at)
        wanted = self.find(arguments, statement)
        child = at.row.beneath(self.model.__table__)
        if self.satisfying is None:
            body, otherwise = statement.object(at, child, type_), constant(NULL)
        else:
            holds = self.satisfying(child, statement.decided(arguments["spec"]), statement.rules(arguments))
            body = case((holds.whole, constant("true")), else_=constant("false"))
            otherwise = _error(Code.SPEC_UNKNOWN, "no spec has this `hash`")
        one = select(body).select_from(child.joined()).where(child.has_id(wanted.row_id), *child.is_counted())
        result = func.coalesce(scalar(one), otherwise)
        if wanted.ambiguous is None:
            return result
        error = _error(wanted.ambiguous_code, wanted.ambiguous_sentence)
        return case((wanted.ambiguous, error), else_=result)


@dataclass(frozen=True, slots=True)
class NodeLookup(Meaning):
    """A root field that finds one row of any type that has an Identity, by that; or a list of them."""

    is_list: bool = False

    def length(self, selected: Selected, measure: "Measure") -> int | None:
        """See Meaning."""
        return measure.count(selected, "ids") if self.is_list else None

    def json(self, at: At, statement: "Statement") -> Json:
        """See Meaning."""
        if self.is_list:
            return self._several(at, statement)
        name = _type_of_id(statement.arguments(at)["id"], statement)
        meaning = Lookup(statement.registry.meanings[name]["id"].model, by_id(name))
        return meaning.json(at, statement, _object_type(name, statement))

    def _several(self, at: At, statement: "Statement") -> Json:
        """The rows of several ids in their order, null for those that there are not."""
        ids = statement.each(statement.arguments(at)["ids"])
        if len(ids) > MAXIMUM_IDS:
            raise Refused(Code.PAGE_TOO_LARGE, f"`ids` may be at most {MAXIMUM_IDS}, they are {len(ids)}")
        places: dict[str, list[tuple[int, Given]]] = {}
        for place, given in enumerate(ids):
            places.setdefault(_type_of_id(given, statement), []).append((place, given))
        if not places:
            return constant("[]")
        parts = (self._of_type(name, ids_of, at, statement) for name, ids_of in places.items())
        every = union_all(*parts).subquery(statement.new_name())
        return statement.listed(select(every.c["body"]).order_by(every.c["place"]))

    def _of_type(
        self, name: str, places: Sequence[tuple[int, Given]], at: At, statement: "Statement"
    ) -> Select[Any]:
        """The objects of one type, each with the place of its id."""
        find = by_id(name)
        wanted = union_all(
            *(
                select(
                    literal_column(str(place)).label("place"),
                    find({"id": given}, statement).row_id.label("id"),
                )
                for place, given in places
            )
        ).subquery(statement.new_name())
        child = at.row.beneath(statement.registry.meanings[name]["id"].model.__table__)
        body = statement.object(at, child, _object_type(name, statement))
        is_there = and_(child.has_id(wanted.c["id"]), *child.is_counted())
        source = child.joined(wanted.outerjoin(child.source, is_there))
        shown = case((child.row_id.is_not(None), body), else_=constant(NULL))
        return select(wanted.c["place"], shown.label("body")).select_from(source)


def _type_of_id(given: Given, statement: "Statement") -> str:
    kind = statement.decided(given, type_of_id)
    if kind not in statement.registry.nodes:
        raise Refused(Code.ID_INVALID, f"`id` must be an id of this schema, no type is {kind[:100]!r}")
    return statement.registry.nodes[kind]


def _object_type(name: str, statement: "Statement") -> GraphQLObjectType:
    return cast(GraphQLObjectType, statement.registry.schema.type_map[name])


def _error(code: Code, sentence: str) -> Json:
    """Where this is in an answer, there is no answer but this error."""
    return constant(f"{MARK}{ERROR}{code}:{sentence}{MARK}")
