"""Files as they are stored: those of prefixes that are not on this machine, without those of its system."""

import os
from collections.abc import Iterator, Mapping

from spackmon.abi.elf import Elf
from spackmon.abi.files import File
from spackmon.abi.loader import System, is_below

_MAXIMUM_LINKS = 40

UNKNOWN_SYSTEM = System(
    directories=(),
    library_words=("lib64", "lib", "lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu"),
    platform_words=("x86_64", "haswell", "aarch64"),
    is_known=False,
)
"""The libraries of the system are not stored, and neither is where they are."""


class StoredFiles:
    """ELF files by path, and the links that lead to them; `faults` are those that could not be read."""

    def __init__(
        self, elves: Mapping[str, Elf], links: Mapping[str, str], faults: Mapping[str, str] | None = None
    ) -> None:
        self._files = {path: File(path, elf) for path, elf in elves.items()}
        self._files |= {path: File(path, None, fault) for path, fault in (faults or {}).items()}
        self._links = links

    def at(self, path: str) -> File | None:
        """What is at a path, links followed; None where no ELF file is."""
        for _ in range(_MAXIMUM_LINKS):
            if path in self._files:
                return self._files[path]
            led_on = self._led_on(path)
            if led_on is None:
                return None
            path = led_on
        return None

    def below(self, prefix: str) -> Iterator[str]:
        """The paths of the ELF files below a prefix, in order."""
        return (path for path in sorted(self._files) if is_below(path, prefix))

    def _led_on(self, path: str) -> str | None:
        """Where the first link on the way to a path leads."""
        at = path.find("/", 1)
        while True:
            part = path if at < 0 else path[:at]
            if part in self._links:
                target = os.path.join(os.path.dirname(part), self._links[part])
                return os.path.normpath(target + path[len(part) :])
            if at < 0:
                return None
            at = path.find("/", at + 1)
