"""Whatever lies at some paths, as reports one after the other; what cannot be read is named in its place."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from spackmon.client.transport import ATTEMPTS, TIMEOUT_SECONDS, Transport, refusal
from spackmon.errors import Refused
from spackmon.formats.specs.buildcache import read_buildcache
from spackmon.formats.tree_walk import Readable, read_tree
from spackmon.submission import InstallReport, Submission

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
# What stores of objects answer about one that is not there, to who may not list them.
_ABSENT = frozenset({403, 404, 410})


Named = tuple[str, Submission]
"""A report, after the place where it lies."""


@dataclass(frozen=True, slots=True)
class Read:
    """A report that lies at `place`, or why there is none; `is_last` of what `size_bytes` of files give."""

    place: str
    report: Submission | Refused | None
    size_bytes: int
    is_last: bool


def read_paths(
    paths: Iterable[str], spack_version: str | None = None, tags: tuple[str, ...] = ()
) -> Iterator[Read]:
    """The reports in files, directory trees, archives and at addresses of buildcaches; builds get `tags`.

    `spack_version` is that of documents which do not say it themselves.
    """
    for path in paths:
        for readable in _readables(path, spack_version):
            try:
                for report in readable.read():
                    yield Read(readable.place, _tagged(report, tags), 0, is_last=False)
            except Refused as refused:
                yield Read(readable.place, refused, 0, is_last=False)
            yield Read(readable.place, None, readable.size_bytes, is_last=True)


def is_address(path: str) -> bool:
    """Whether this is no path, but the address of a buildcache."""
    return _ADDRESS.match(path) is not None


def _readables(path: str, spack_version: str | None) -> Iterator[Readable]:
    if is_address(path):
        yield Readable(path, 0, partial(_at_address, path, spack_version))
    else:
        yield from read_tree(Path(path), spack_version)


def _at_address(address: str, spack_version: str | None) -> Iterator[Submission]:
    """The specs in the index of a buildcache that a web server gives out, and what it lists."""
    transport = Transport(address, None, None, TIMEOUT_SECONDS, ATTEMPTS)

    def fetch(path: str) -> bytes:
        answer = transport.request("GET", f"/{path}")
        if answer.status in _ABSENT:
            raise FileNotFoundError(path)
        if answer.status != 200:
            raise refusal(answer)
        return answer.body

    return iter(read_buildcache(fetch, spack_version=spack_version, name=_without_password(address)))


def _without_password(address: str) -> str:
    """What a buildcache is known by: neither who reads it, nor a slash at its end."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/")


def _tagged(report: Submission, tags: tuple[str, ...]) -> Submission:
    if not tags or not isinstance(report, InstallReport):
        return report
    return replace(report, tags=tuple(dict.fromkeys((*report.tags, *tags))))
