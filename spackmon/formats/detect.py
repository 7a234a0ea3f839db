"""Any document that Spack writes or prints, recognized by its content: names change, extensions lie.

An abstract spec (`concrete: false`, versions instead of a version, open parts of the architecture) is a
question, not a spec: nothing was built of it and it has no identity to store. It is a concretization
failure where that is said: in a body of specs/new, which clients send when the solver gave up, or by the hash
FAILED_CONCRETIZATION. A file that merely holds one is answered with SPEC_ABSTRACT.
"""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from spackmon.errors import Code, Refused
from spackmon.formats import ms1
from spackmon.formats.bills import is_bill, read_bill
from spackmon.formats.bytes.compression import MAXIMUM_DOCUMENT_BYTES, unpacked
from spackmon.formats.bytes.damage import Damage
from spackmon.formats.bytes.text_documents import (
    Value,
    is_yaml,
    json_lines,
    json_values,
    unsigned,
    yaml_values,
)
from spackmon.formats.reports import report_json
from spackmon.formats.reports.cdash import read_cdash
from spackmon.formats.reports.junit import read_junit
from spackmon.formats.specs import spec_json
from spackmon.formats.specs.buildcache import is_manifest
from spackmon.formats.specs.find_output import is_find_output, read_find_output
from spackmon.formats.specs.install_database import is_install_database, read_install_database
from spackmon.formats.specs.known_nodes import KnownNodes
from spackmon.formats.specs.lock_file import environment_name, is_lock_file, read_lock_file
from spackmon.submission import ConcretizationFailureReport, SpecReport, Submission

_BEFORE_ELEMENTS = re.compile(rb"(?:\s|<\?.*?\?>|<!--.*?-->|<![^>\[]*(?:\[[^\]]*\])?[^>]*>)*+", re.DOTALL)
_OUTERMOST_ELEMENT = re.compile(rb"<([A-Za-z][\w.-]*)")
_XML_HEAD_BYTES = 1 << 16
_JUNIT_ELEMENTS = frozenset({b"testsuites", b"testsuite"})
_CDASH_ELEMENTS = frozenset({b"Site", b"Update", b"Done", b"Project"})
_EXPECTED = (
    "a spec, a lock file, an install database, a buildcache's index, a CDash, a JUnit, an SPDX or a "
    "CycloneDX document was expected"
)

_Read = Callable[[Any], Iterator[Submission]]
_SpecOrFailure = SpecReport | ConcretizationFailureReport


def read_document(
    name: str,
    data: bytes,
    spack_version: str | None,
    *,
    maximum_bytes: int = MAXIMUM_DOCUMENT_BYTES,
    known: KnownNodes | None = None,
    place: str = "",
) -> Iterator[Submission]:
    """What a document reports, one by one; `name` is what sentences call it, `place` where it lies.

    It may be compressed (gzip, zstd, bzip2, xz; `maximum_bytes` when unpacked) and signed. `spack_version`
    is what made it, where it does not say so itself; `known` as in `spec_json.read`. Raises Refused, after
    everything that could be read: DOCUMENT_UNKNOWN, DOCUMENT_DAMAGED, DOCUMENT_INCOMPLETE,
    DOCUMENT_TOO_LARGE, SPEC_ABSTRACT, SPEC_MALFORMED, SPACK_VERSION_MISSING, and what the readers of XML
    refuse with.
    """
    known = KnownNodes() if known is None else known
    read = partial(_read, spack_version=spack_version, known=known, place=place)
    try:
        content, damage = unpacked(data, maximum_bytes)
        if damage is None:
            yield from _submissions(unsigned(content), read)
        else:
            # What was cut off may be a file of many lines, all but the last of them whole.
            yield from _settled(json_lines(content), read)
            raise damage
    except Refused as refused:
        raise Refused(refused.code, f"{name}: {refused.sentence}") from None


def _submissions(data: bytes, read: _Read) -> Iterator[Submission]:
    beginning = data[:_XML_HEAD_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
    if beginning.startswith(b"<"):
        return _xml(data)
    if beginning.startswith((b"{", b"[")):
        return _settled(json_values(data), read)
    if is_yaml(data):
        return _settled(yaml_values(data), read)
    raise _unknown("it is empty" if not beginning else "it is neither JSON nor XML nor a spec in YAML")


def _xml(data: bytes) -> Iterator[Submission]:
    beginning = data[:_XML_HEAD_BYTES].removeprefix(b"\xef\xbb\xbf")
    before = _BEFORE_ELEMENTS.match(beginning)
    outermost = _OUTERMOST_ELEMENT.match(beginning, before.end() if before else 0)
    element = None if outermost is None else outermost[1]
    if element in _JUNIT_ELEMENTS:
        yield from read_junit(data)
    elif element in _CDASH_ELEMENTS:
        report = read_cdash(data)
        if report is not None:
            yield report
    else:
        raise _unknown("its outermost element is of neither CDash nor JUnit")


def _settled(values: Iterator[Value], read: _Read) -> Iterator[Submission]:
    """The reports of all values; of several lines, those that are no good are named at the end."""
    damage = Damage()
    for value in values:
        if value.line is None:
            yield from read(value.content)
            continue
        try:
            if value.problem is not None:
                raise value.problem
            yield from read(value.content)
        except Refused as refused:
            damage.add(f"line {value.line}: {refused.sentence}")
    damage.settle()


def _read(content: Any, spack_version: str | None, known: KnownNodes, place: str) -> Iterator[Submission]:
    if report_json.is_report(content):
        return report_json.read(content, known)
    if is_bill(content):
        return iter([read_bill(content, place)])
    if is_lock_file(content):
        return read_lock_file(content, spack_version, environment_name(place))
    if is_install_database(content):
        return read_install_database(content, spack_version)
    if is_find_output(content):
        return read_find_output(content, spack_version)
    if isinstance(content, list) or (isinstance(content, dict) and ("spec" in content or "nodes" in content)):
        return _specs(content, spack_version, known)
    if is_manifest(content) or (isinstance(content, dict) and "signing" in content):
        raise Refused(
            Code.DOCUMENT_UNKNOWN,
            "it only names files of a buildcache: the directory that holds v3 and blobs was expected",
        )
    raise _unknown("it is JSON of another kind")


def _specs(
    content: Any, spack_version: str | None, known: KnownNodes
) -> Iterator[SpecReport | ConcretizationFailureReport]:
    """The one spec of a document; then, of a format that is newer, a sentence that it is."""
    damage = Damage()
    newer = spec_json.newer_version(content)
    try:
        yield _spec(content, spack_version, known)
    except Refused as refused:
        if newer is None:
            raise
        raise Refused(refused.code, f"{newer}: {refused.sentence}") from None
    if newer is not None:
        damage.newer.append(newer)
    damage.settle()


def _spec(
    content: Any, spack_version: str | None, known: KnownNodes
) -> SpecReport | ConcretizationFailureReport:
    if isinstance(content, dict) and "spack_version" in content and "spec" in content:
        return ms1.read_spec(content, known)
    if not spec_json.is_abstract(content):
        return SpecReport(graph=spec_json.read(content, known), spack_version=spack_version)
    if not _says_failed(content):
        sentence = "it is abstract, and does not say that it could not be concretized: a spec was expected"
        raise Refused(Code.SPEC_ABSTRACT, sentence)
    if spack_version is None:
        raise Refused(Code.SPACK_VERSION_MISSING, "this was not concretized: say by which Spack")
    return spec_json.read_failure(content, spack_version)


def _says_failed(abstract: Any) -> bool:
    while isinstance(abstract, dict) and "nodes" not in abstract:
        abstract = abstract["spec"]
    root = (abstract if isinstance(abstract, list) else abstract["nodes"])[0]
    return bool(root.get("full_hash") == "FAILED_CONCRETIZATION")


def _unknown(problem: str) -> Refused:
    return Refused(Code.DOCUMENT_UNKNOWN, f"{problem}: {_EXPECTED}")
