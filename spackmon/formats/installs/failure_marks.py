"""The marks in `.spack-db/failures` of an install tree: what could not be installed, a file for each package.

A file `<name>-<hash>` holds the spec, and nothing of the run; it is written when the package fails, for all
that depends on it as well, and is gone when the package is to be installed again. Which of them was built
the specs tell: what depends on another mark was never begun. Source: `spack.database` in Spack 0.16 to 1.2.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spackmon.errors import Code, Refused
from spackmon.formats.bytes.damage import Damage
from spackmon.formats.bytes.fields import short_key
from spackmon.formats.bytes.folder import Folder, json_object
from spackmon.formats.installs.directory_names import named_build
from spackmon.formats.moments import end_of_run
from spackmon.formats.specs import spec_json
from spackmon.graph.spec import SpecGraph
from spackmon.status import BuildStatus, SourceKind
from spackmon.submission import InstallReport, Source

DIRECTORY = "failures"

_KEY_PATH_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class _Mark:
    file_name: str
    graph: SpecGraph | None
    written_at_seconds: float | None


def read_failure_marks(directory: Path, tree: str | None) -> Iterator[InstallReport]:
    """What failed, and what was given up for it (CANCELLED), of the install tree at the path `tree`.

    `tree` is None where that is not known, as of an archive. Raises Refused FILE_DAMAGED after the reports,
    naming the marks whose spec cannot be read; of these the file's name tells the package and the hash.
    """
    files = Folder(directory)
    damage = Damage()
    marks = [
        _Mark(name, damage.attempt(_graph, files, name), files.modified_at_seconds(name))
        for name in sorted(files.names)
    ]
    failed = {mark.graph.root for mark in marks if mark.graph is not None}
    for mark in marks:
        report = _report(mark, failed, tree or "")
        if report is not None:
            yield report
    damage.settle()


def _report(mark: _Mark, failed: set[str], tree: str) -> InstallReport | None:
    named = named_build(mark.file_name) if mark.graph is None else None
    identity = mark.graph.root if mark.graph is not None else named.spec_hash if named else None
    if identity is None:
        return None
    below = set() if mark.graph is None else mark.graph.nodes.keys() - {identity}
    written_at = mark.written_at_seconds or 0.0
    return InstallReport(
        # Another failure of the same package overwrites its mark.
        source=Source(
            SourceKind.FAILURE_MARKER,
            short_key(f"{tree[-_KEY_PATH_CHARACTERS:]}#{identity}@{written_at:.0f}"),
        ),
        graph=mark.graph,
        spec_hash=named.spec_hash if named else None,
        package_name=named.package_name if named else None,
        status=BuildStatus.FAILED if below.isdisjoint(failed) else BuildStatus.CANCELLED,
        finished_at=end_of_run([written_at], None),
    )


def _graph(files: Folder, name: str) -> SpecGraph:
    try:
        return spec_json.read(json_object(files.read(name) or b"", name))
    except Refused as refused:
        sentence = refused.sentence if refused.sentence.startswith(name) else f"{name}: {refused.sentence}"
        raise Refused(Code.FILE_DAMAGED, sentence) from None
