"""Bills of materials that others wrote: SPDX 2.2 and 2.3, CycloneDX 1.4 to 1.6, as JSON.

Neither format has a place for the hash of a spec. It is looked for in what the document describes, wherever
those who write such documents put it, and then in what is said of the document as a whole.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote

from spackmon.errors import Code, Refused
from spackmon.formats.bytes.fields import FieldUnfit, named_fields, storable_json
from spackmon.submission import BillReport

SPDX, CYCLONEDX = "spdx", "cyclonedx"

_VERSIONS = {SPDX: ("SPDX-2.2", "SPDX-2.3"), CYCLONEDX: ("1.4", "1.5", "1.6")}
_DOCUMENT = "SPDXRef-DOCUMENT"
# Of an environment it describes each root.
_MOST_HASHES = 100
_HASH = re.compile(r"(?<![A-Za-z0-9])[a-z2-7]{32}(?![A-Za-z0-9])")
_BUILD = re.compile(r"spackmon:build: (\d{1,18})(?!\d)")
_OF_SPEC = re.compile(r"spack|hash", re.IGNORECASE)


def is_bill(content: object) -> bool:
    """Whether a parsed JSON value says that it is of one of the formats, in whatever version."""
    return isinstance(content, dict) and _analyzer(content) is not None


def read_bill(content: dict[str, Any], place: str = "") -> BillReport:
    """The report of a document that `is_bill`; `place` is where it lies, for one that names no spec itself.

    Raises Refused DOCUMENT_UNKNOWN for another version, BILL_UNNAMED for one that names no spec either, and
    FIELD_INVALID for what cannot be stored.
    """
    hashes = dict.fromkeys(_found_hashes(content) or _HASH.findall(place))
    if not hashes:
        raise Refused(
            Code.BILL_UNNAMED,
            "this bill of materials names no spec: the hash of one was looked for in purls, references, "
            "properties, comments and annotations of what it describes, and in its path",
        )
    return bill_of(content, hashes)


def bill_of(content: dict[str, Any], hashes: Iterable[str]) -> BillReport:
    """The report of a document that `is_bill`, of the specs with these hashes. Refuses as `read_bill`."""
    named = tuple(hashes)
    analyzer = _analyzer(content) or ""
    version = content.get("spdxVersion" if analyzer == SPDX else "specVersion")
    if version not in _VERSIONS[analyzer]:
        expected = ", ".join(_VERSIONS[analyzer])
        raise Refused(Code.DOCUMENT_UNKNOWN, f"its version of {analyzer} is none of {expected}")
    with named_fields():
        if len(named) > _MOST_HASHES:
            raise FieldUnfit(f"spec_hashes must be at most {_MOST_HASHES}: the bill names {len(named):,}")
        document = storable_json(content, "document")
    build = _BUILD.search("\n".join(_of_document(content)))
    return BillReport(analyzer, document, named, int(build[1]) if build else None)


def _analyzer(content: dict[str, Any]) -> str | None:
    if isinstance(content.get("spdxVersion"), str):
        return SPDX
    return CYCLONEDX if content.get("bomFormat") == "CycloneDX" else None


def _found_hashes(content: dict[str, Any]) -> list[str]:
    described = _spdx_roots(content) if _analyzer(content) == SPDX else _cyclonedx_roots(content)
    of_roots = [hash_ for root in described for text in _of_element(root) for hash_ in _hashes(text)]
    return of_roots or [hash_ for text in _of_document(content) for hash_ in _hashes(text)]


def _hashes(text: str) -> list[str]:
    return _HASH.findall(unquote(text))


def _spdx_roots(content: dict[str, Any]) -> list[dict[str, Any]]:
    packages = list(_objects(content.get("packages")))
    listed = content.get("documentDescribes")
    described = {one for one in listed if isinstance(one, str)} if isinstance(listed, list) else set()
    for one in _objects(content.get("relationships")):
        ends = one.get("spdxElementId"), one.get("relatedSpdxElement")
        kind = one.get("relationshipType")
        if kind == "DESCRIBES" and ends[0] == _DOCUMENT and isinstance(ends[1], str):
            described.add(ends[1])
        elif kind == "DESCRIBED_BY" and ends[1] == _DOCUMENT and isinstance(ends[0], str):
            described.add(ends[0])
    if not described and len(packages) == 1:
        return packages
    return [one for one in packages if isinstance(one.get("SPDXID"), str) and one["SPDXID"] in described]


def _cyclonedx_roots(content: dict[str, Any]) -> list[dict[str, Any]]:
    metadata = content.get("metadata")
    root = metadata.get("component") if isinstance(metadata, dict) else None
    if isinstance(root, dict):
        return [root]
    components = list(_objects(content.get("components")))
    return components if len(components) == 1 else []


def _of_element(element: dict[str, Any]) -> Iterator[str]:
    """The texts of a package or a component that may hold the hash of its spec."""
    for name in ("purl", "bom-ref", "SPDXID", "comment", "sourceInfo"):
        yield from _text(element.get(name))
    yield from _beside(element)


def _of_document(content: dict[str, Any]) -> Iterator[str]:
    for name in ("comment", "documentNamespace", "name"):
        yield from _text(content.get(name))
    yield from _beside(content)
    metadata = content.get("metadata")
    if isinstance(metadata, dict):
        yield from _beside(metadata)


def _beside(element: dict[str, Any]) -> Iterator[str]:
    """References, properties and annotations of either format."""
    for one in _objects(element.get("externalRefs")):
        yield from _text(one.get("referenceLocator"))
        yield from _text(one.get("comment"))
    for one in _objects(element.get("externalReferences")):
        yield from _text(one.get("url"))
        yield from _text(one.get("comment"))
    for one in _objects(element.get("annotations")):
        yield from _text(one.get("comment"))
        yield from _text(one.get("text"))
    for one in _objects(element.get("properties")):
        name, value = one.get("name"), one.get("value")
        if isinstance(name, str) and isinstance(value, str) and _OF_SPEC.search(name):
            yield f"{name}: {value}"


def _text(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value


def _objects(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, dict))
