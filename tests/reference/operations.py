"""Operations over the whole schema, as hypothesis draws them, with all that GraphQL lets a client write."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    Undefined,
    is_leaf_type,
)

from tests.reference import related
from tests.reference.answers import Reference
from tests.reference.arguments import Draws
from tests.reference.connections import OWN_ORDERS, Sorting
from tests.reference.filters import named
from tests.reference.rows import Rows
from tests.reference.values import Branch, Dice, Leaf, Pools, Several, Tree, Values, Word, null, nullable

DEEPEST = 9
# The arguments that are drawn; others are left out.
ARGUMENTS = {
    "a", "acrossMachines", "after", "afterVersion", "among", "as", "b", "base", "before", "build",
    "columns", "confidence", "context", "depth", "deptypes", "direction", "fingerprint", "first", "from",
    "fromLine", "hash", "hashes", "having", "head", "id", "identifier", "ids", "ignore",
    "includeFailedToConcretize", "includeInstalled", "keys", "last", "lines", "lookBackDays", "matchedBy",
    "maximumDepth", "maximumP", "minimumChanges", "minimumRuns", "name", "of", "offset", "order", "orderBy",
    "package", "replace", "rootCausesOnly", "rows", "rule", "satisfying", "search", "since", "spec",
    "symbols", "template", "text", "to", "toLine", "types", "unchanged", "under", "verdict", "versions",
    "where", "with",
}  # fmt: skip
OMITTED = object()
_STRING, _INT, _ID, _BOOLEAN = "String", "Int", "ID", "Boolean"


@dataclass(frozen=True)
class Document:
    """A document and the requests made with it: an operation's name and variables each.

    `faults` are the values in it that may be refused; everything else must be answered.
    """

    text: str
    requests: list[tuple[str, dict[str, Any]]]
    faults: int


@dataclass
class _Part:
    """An operation or a fragment being written: the variables that it needs."""

    variables: set[str] = field(default_factory=set)


@dataclass
class _Writer:
    dice: Dice
    reference: Reference
    values: Values
    draws: Draws
    budget: int
    definitions: dict[str, str] = field(default_factory=dict)
    samples: dict[str, Callable[[], Any]] = field(default_factory=dict)
    fragments: dict[str, list[tuple[str, set[str]]]] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    unaliased: set[str] = field(default_factory=set)
    part: _Part = field(default_factory=_Part)
    names: int = 0

    def name(self, prefix: str) -> str:
        """A name that nothing else in the document has."""
        self.names += 1
        return f"{prefix}{self.names}"

    # Selections -------------------------------------------------------------------------------------

    def operation(self, name: str) -> tuple[str, set[str]]:
        """An operation's text and the variables it takes."""
        self.part = _Part()
        query = self.reference.schema.query_type
        assert query is not None
        selection = self.selection(query, 0, 1)
        taken = sorted(self.part.variables)
        defined = f"({', '.join(self.definitions[one] for one in taken)})" if taken else ""
        return f"query {name}{defined} {selection}", set(taken)

    def selection(self, type_: Any, depth: int, rows: int, *, aliased: bool = False) -> str:
        """A selection on objects of a type; `rows` says how many there may be of them."""
        if isinstance(type_, GraphQLInterfaceType):
            return self._of_interface(type_, depth, rows)
        known = [name for name in type_.fields if self.reference.knows(type_.name, name)]
        leaves = [name for name in known if is_leaf_type(_named(type_.fields[name]))]
        objects = [name for name in known if name not in leaves]
        entries: list[str] = []
        for _ in range(1 + self.dice.below(4)):
            goes_on = objects and depth < DEEPEST and self.budget > 0
            # The root has one leaf, which would be asked for again and again.
            if goes_on and (not leaves or self.dice.chance(50 if depth else 93)):
                entries.append(self._field(type_, self.dice.choice(objects), depth, rows, aliased))
            elif leaves:
                entries.append(self._field(type_, self.dice.choice(leaves), depth, rows, aliased))
            else:
                entries.append(self._typename())
            entries[-1] = self._wrapped(entries[-1], type_, aliased)
        if self.dice.chance(12) and not aliased:
            entries.append(self._spread(type_, depth, rows))
        return "{ " + " ".join(entries) + " }"

    def _typename(self) -> str:
        return self.dice.choice(["__typename", f"{self.name('t')}: __typename"])

    def _of_interface(self, type_: GraphQLInterfaceType, depth: int, rows: int) -> str:
        entries = ["id" if self.dice.chance(50) else "__typename"]
        possible = self.reference.schema.get_possible_types(type_)
        for _ in range(1 + self.dice.below(3)):
            one = self.dice.choice(possible)
            inner = self.selection(one, depth + 1, rows, aliased=True)
            entries.append(f"... on {one.name}{self._directive()} {inner}")
        return "{ " + " ".join(entries) + " }"

    def _wrapped(self, entry: str, type_: Any, aliased: bool) -> str:
        """The entry, perhaps in a fragment that changes nothing, or beside a __typename."""
        if self.dice.chance(6):
            condition = self.dice.choice(["", f" on {type_.name}"])
            return f"...{condition}{self._directive()} {{ {entry} }}"
        is_node = any(one.name == "Node" for one in type_.interfaces)
        if is_node and self.dice.chance(4):
            return f"{entry} ... on Node {{ {self.name('n')}: id }}"
        return f"{entry} __typename" if self.dice.chance(6) and not aliased else entry

    def _spread(self, type_: Any, depth: int, rows: int) -> str:
        """A named fragment, one that is there already or a new one."""
        known = self.fragments.setdefault(type_.name, [])
        if known and self.dice.chance(50):
            name, taken = self.dice.choice(known)
        else:
            outside, self.part = self.part, _Part()
            inner = self.selection(type_, depth, max(rows, 20))
            taken, self.part = self.part.variables, outside
            name = self.name("F")
            self.texts.append(f"fragment {name} on {type_.name} {inner}")
            known.append((name, taken))
        self.part.variables |= taken
        return f"...{name}{self._directive()}"

    def _directive(self) -> str:
        if not self.dice.chance(10):
            return ""
        condition = self.put(Leaf(self._type(_BOOLEAN, True), lambda: self.dice.chance(50)))
        return f" @{self.dice.choice(['include', 'skip'])}(if: {condition})"

    def _field(self, type_: Any, name: str, depth: int, rows: int, aliased: bool) -> str:
        self.budget -= 1
        definition = type_.fields[name]
        inner, element = _named(definition), 1
        arguments = self._arguments(type_.name, name, definition, rows)
        if "nodes" in getattr(inner, "fields", {}) or _is_list(definition):
            element = 5
        key = f"{self.name('a')}: " if aliased or self.dice.chance(8) else ""
        if definition.args and not key:
            key = f"{self.name('a')}: " if name in self.unaliased else ""
            self.unaliased.add(name)
        head = f"{key}{name}{arguments}{self._directive()}"
        if is_leaf_type(inner):
            return head
        text = f"{head} {self.selection(inner, depth + 1, rows * element)}"
        if self.dice.chance(6):
            again = f"{key}{name}{arguments} {self.selection(inner, depth + 1, rows * element)}"
            return f"{text} {again}"
        return text

    # Arguments --------------------------------------------------------------------------------------

    def _arguments(self, type_name: str, name: str, definition: GraphQLField, rows: int) -> str:
        if "first" in definition.args and "nodes" in _named(definition).fields:
            found = self._paging((type_name, name), definition, rows)
        else:
            found = self._own(type_name, name, definition)
        written = [f"{key}: {self.put(tree)}" for key, tree in found.items()]
        return f"({', '.join(written)})" if written else ""

    def _paging(self, key: tuple[str, str], definition: GraphQLField, rows: int) -> dict[str, Tree]:
        types = {key: argument.type for key, argument in definition.args.items()}
        about = named(_named(definition).fields["nodes"].type)
        found: dict[str, Tree] = {}
        if "where" in types and self.dice.chance(40):
            found["where"] = self.values.filter(types["where"], 2)
        if "satisfying" in types and self.dice.chance(15):
            found["satisfying"] = Leaf(types["satisfying"], self.values.spec)
            if self.dice.chance(50):
                found["as"] = Leaf(types["as"], self.draws.common()["as"])
        if "since" in types:
            found |= self._own(*key, definition)
        keys = [one for one, _ in OWN_ORDERS.get(key, [])]
        if "orderBy" in types and self.dice.chance(35):
            keys = []
            found["orderBy"] = self._order(types["orderBy"], keys)
        end = self.dice.choice(["first", "last"])
        if rows > 1 or self.dice.chance(60):
            found[end] = Leaf(types[end], lambda: self._size(rows))
        for cursor in ("after", "before"):
            if self.dice.chance(15):
                found[cursor] = Leaf(types[cursor], lambda: self._cursor(about, keys))
        return found

    def _size(self, rows: int) -> int:
        if self.dice.chance(1):
            self.values.faults += 1
            return self.dice.choice([-1, 501])
        return self.dice.below(4 if rows > 5 else 12)

    def _order(self, type_: Any, keys: list[str]) -> Tree:
        element = nullable(type_).of_type
        directions = nullable(element).fields
        elements: list[Tree] = []
        for _ in range(self.dice.choice([1, 1, 2, 3, 0])):
            key = self.dice.choice(list(directions))
            keys.append(key)
            leaf = Leaf(directions[key].type, lambda: Word(self.dice.choice(["ASC", "DESC"])), needed=True)
            elements.append(Branch(element, {key: leaf}, self.dice, fixed=True))
        return Several(type_, elements, self.dice, fixed=True, nullable=False)

    def _cursor(self, about: str, keys: list[str]) -> str:
        rows = self.reference.rows.all(related.MODELS[about])
        # Of what nobody may see there is no row to go on after.
        if not rows or self.dice.chance(2):
            self.values.faults += 1
            return self.dice.choice(["", "zz", "5b5d", "5b312c327d"])
        sorting = Sorting(self.reference.rows, about, [(key, False) for key in keys])
        return sorting.cursor(self.dice.choice(rows))

    def _own(self, type_name: str, name: str, definition: GraphQLField) -> dict[str, Tree]:
        """The arguments of a field that is no connection."""
        own = self.draws.own(type_name, name)
        drawn = {**self.draws.common(), **own}
        found: dict[str, Tree] = {}
        for name in ("among", "base", "head", "where"):
            is_needed = name in ("base", "head")
            if name in definition.args and (is_needed or (name not in found and self.dice.chance(40))):
                found[name] = self.values.filter(definition.args[name].type, 1 if is_needed else 2)
        if "having" in definition.args and self.dice.chance(30):
            found["having"] = self.values.filter(definition.args["having"].type, 1)
        if "having" in definition.args and self.dice.chance(40):
            found["orderBy"] = self._order(definition.args["orderBy"].type, [])
        for key, argument in definition.args.items():
            is_required = isinstance(argument.type, GraphQLNonNull) and argument.default_value is Undefined
            if key in drawn and (is_required or key in own or self.dice.chance(40)):
                found[key] = self._argument(argument.type, drawn[key], needed=is_required or key in own)
        return found

    def _argument(self, type_: Any, sample: Callable[[], Any], *, needed: bool) -> Tree:
        if not isinstance(nullable(type_), GraphQLList) or "GroupKey" in str(type_):
            return Leaf(type_, sample, needed=needed)
        leaf = Leaf(nullable(type_).of_type, sample)
        count = 1 + self.dice.below(3) if needed else self.dice.below(3)
        return Several(type_, [leaf] * count, self.dice, fixed=needed, nullable=not needed)

    # Values -----------------------------------------------------------------------------------------

    def put(self, tree: Tree) -> str:
        """The value in the document: written, or a variable."""
        if self.dice.chance(20):
            return self._variable(tree)
        if isinstance(tree, Leaf):
            return _literal(tree.sample())
        if isinstance(tree, Branch):
            return "{" + ", ".join(f"{key}: {self.put(one)}" for key, one in tree.members.items()) + "}"
        elements = [self.put(one) for one in tree.elements]
        if len(elements) == 1 and not elements[0].startswith("$") and self.dice.chance(20):
            return elements[0]
        return "[" + ", ".join(elements) + "]"

    def _variable(self, tree: Tree) -> str:
        name = self.name("v")
        type_, is_required = tree.type_, isinstance(tree.type_, GraphQLNonNull)
        default = ""
        is_needed = tree.needed if isinstance(tree, Leaf) else tree.fixed
        if not is_required and (is_needed or (tree.sample is not null and self.dice.chance(30))):
            type_, is_required = GraphQLNonNull(type_), True
        if self.dice.chance(20):
            default, is_required = f" = {_literal(tree.sample())}", False
            type_ = nullable(type_) if self.dice.chance(50) else type_
        self.definitions[name] = f"${name}: {type_}{default}"
        is_required = is_required or is_needed
        can_be_null = not default and not isinstance(type_, GraphQLNonNull) and _may_be_null(tree)

        def sample() -> Any:
            if not is_required and self.dice.chance(20):
                return OMITTED
            return None if can_be_null and self.dice.chance(8) else tree.sample()

        self.samples[name] = sample
        self.part.variables.add(name)
        return f"${name}"

    def _type(self, name: str, is_required: bool) -> Any:
        type_: Any = self.reference.schema.type_map[name]
        return GraphQLNonNull(type_) if is_required else type_


def documents(reference: Reference, rows: Rows) -> Callable[[int, int], Document]:
    """Makes documents whose values match the rows of a site, of a seed and about so many object fields."""
    pools = Pools(rows)

    def document(seed: int, fields: int) -> Document:
        dice = Dice(seed)
        values = Values(dice, reference, pools)
        writer = _Writer(dice, reference, values, Draws(dice, reference, values), fields)
        names = ["One", "Two"] if dice.chance(10) else ["One"]
        operations = {name: writer.operation(name) for name in names}
        text = "\n".join([*(text for text, _ in operations.values()), *writer.texts])
        requests = []
        for name, (_, taken) in operations.items():
            for _ in range(2 if taken else 1):
                drawn = {one: writer.samples[one]() for one in sorted(taken)}
                requests.append((name, {key: value for key, value in drawn.items() if value is not OMITTED}))
        return Document(text, requests, values.faults)

    return document


def _literal(value: Any) -> str:
    if isinstance(value, Word):
        return value
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_literal(one)}" for key, one in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def _named(definition: GraphQLField) -> Any:
    type_: Any = definition.type
    while hasattr(type_, "of_type"):
        type_ = type_.of_type
    return type_


def _is_list(definition: GraphQLField) -> bool:
    return str(definition.type).startswith("[")


def _may_be_null(tree: Tree) -> bool:
    """Whether null is as if nothing were there: `where: null` is, `eq: null` and `some: null` are not."""
    return not isinstance(tree, Leaf) and tree.nullable
