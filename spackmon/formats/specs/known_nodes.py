"""Nodes that were read a moment ago: most of what one spec of a site depends on stood in the one before.

Nothing but the time that reading takes depends on them.
"""

import marshal
from collections.abc import Hashable
from threading import Lock
from typing import Any, Generic, TypeVar

from spackmon.formats.specs.spec_node import Hashes, NodeEntry, hashes_of, read_entry, spec_node
from spackmon.graph.spec import Edge, SpecNode, TargetDescription

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

# A usual node is 1,500 characters of JSON, and some 6 kB with what is made of it.
_MAXIMUM_NODES = 4_096
_MAXIMUM_CHARACTERS = 10_000


class KnownNodes:
    """What one reader made of the nodes that it read last, by their JSON; threads may share it."""

    def __init__(self) -> None:
        self._entries: _Latest[tuple[int, Hashes, bytes], NodeEntry] = _Latest()
        self._nodes: _Latest[tuple[tuple[str, str], Hashes, str, bool], SpecNode] = _Latest()

    def entry(self, name: str, content: dict[str, Any], element: object, format_version: int) -> NodeEntry:
        """What `read_entry` makes of these. Raises FieldUnfit."""
        hashes = hashes_of(content)
        words = _words(element)
        # By its hashes, too: a file may keep a node under a hash that the node itself does not state.
        key = format_version, hashes, words
        known = self._entries.find(key)
        if known is not None:
            # Half of the time that _replace takes.
            return NodeEntry(*known[:-1], content)
        entry = read_entry(name, content, element, format_version, hashes)
        if words:
            self._entries.add(key, len(words), entry._replace(content={}))
        return entry

    def node(
        self,
        entry: NodeEntry,
        edges: tuple[Edge, ...],
        targets: dict[str, TargetDescription],
        *,
        is_plain: bool,
    ) -> SpecNode:
        """What `spec_node` makes of these; `is_plain`, all nodes of the document have `children`.

        Raises FieldUnfit.
        """
        key = entry.identity, entry.hashes, entry.document, is_plain
        known = self._nodes.find(key)
        # What edges name depends on the document around the node.
        if known is None or known.edges != edges:
            known = spec_node(entry, edges, targets)
            self._nodes.add(key, len(entry.document), known)
        return known

    def plain_node(self, entry: NodeEntry) -> SpecNode | None:
        """What was made of such a node in a document in which all nodes have `children`, if that is known."""
        return self._nodes.find((entry.identity, entry.hashes, entry.document, True))


class _Latest(Generic[Key, Value]):
    """The values that were made last."""

    def __init__(self) -> None:
        self._values: dict[Key, Value] = {}
        self._lock = Lock()
        self.find = self._values.get

    def add(self, key: Key, characters: int, value: Value) -> None:
        if characters > _MAXIMUM_CHARACTERS:
            return
        with self._lock:
            self._values[key] = value
            if len(self._values) > _MAXIMUM_NODES:
                del self._values[next(iter(self._values))]


def _words(element: Any) -> bytes:
    """Bytes that two values share only if they are written as the same JSON; empty if they are none.

    They are made in a third of the time that JSON takes. Later versions of marshal give equal values several
    forms.
    """
    try:
        return marshal.dumps(element, 2)
    except ValueError:
        return b""
