"""Fields that Python computes from facts which the same statement gives.

SQL puts the facts where the value belongs, between two marks, as JSON. What the computation answers may
hold rows of one type, by their identities: the statement selects the objects of all that it may name, too,
and they are put in place afterwards. So a computed field costs no second statement.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLList, GraphQLNonNull, GraphQLObjectType, GraphQLOutputType

from spackmon.log_bucket import Contents
from spackmon.query.sql.conditions import Make
from spackmon.query.sql.selection import Selected
from spackmon.query.sql.values import Given, at, plain

# Response keys from the computed field down, lists passed through.
ResponsePath = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a computed field is asked for: the fields at each path, and the paths where rows stand."""

    type_: GraphQLOutputType
    fields: Mapping[ResponsePath, Mapping[str, Selected]]
    rows: Mapping[ResponsePath, Selected]

    def fill(self, made: Any, rows: Mapping[str, Any]) -> Any:
        """The response's value; `rows` holds for each path (joined by dots) the objects by identity."""
        return self._filled(made, self.type_, (), rows)

    def _filled(
        self, made: Any, type_: GraphQLOutputType, path: ResponsePath, rows: Mapping[str, Any]
    ) -> Any:
        if isinstance(type_, GraphQLNonNull):
            return self._filled(made, type_.of_type, path, rows)
        if made is None:
            return None
        if isinstance(type_, GraphQLList):
            return [self._filled(one, type_.of_type, path, rows) for one in made]
        if path in self.rows:
            return rows[".".join(path)][made]
        if not isinstance(type_, GraphQLObjectType):
            return made
        return {
            key: type_.name
            if asked.name == "__typename"
            else self._filled(made[asked.name], type_.fields[asked.name].type, (*path, key), rows)
            for key, asked in self.fields[path].items()
        }


@dataclass(frozen=True, slots=True)
class Computation:
    """One computed field of a plan: turns its facts into JSON, in every run with that run's arguments.

    `reads_logs`: the facts are chunks of logs, whose `content` is given to `make` as bytes.
    """

    make: Make
    arguments: Mapping[str, Given]
    shape: Shape
    reads_logs: bool = False

    def answer(self, text: bytes, variables: Mapping[str, Any], contents: Contents) -> bytes:
        """The field's JSON; Refused where the facts or the arguments do not allow an answer."""
        sent = json.loads(text)
        if self.reads_logs:
            for chunk in sent["facts"]:
                chunk["content"] = contents(bytes.fromhex(chunk["content"]))
        arguments = {name: _value(given, variables) for name, given in self.arguments.items()}
        filled = self.shape.fill(self.make(sent["facts"], arguments), sent.get("rows", {}))
        # Half a character, which a client's JSON may have, becomes JSON's escape again.
        return json.dumps(filled, ensure_ascii=False, separators=(",", ":")).encode(
            "utf-8", "backslashreplace"
        )


def _value(given: Given, variables: Mapping[str, Any]) -> Any:
    value = given.value if given.path is None else at(given.path, variables)
    if isinstance(value, list):
        return [_value(one, variables) if isinstance(one, Given) else plain(one) for one in value]
    return plain(value)
