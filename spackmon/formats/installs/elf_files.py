"""The programs and libraries of prefixes, as the loader reads them, and what they need of the machine."""

import os
from pathlib import Path
from types import TracebackType

from spackmon.abi.reader.apart import ReaderApart
from spackmon.abi.reader.packed import ANALYZER
from spackmon.abi.reader.prefix import read_files
from spackmon.abi.reader.system import SystemLibraries
from spackmon.formats.bytes.fields import escaped
from spackmon.submission import AttributeValue, HostImage, HostLibrary


class ElfReader:
    """Reads prefixes one after the other; to be used in a `with` statement.

    A file of the system is read once, and goes with the first report that names it.
    """

    def __init__(self) -> None:
        self._reader = ReaderApart()
        self._system = SystemLibraries(self._reader.read_file)
        self._sent: set[str] = set()

    def __enter__(self) -> "ElfReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.__exit__(kind, error, trace)

    def read(self, prefix: Path, place: str | None) -> tuple[tuple[AttributeValue, ...], HostImage | None]:
        """A finding for each ELF file that the loader may read, and the system's libraries that they need.

        `place` is the prefix's own path, if known: files that lie elsewhere are not at home, and where they
        are says nothing of the machine that they are for. Of a file that cannot be read the finding is a
        text that says why.
        """
        is_at_home = place is not None and os.path.realpath(place) == os.path.realpath(prefix)
        found = read_files(str(prefix), self._reader.read_file, self._system if is_at_home else None)
        findings = tuple(
            AttributeValue(
                ANALYZER,
                escaped(f"{place or prefix}{one.path[len(str(prefix)) :]}"),
                value=one.fault,
                binary_value=one.content,
            )
            for one in found.files
        )
        if found.host is None:
            return findings, None
        libraries = tuple(
            HostLibrary(escaped(one.path), one.name, one.sha256, self._once(one.sha256, one.content))
            for one in found.libraries
        )
        return findings, HostImage(*found.host, libraries)

    def _once(self, sha256: str, content: bytes) -> bytes | None:
        if sha256 in self._sent:
            return None
        self._sent.add(sha256)
        return content
