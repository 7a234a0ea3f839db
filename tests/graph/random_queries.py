"""Queries in the spec language, of every part that it has, made at random of what stands in a graph."""

import json
import random
from collections.abc import Iterator, Mapping

from spackmon.graph.spec import Deptype, SpecNode
from spackmon.graph.spec_syntax import SpecSyntaxError, parse_spec

DEPTYPES = [one.name.lower() for one in Deptype if one.name]


def random_queries(nodes: Mapping[str, SpecNode], seed: int, count: int) -> Iterator[str]:
    """So many queries that can be read, the same ones for a seed."""
    writer = _Writer(nodes, random.Random(seed))
    found = 0
    while found < count:
        text = writer.spec(depth=2)
        try:
            parse_spec(text)
        except SpecSyntaxError:
            continue
        found += 1
        yield text


class _Writer:
    def __init__(self, nodes: Mapping[str, SpecNode], dice: random.Random) -> None:
        self._nodes = nodes
        self._roots = list(nodes.values())
        self._dice = dice
        self._virtuals = sorted({v for node in self._roots for edge in node.edges for v in edge.virtuals})

    def spec(self, depth: int) -> str:
        """A query, most of whose parts one node has."""
        node = self._dice.choice(self._roots)
        text = node.name if self._chance(40) else ""
        text += self._constraints(node, 35)
        for _ in range(self._dice.choice([0, 1, 1, 2])):
            text += f" {self._dependency(node, depth)}"
        return text

    def _chance(self, percent: int) -> bool:
        return self._dice.randrange(100) < percent

    def _dependency(self, node: SpecNode, depth: int) -> str:
        edges = node.edges or self._dice.choice(self._roots).edges
        if not edges:
            return "%gmake"
        edge = self._dice.choice(edges)
        child = self._nodes[edge.child]
        is_direct = self._chance(50)
        if not is_direct and child.edges and self._chance(50):
            child = self._nodes[self._dice.choice(child.edges).child]
        attributes = []
        if self._chance(20):
            attributes.append("deptypes=" + ",".join(self._dice.sample(DEPTYPES, self._dice.choice([1, 2]))))
        if depth and self._chance(20):
            attributes.append(f"when='{self.spec(0)}'")
        text = "%" if is_direct else "^"
        text += f"[{' '.join(attributes)}] " if attributes else ""
        name = child.name
        if edge.virtuals and self._chance(20):
            name = self._dice.choice(edge.virtuals)
        elif (edge.virtuals or self._chance(10)) and self._chance(40):
            virtuals = self._dice.sample([*edge.virtuals, self._dice.choice(self._virtuals)], 1)
            name = f"{','.join(virtuals)}={name}"
        elif self._chance(15):
            name = "*"
        text += name + self._constraints(child, 15)
        if depth and not is_direct and child.edges and self._chance(50):
            text += f" {self._percent(child)}"
        return text

    def _percent(self, child: SpecNode) -> str:
        below = self._nodes[self._dice.choice(child.edges).child]
        return f"%{below.name}{self._constraints(below, 15)}"

    def _constraints(self, node: SpecNode, percent: int) -> str:
        text = ""
        if self._chance(percent):
            text += f"@{self._dice.choice(['', ':', '='])}{node.version}{self._dice.choice(['', ':'])}"
        text = text.replace("=" + node.version + ":", node.version + ":").replace(
            ":" + node.version + ":", ":"
        )
        parameters = [item for item in json.loads(node.parameters).items() if item[1] not in ([], "")]
        for name, value in self._dice.sample(parameters, min(len(parameters), 1 + self._chance(30))):
            if self._chance(percent):
                text += f" {self._parameter(name, value)}"
        if self._chance(percent // 3):
            text += f" {self._dice.choice(['os=' + node.operating_system, f'target={node.target.name}:'])}"
        if self._chance(percent // 5):
            text += f" /{node.hash[: self._dice.choice([1, 3])]}"
        return text

    def _parameter(self, name: str, value: object) -> str:
        doubled = self._chance(25)
        if isinstance(value, bool):
            sign = "+" if value is not self._chance(20) else "~"
            return f"{sign * (1 + doubled)}{name}"
        values = value if isinstance(value, list) else [value]
        return f"{name}{self._dice.choice(['', ':'])}={'=' * doubled}'{self._dice.choice(values)}'"
