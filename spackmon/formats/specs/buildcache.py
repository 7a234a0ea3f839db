"""The specs of a buildcache, layouts 2 and 3, read through a function that fetches a file by its path.

Layout 3 (since Spack 1.0) has manifests below v3/manifests, each naming the blobs of a spec or of the index
by the SHA-256 of what is stored; layout 2 has build_cache/index.json and, for each spec, a file that may be
signed. Signatures are not checked: nothing from here is run. A binary in a cache says nothing about a
build of it, so that there are only specs. Source: `spack.url_buildcache` in Spack 1.2.
"""

import hashlib
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from spackmon.errors import Code, Refused
from spackmon.formats.bytes.compression import unpacked
from spackmon.formats.bytes.damage import Damage
from spackmon.formats.bytes.fields import FieldUnfit, list_of, object_of
from spackmon.formats.bytes.text_documents import is_yaml, json_value, unsigned, yaml_values
from spackmon.formats.specs import spec_json
from spackmon.formats.specs.buildcache_contents import BuildcacheContents
from spackmon.formats.specs.install_database import is_install_database, read_install_database
from spackmon.formats.specs.known_nodes import KnownNodes
from spackmon.submission import BuildcacheReport, InstallReport, SpecReport

Fetch = Callable[[str], bytes]
"""The content of a file of the buildcache, by its path with slashes; FileNotFoundError if there is none."""

INDEX_PATHS = {3: "v3/manifests/index/index.manifest.json", 2: "build_cache/index.json"}
"""Where the index lies, by the version of the layout."""

FIRST_WHOLE_FORMAT = 3
"""Since this format a node in an index has all its dependencies: its hash covers them."""

_MANIFEST = re.compile(r"v3/manifests/spec/(?:[^/]+/)*[^/]+\.spec\.manifest\.json")
_SPEC = re.compile(r"build_cache/[^/]+\.spec\.(?:json|json\.sig|yaml)")
_HASH_IN_NAME = re.compile(r"-([a-z0-9]{32})\.spec\.")
_CHECKSUM = re.compile(r"[0-9a-f]{64}")
_INDEX_MEDIA = re.compile(r"application/vnd\.spack\.db\.v[0-9]+\+json")
_SPEC_MEDIA = re.compile(r"application/vnd\.spack\.spec\.v[0-9]+\+json")
_ARCHIVE_MEDIA = re.compile(r"application/vnd\.spack\.install\.v[0-9]+\.tar\+gzip")


class _Blob(NamedTuple):
    checksum: str
    is_compressed: bool

    @property
    def path(self) -> str:
        return f"blobs/sha256/{self.checksum[:2]}/{self.checksum}"


def is_spec_path(path: str) -> bool:
    """Whether a file of a buildcache, by its path inside, is one that `read_buildcache` reads a spec from."""
    return _MANIFEST.fullmatch(path) is not None or _SPEC.fullmatch(path) is not None


def is_manifest(document: object) -> bool:
    """Whether a parsed document is a manifest of layout 3."""
    return isinstance(document, dict) and isinstance(document.get("data"), list) and "version" in document


def read_buildcache(
    fetch: Fetch,
    paths: Iterable[str] | None = None,
    spack_version: str | None = None,
    name: str | None = None,
) -> Iterator[SpecReport | BuildcacheReport]:
    """The specs of the index, then of those files of `paths` that are not in it, then all that the cache has.

    `paths` are all its files, None where they cannot be listed. An index is only as new as its last update;
    where there is none, they are all there is. Without its `name` the cache itself is not reported. What
    `fetch` raises beside FileNotFoundError goes through. Raises Refused BUILDCACHE_EMPTY, and
    DOCUMENT_INCOMPLETE after all others for files that cannot be read.
    """
    read_at = datetime.now(UTC)
    damage = Damage()
    listed = None if paths is None else list(paths)
    contents = BuildcacheContents(listed)
    indexed: set[str] = set()
    for report in _read_indexes(fetch, spack_version, contents, damage):
        # Before Spack 0.18 an index leaves build dependencies out, which the spec's own file has.
        if report.graph.format_version >= FIRST_WHOLE_FORMAT:
            indexed.update(report.graph.nodes)
        yield report
    of_specs = [path for path in listed or () if is_spec_path(path)]
    if not contents.found_index and not of_specs:
        sentence = f"neither {' nor '.join(INDEX_PATHS.values())} is there, nor a file of a spec"
        raise Refused(Code.BUILDCACHE_EMPTY, sentence)
    known = KnownNodes()
    for path in of_specs:
        named = _HASH_IN_NAME.search(posixpath.basename(path))
        spec = None
        if named is None or named[1] not in indexed:
            for spec in _read_spec(fetch, path, spack_version, known, damage):
                yield spec
        if name is not None:
            _note(contents, fetch, path, None if named is None else named[1], spec)
    if name is not None and contents.is_known:
        yield BuildcacheReport(name, read_at, listed is not None, tuple(contents.entries()))
    damage.settle()


def _read_indexes(
    fetch: Fetch, spack_version: str | None, contents: BuildcacheContents, damage: Damage
) -> Iterator[SpecReport]:
    for layout, path in INDEX_PATHS.items():
        try:
            index = _index(fetch, path, spack_version, partial(contents.add_index, layout))
            yield from _attempt(index, path, damage)
            contents.found_index = True
        except FileNotFoundError:
            continue


def _read_spec(
    fetch: Fetch, path: str, spack_version: str | None, known: KnownNodes, damage: Damage
) -> Iterator[SpecReport]:
    try:
        yield from _attempt(_spec(fetch, path, spack_version, known), path, damage)
    except FileNotFoundError:
        damage.add(f"{path}: it is not there")


def _note(
    contents: BuildcacheContents, fetch: Fetch, path: str, named: str | None, spec: SpecReport | None
) -> None:
    """Note the file of a spec, which may have been read."""
    stated = None if spec is None else spec.graph.root
    key = named or stated
    if key is None:
        return
    if spec is not None and key in {value for _, value in spec.graph.nodes[spec.graph.root].hashes}:
        stated = None
    if _MANIFEST.fullmatch(path) is None:
        contents.add_file(2, key, blobs=None, stated=stated)
    else:
        contents.add_file(3, key, blobs=_blobs_of_spec(fetch, path), stated=stated)


def _blobs_of_spec(fetch: Fetch, path: str) -> tuple[str, str] | None:
    """Where the spec and the archive of a manifest lie; None if it cannot be read."""
    with suppress(Refused, FileNotFoundError):
        manifest = json_value(unsigned(_plain(fetch(path))))
        if is_manifest(manifest):
            return _blob(manifest, _SPEC_MEDIA).path, _blob(manifest, _ARCHIVE_MEDIA).path
    return None


def _attempt(reports: Iterator[SpecReport], path: str, damage: Damage) -> Iterator[SpecReport]:
    try:
        yield from reports
    except Refused as refused:
        if refused.code == Code.DOCUMENT_NEWER:
            damage.newer.append(f"{path}: {refused.sentence}")
        else:
            damage.add(f"{path}: {refused.sentence}")


def _index(
    fetch: Fetch, path: str, spack_version: str | None, note: Callable[[Any], None]
) -> Iterator[SpecReport]:
    document = json_value(unsigned(_plain(fetch(path))))
    if is_manifest(document):
        document = json_value(_content(fetch, _blob(document, _INDEX_MEDIA)))
    if not is_install_database(document):
        raise _damaged('an index, an object with the key "database", was expected')
    note(document["database"].get("installs"))
    for report in read_install_database(document, spack_version):
        # Rows that claim to be installs would be somebody's install database under a wrong name.
        if isinstance(report, InstallReport):
            raise _damaged("it is an install database, and no index of a buildcache")
        yield report


def _spec(fetch: Fetch, path: str, spack_version: str | None, known: KnownNodes) -> Iterator[SpecReport]:
    data = unsigned(_plain(fetch(path)))
    if is_yaml(data):
        documents = [value.content for value in yaml_values(data)]
    else:
        document = json_value(data)
        if is_manifest(document):
            document = json_value(unsigned(_content(fetch, _blob(document, _SPEC_MEDIA))))
        documents = [document]
    for document in documents:
        yield SpecReport(graph=spec_json.read(document, known), spack_version=spack_version)


def _blob(manifest: Any, media: re.Pattern[str]) -> _Blob:
    try:
        for position, element in enumerate(list_of(manifest["data"], "data")):
            entry = object_of(element, f"data.{position}")
            kind = entry.get("mediaType")
            if isinstance(kind, str) and media.fullmatch(kind):
                return _described(entry, f"data.{position}")
    except FieldUnfit as unfit:
        raise _damaged(unfit.sentence) from None
    raise _damaged("it names no spec nor index among its blobs")


def _described(entry: dict[str, Any], place: str) -> _Blob:
    if entry.get("checksumAlgorithm") != "sha256":
        raise FieldUnfit(f"{place}.checksumAlgorithm must be sha256")
    checksum, compression = entry.get("checksum"), entry.get("compression")
    if not isinstance(checksum, str) or not _CHECKSUM.fullmatch(checksum):
        raise FieldUnfit(f"{place}.checksum must be 64 hexadecimal digits")
    if compression not in ("gzip", "none"):
        raise FieldUnfit(f"{place}.compression must be gzip or none")
    return _Blob(checksum, compression == "gzip")


def _content(fetch: Fetch, blob: _Blob) -> bytes:
    try:
        stored = fetch(blob.path)
    except FileNotFoundError:
        raise _damaged(f"its blob {blob.path} is not there") from None
    if hashlib.sha256(stored).hexdigest() != blob.checksum:
        raise _damaged(f"its blob {blob.path} has another SHA-256 than its name says")
    return _plain(stored) if blob.is_compressed else stored


def _plain(data: bytes) -> bytes:
    content, damage = unpacked(data)
    if damage is not None:
        raise damage
    return content


def _damaged(problem: str) -> Refused:
    return Refused(Code.DOCUMENT_DAMAGED, problem)
