"""Whatever lies at some paths, as reports one after the other; what cannot be read is named in its place."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from spackmon.errors import Refused
from spackmon.formats.submission import InstallReport, Submission
from spackmon.formats.tree_walk import read_tree


@dataclass(frozen=True, slots=True)
class Read:
    """A report that lies at `place`, or why there is none; `is_last` of what `size_bytes` of files give."""

    place: str
    report: Submission | Refused | None
    size_bytes: int
    is_last: bool


def read_paths(
    paths: Iterable[Path], spack_version: str | None = None, tags: tuple[str, ...] = ()
) -> Iterator[Read]:
    """The reports in files, directory trees and archives; every build of them gets `tags`.

    `spack_version` is that of documents which do not say it themselves.
    """
    for path in paths:
        for found in read_tree(path, spack_version):
            try:
                for report in found.read():
                    yield Read(found.place, _tagged(report, tags), 0, is_last=False)
            except Refused as refused:
                yield Read(found.place, refused, 0, is_last=False)
            yield Read(found.place, None, found.size_bytes, is_last=True)


def _tagged(report: Submission, tags: tuple[str, ...]) -> Submission:
    if not tags or not isinstance(report, InstallReport):
        return report
    return replace(report, tags=tuple(dict.fromkeys((*report.tags, *tags))))
