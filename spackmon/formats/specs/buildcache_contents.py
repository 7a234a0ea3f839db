"""What a buildcache has beside what its index says, gathered while its specs are read."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from spackmon.submission import BuildcacheEntry

_HASH = re.compile("[a-z0-9]{32}")
_ARCHIVE = re.compile(r"build_cache/(?:[^/]+/)*[^/]+-([a-z0-9]{32})\.spack")


class BuildcacheContents:
    """The entries of a buildcache; `paths` are all its files, None where they cannot be listed.

    `found_index` says whether there was a file of an index, readable or not.
    """

    def __init__(self, paths: Iterable[str] | None) -> None:
        self.paths = None if paths is None else frozenset(paths)
        self.found_index = False
        self._indexed: dict[int, set[str]] = {}
        self._files: dict[tuple[int, str], BuildcacheEntry] = {}
        found = (_ARCHIVE.fullmatch(path) for path in self.paths or ())
        self._archives = {match[1] for match in found if match is not None}

    @property
    def is_known(self) -> bool:
        """Whether its index or its files could be read: otherwise nobody knows what it has."""
        return bool(self._indexed) or self.paths is not None

    def add_index(self, layout: int, rows: Any) -> None:
        """Note the rows of an index, those of specs that are only needed by others apart."""
        if not isinstance(rows, dict):
            return
        fields = {key: row for key, row in rows.items() if isinstance(row, dict) and "in_buildcache" in row}
        # One that never says so is somebody's install database under a wrong name.
        if fields or not rows:
            listed = {key for key, row in fields.items() if row["in_buildcache"] is True}
            self._indexed.setdefault(layout, set()).update(key for key in listed if _HASH.fullmatch(key))

    def add_file(self, layout: int, named: str, *, blobs: tuple[str, str] | None, stated: str | None) -> None:
        """Note the file of a spec that has `named` in its name, or states it.

        `blobs` are the paths of its spec and its archive in layout 3, None where they cannot be read;
        `stated` is the spec's own hash, if it is another.
        """
        paths = self.paths or frozenset()
        has_spec: bool
        has_archive: bool | None
        if layout == 2:
            has_spec, has_archive = True, named in self._archives
        else:
            has_spec = blobs is not None and blobs[0] in paths
            has_archive = None if blobs is None else blobs[1] in paths
        self._files[layout, named] = BuildcacheEntry(
            layout, named, has_spec_file=has_spec, has_archive=has_archive, stated_hash=stated
        )

    def entries(self) -> Iterator[BuildcacheEntry]:
        """Everything that was noted, by layouts and hashes."""
        keys = {(layout, key) for layout, listed in self._indexed.items() for key in listed}
        keys |= self._files.keys() | {(2, key) for key in self._archives}
        for layout, key in sorted(keys):
            indexed = self._indexed.get(layout)
            in_index = None if indexed is None else key in indexed
            file = self._files.get((layout, key))
            if file is not None:
                yield BuildcacheEntry(
                    layout, key, in_index, file.has_spec_file, file.has_archive, file.stated_hash
                )
            elif self.paths is None:
                yield BuildcacheEntry(layout, key, in_index)
            else:
                # What belongs to a spec of layout 3 is only named by its manifest.
                has_archive = key in self._archives if layout == 2 else None
                yield BuildcacheEntry(layout, key, in_index, has_spec_file=False, has_archive=has_archive)
