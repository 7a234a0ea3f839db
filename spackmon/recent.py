"""What was used last, within a number of bytes."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from threading import Lock
from typing import Any

# One entry must not drive all others out.
_LARGEST_SHARE = 8


@dataclass(frozen=True, slots=True)
class _Entry:
    value: Any
    size_bytes: int


class Recent:
    """A dictionary that forgets what was not used for longest; for any number of threads.

    `maximum_bytes` is for all entries together, by the sizes that they were put in with.
    """

    def __init__(self, maximum_bytes: int) -> None:
        self.maximum_bytes = maximum_bytes
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._lock = Lock()
        self.size_bytes = 0

    def get(self, key: Hashable) -> Any:
        """The entry, which is now the most recent; None where there is none."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry.value

    def put(self, key: Hashable, value: Any, size_bytes: int) -> None:
        """Keep an entry and drop the oldest that have no room beside it; a very large one is not kept."""
        with self._lock:
            replaced = self._entries.pop(key, None)
            if replaced is not None:
                self.size_bytes -= replaced.size_bytes
            if size_bytes > self.maximum_bytes // _LARGEST_SHARE:
                return
            self._entries[key] = _Entry(value, size_bytes)
            self.size_bytes += size_bytes
            while self.size_bytes > self.maximum_bytes:
                _, oldest = self._entries.popitem(last=False)
                self.size_bytes -= oldest.size_bytes
