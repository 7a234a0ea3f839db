"""Nodes that were read a moment ago: in an install tree nearly all of a spec's stood in the one before."""

from typing import NamedTuple

from spackmon.formats.spec_node import NodeEntry
from spackmon.graph.spec import SpecNode

# Enough for what most specs of a site have in common; at some 10 kB a node, little enough to stay flat.
_MAXIMUM_NODES = 4_096


class KnownNode(NamedTuple):
    """A node as a document stated it, and what was made of it."""

    entry: NodeEntry
    node: SpecNode


class KnownNodes:
    """The nodes that were read last. One that is stated again in the same words need not be read again."""

    def __init__(self) -> None:
        self._nodes: dict[tuple[int, str], KnownNode] = {}

    def find(self, element: object, format_version: int) -> KnownNode | None:
        """The node that states just what `element` of a document does, if it is known."""
        identity = element.get("hash") if isinstance(element, dict) else None
        if not isinstance(identity, str):
            return None
        found = self._nodes.get((format_version, identity))
        # A hash alone is a claim: whoever makes it for other content is to be heard, and refused if need be.
        return found if found is not None and found.entry.content == element else None

    def remember(self, entry: NodeEntry, node: SpecNode, format_version: int) -> None:
        """Keep a node, and let go of the one that was not needed for longest."""
        key = (format_version, entry.identity[1])
        self._nodes.pop(key, None)
        self._nodes[key] = KnownNode(entry, node)
        if len(self._nodes) > _MAXIMUM_NODES:
            del self._nodes[next(iter(self._nodes))]
