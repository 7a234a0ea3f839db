"""Values for arguments and variables, most of them from the site, so that they match something."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLList, GraphQLNonNull

from spackmon.graph.spec_syntax import parse_spec
from spackmon.graph.spec_tokens import SpecSyntaxError
from tests.reference import fields, filters, related
from tests.reference.answers import Reference
from tests.reference.filters import named, type_of
from tests.reference.rows import Rows


class Dice:
    """The few ways in which choices are made."""

    def __init__(self, seed: int) -> None:
        # Hypothesis draws the seed alone: of choices drawn one by one it repeats so many that two in three
        # operations come again.
        self._random = random.Random(seed)

    def below(self, limit: int) -> int:
        """A number from 0, less than `limit`."""
        return self._random.randrange(limit)

    def choice(self, options: Any) -> Any:
        """One of several."""
        return self._random.choice(options)

    def chance(self, percent: int) -> bool:
        """Whether something unlikely happens."""
        return self._random.randrange(100) < percent


@dataclass
class Leaf:
    """A scalar, drawn anew for each run; `needed`: no run may leave it out."""

    type_: Any
    sample: Callable[[], Any]
    needed: bool = False


@dataclass
class Branch:
    """An input object; `fixed`: each run gives the same keys; `nullable`: null is as if it were not there."""

    type_: Any
    members: dict[str, "Tree"]
    dice: Dice
    fixed: bool = False
    nullable: bool = True

    def sample(self) -> dict[str, Any]:
        """A value for a run."""
        return {
            key: tree.sample() for key, tree in self.members.items() if self.fixed or not self.dice.chance(15)
        }


@dataclass
class Several:
    """A list; `fixed`: each run gives as many elements; `nullable` as of a Branch."""

    type_: Any
    elements: list["Tree"]
    dice: Dice
    fixed: bool = False
    nullable: bool = True

    def sample(self) -> Any:
        """A value for a run; one element may stand for a list of it."""
        kept = [tree.sample() for tree in self.elements if self.fixed or not self.dice.chance(15)]
        return kept[0] if len(kept) == 1 and self.dice.chance(15) else kept


Tree = Leaf | Branch | Several


def null() -> None:
    """Draws nothing: what an operator must not be given."""


def nullable(type_: Any) -> Any:
    """A type without its exclamation mark."""
    return type_.of_type if isinstance(type_, GraphQLNonNull) else type_


ODD_TEXTS = ["", "%", "a", "é", "\U0001f40d", "'\"\\", "\n", "\U0010ffff"]
SOUGHT = [
    "error",
    "ERROR -",
    "unused 'y'",
    "-lfoo",
    "cannot find -lf*",
    '"b.c" y',
    "e*",
    "x undeclared",
    "none",
]
ODD_VERSIONS = ["1.9.9", "1.10rc1", "2", "stable", "", "1.2-11"]


@dataclass
class Values:
    """Draws values for the places of one document; `faults` counts what may be refused."""

    dice: Dice
    reference: Reference
    pools: "Pools"
    faults: int = 0

    def filter(self, type_: Any, depth: int) -> Branch:
        """A filter of a type's rows, not deeper than `depth`."""
        of = nullable(type_)
        known = [name for name in of.fields if filters.knows(of.name, name)]
        flat = [name for name in known if not self._nests(of, name)]
        members: dict[str, Tree] = {}
        for _ in range(1 + self.dice.below(2)):
            name = self.dice.choice(flat if depth <= 0 and flat else known)
            members[name] = self._member(of, name, depth)
        return Branch(type_, members, self.dice)

    def _nests(self, of: GraphQLInputObjectType, name: str) -> bool:
        if name in ("and", "or", "not"):
            return True
        inner = self.reference.schema.type_map[named(of.fields[name].type)]
        return isinstance(inner, GraphQLInputObjectType) and bool({"and", "some"} & set(inner.fields))

    def _member(self, of: GraphQLInputObjectType, name: str, depth: int) -> Tree:
        type_ = of.fields[name].type
        if name in ("and", "or"):
            element = nullable(type_).of_type
            return Several(
                type_, [self.filter(element, depth - 1) for _ in range(self.dice.below(3))], self.dice
            )
        if name == "not":
            return self.filter(type_, depth - 1)
        if name in ("dependency", "dependent"):
            return self._dependency(type_, depth)
        if name == "search":
            return Leaf(type_, self.search, needed=True)
        inner = nullable(type_)
        if "some" in inner.fields:
            how = self.dice.choice(["some", "none", "every"])
            member = replace(self.filter(inner.fields[how].type, depth - 1), nullable=False)
            return Branch(type_, {how: member}, self.dice)
        if "and" in inner.fields:
            return self.filter(type_, depth - 1)
        return self._operators(type_, type_of(of.name), name)

    def search(self) -> str:
        """What is sought in events."""
        if self.dice.chance(3):
            self.faults += 1
            return self.dice.choice(["", "- ::", '"error', "a " * 51, "a" * 1001])
        return self.dice.choice(SOUGHT)

    def _dependency(self, type_: Any, depth: int) -> Branch:
        types = {name: field.type for name, field in nullable(type_).fields.items()}
        pairs = self.pools.pairs
        members: dict[str, Tree] = {}
        if self.dice.chance(75):
            members["name"] = Leaf(types["name"], lambda: self.dice.choice(pairs)[0], needed=True)
            if self.dice.chance(40):
                members["version"] = Leaf(types["version"], lambda: self.dice.choice(pairs)[1])
        if not members or self.dice.chance(25):
            members["satisfying"] = Leaf(types["satisfying"], self.spec, needed=not members)
            if self.dice.chance(50):
                members["as"] = self._scalar(types["as"], "ContainedFilter", "", "as")
        if depth > 1 and self.dice.chance(25):
            members["where"] = self.filter(types["where"], depth - 1)
        if self.dice.chance(60):
            members["way"] = self._scalar(types["way"], "ContainedFilter", "", "way")
        if self.dice.chance(30):
            element = nullable(types["deptypes"]).of_type
            drawn = [
                self._scalar(element, "ContainedFilter", "", "deptypes") for _ in range(self.dice.below(4))
            ]
            members["deptypes"] = Several(types["deptypes"], list(drawn), self.dice, nullable=False)
        return Branch(type_, members, self.dice, fixed=True)

    def _operators(self, type_: Any, about: str, name: str) -> Branch:
        of = nullable(type_)
        members: dict[str, Tree] = {}
        for _ in range(1 + self.dice.chance(20)):
            operator = self.dice.choice(list(of.fields))
            tree = self.operand(of, operator, about, name)
            if isinstance(tree, Leaf) and self.dice.chance(1):
                self.faults += 1
                tree = Leaf(tree.type_, null)
            members[operator] = tree
        return Branch(type_, members, self.dice)

    def operand(self, of: GraphQLInputObjectType, operator: str, about: str, name: str) -> Tree:
        """What an operator of a field's filter is given."""
        type_ = of.fields[operator].type
        bare = nullable(type_)
        if isinstance(bare, GraphQLList):
            element = bare.of_type
            drawn = [self._scalar(element, of.name, about, name) for _ in range(self.dice.below(4))]
            return Several(type_, list(drawn), self.dice, nullable=False)
        return self._scalar(type_, of.name, about, name)

    def _scalar(self, type_: Any, input_name: str, about: str, name: str) -> Leaf:
        bare = nullable(type_)
        if isinstance(bare, GraphQLEnumType):
            return Leaf(type_, lambda: Word(self.dice.choice(list(bare.values))))
        pool = self.pools.of(about, name)
        draw: dict[str, Callable[[], Any]] = {
            "Boolean": lambda: self.dice.chance(50),
            "DateTime": lambda: self._moment(pool),
            "Float": lambda: self._near(pool) / self.dice.choice([1, 2]),
            "ID": lambda: str(self.dice.choice([*pool, "999999"])),
            "Int": lambda: int(min(self._near(pool), 2**31 - 1)),
            "Long": lambda: int(self._near(pool)),
            "String": lambda: self._text(pool, input_name == "VersionFilter"),
        }
        return Leaf(type_, draw[bare.name])

    def spec(self) -> str:
        """A text in Spack's language, about what some spec is."""
        if self.dice.chance(4):
            self.faults += 1
            return self.dice.choice(["zlib@", "^", "a b", "\0"])
        while True:
            name, version = self.dice.choice([*self.pools.pairs, ("mpi", "1.2")])
            some = [
                f"@{self.dice.choice(['', ':', '='])}{version}", f"@{version}:", f" ^{name}", f" %{name}",
                f" ^{name}@{version}:", " %gcc@9:", " %c=gcc", " ^mpi", " +mpi", " ~mpi", " libs=shared",
                " level=3", " target=zen3", " target=x86_64:", " os=rhel8", " platform=linux", " cflags=-O2",
                f" /{self.dice.choice(self.pools.of('SpecHash', 'value'))[:5]}",
            ]  # fmt: skip
            text = self.dice.choice([self.dice.choice(self.pools.pairs)[0], ""])
            text += "".join(sorted(self.dice.choice(some) for _ in range(self.dice.below(3))))
            try:
                parse_spec(text)
            except SpecSyntaxError:
                continue
            return text

    def _near(self, pool: list[Any]) -> Any:
        return (self.dice.choice(pool) if pool else 0) + self.dice.choice([0, 0, 1, -1])

    def _moment(self, pool: list[Any]) -> str:
        moment = str(self.dice.choice(pool)) if pool else "2026-03-04T05:06:07.000000Z"
        return self.dice.choice([moment, moment[:19] + "Z", moment[:26] + "+02:00", moment[:26]])

    def _text(self, pool: list[Any], is_version: bool) -> str:
        if not pool or self.dice.chance(10):
            return str(self.dice.choice(ODD_VERSIONS if is_version else ODD_TEXTS))
        text = str(self.dice.choice(pool))
        return text[: self.dice.below(len(text) + 1)] if self.dice.chance(25) else text


class Word(str):
    """The name of an enum's value."""

    __slots__ = ()


class Pools:
    """The values that fields have anywhere in the site."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._known: dict[tuple[str, str], list[Any]] = {}
        specs = rows.all(related.MODELS["Spec"])
        self.pairs = sorted(
            {tuple(fields.value(rows, "Spec", name, spec) for name in ("name", "version")) for spec in specs}
        )
        self._elements = [
            one for spec in specs for one in fields.FILTERED_TO_MANY["Spec", "parameters"](rows, spec)
        ]

    def of(self, type_name: str, name: str) -> list[Any]:
        """The values of a field, each once; of lists, the elements."""
        key = type_name, name
        if filters.is_of_groups(type_name):
            return [0, 0.5, 1, 2, 3, 5]
        if key not in self._known:
            rows = self._elements if type_name == "Parameter" else self._rows.all(related.MODELS[type_name])
            values = [fields.value(self._rows, type_name, name, row) for row in rows]
            flat = [one for value in values for one in (value if isinstance(value, list) else [value])]
            distinct = {json.dumps(one): one for one in flat if one is not None and one is not fields.ABSENT}
            self._known[key] = [distinct[text] for text in sorted(distinct)]
        return self._known[key]
