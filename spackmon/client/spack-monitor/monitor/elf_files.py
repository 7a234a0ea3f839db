"""Programs and libraries of installed specs, as the loader reads them, and what they need of the system."""

import base64
from typing import Any, Dict, List, Optional, Set

try:
    from .reader.apart import ReaderApart
except ImportError:  # Windows, whose programs are no ELF files, cannot limit a process as it is done there.
    ReaderApart = None  # type: ignore[assignment,misc]
from .reader.packed import ANALYZER
from .reader.prefix import read_files
from .reader.system import Host, HostLibrary, SystemLibraries


class ElfFiles:
    """Reads prefixes one after the other; to be used in a `with` statement.

    A library of the system is read once, and sent with the first report that names it.
    """

    def __init__(self) -> None:
        self._reader = ReaderApart() if ReaderApart is not None else None
        self._system = SystemLibraries(self._reader.read_file) if self._reader is not None else None
        self._sent: Set[str] = set()

    def __enter__(self) -> "ElfFiles":
        return self

    def __exit__(self, *error: Any) -> None:
        if self._reader is not None:
            self._reader.__exit__(*error)

    def fields(self, prefix: str) -> Dict[str, Any]:
        """`attributes` and `host` of a report."""
        if self._reader is None:
            return {}
        found = read_files(prefix, self._reader.read_file, self._system)
        fields: Dict[str, Any] = {
            "attributes": {ANALYZER: [_finding(one.path, one.content, one.fault) for one in found.files]}
        }
        if found.host is not None:
            fields["host"] = self._host(found.host, found.libraries)
        return fields

    def _host(self, host: Host, libraries: List[HostLibrary]) -> Dict[str, Any]:
        described: Dict[str, Any] = dict(host._asdict())
        described["libraries"] = [self._library(one) for one in libraries]
        return described

    def _library(self, library: HostLibrary) -> Dict[str, Any]:
        described: Dict[str, Any] = {"path": library.path, "sha256": library.sha256}
        if library.name is not None:
            described["name"] = library.name
        if library.sha256 not in self._sent:
            self._sent.add(library.sha256)
            described["elf_base64"] = _base64(library.content)
        return described


def _finding(path: str, content: Optional[bytes], fault: Optional[str]) -> Dict[str, Any]:
    finding: Dict[str, Any] = {"name": ANALYZER, "install_file": path}
    if content is None:
        finding["value"] = fault
    else:
        finding["binary_base64"] = _base64(content)
    return finding


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
