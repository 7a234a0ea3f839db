"""The components of a stored bill of materials, whoever wrote it: what has another shape is left out."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, literal_column

from spackmon.models import Analysis, Attribute
from spackmon.query.meanings.meaning import At
from spackmon.query.sql.json_text import Json, braced, constant
from spackmon.query.sql.values import Given

if TYPE_CHECKING:
    from spackmon.query.meanings.statement import Statement

_LARGEST_BYTES = 8 << 20
_MOST_COMPONENTS = 1_000
_MOST_LICENSES = 100
_ANALYZERS = ("spdx", "cyclonedx")
_UNASSERTED = frozenset({"NOASSERTION", "NONE"})


def stored_bill(at: At, statement: "Statement", arguments: Mapping[str, Given]) -> Json:
    """The facts of `bill_as_listed`, of a result's row."""
    analyzer = at.row.follow(Attribute.analysis_id)[Analysis.analyzer]
    is_bill = and_(
        analyzer.in_([constant(one) for one in _ANALYZERS]),
        at.row[Attribute.size_bytes] <= literal_column(str(_LARGEST_BYTES)),
    )
    document = case((is_bill, at.row[Attribute.json_value]))
    return braced([("document", statement.json.value(document, nullable=True))])


def bill_as_listed(facts: Any, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """The object `BillOfMaterials`; None of a result that is no bill."""
    document = facts["document"]
    if not isinstance(document, dict):
        return None
    is_spdx = "spdxVersion" in document
    if not is_spdx and document.get("bomFormat") != "CycloneDX":
        return None
    listed = [
        one
        for one in (_objects(document.get("packages")) if is_spdx else _components(document))
        if isinstance(one.get("name"), str)
    ]
    read = _spdx if is_spdx else _cyclonedx
    return {
        "componentCount": len(listed),
        "components": [read(one) for one in listed[:_MOST_COMPONENTS]],
    }


def _spdx(package: dict[str, Any]) -> dict[str, Any]:
    purls = (
        one.get("referenceLocator")
        for one in _objects(package.get("externalRefs"))
        if one.get("referenceType") == "purl"
    )
    stated = (package.get(name) for name in ("licenseConcluded", "licenseDeclared"))
    return _component(package, package.get("versionInfo"), stated, next(purls, None))


def _cyclonedx(component: dict[str, Any]) -> dict[str, Any]:
    return _component(component, component.get("version"), _licenses(component), component.get("purl"))


def _component(
    element: dict[str, Any], version: object, licenses: Iterator[object], purl: object
) -> dict[str, Any]:
    asserted = (one for one in licenses if isinstance(one, str) and one not in _UNASSERTED)
    return {
        "name": element["name"],
        "version": version if isinstance(version, str) else None,
        "licenses": list(dict.fromkeys(islice(asserted, _MOST_LICENSES))),
        "purl": purl if isinstance(purl, str) else None,
    }


def _licenses(component: dict[str, Any]) -> Iterator[object]:
    for choice in _objects(component.get("licenses")):
        yield choice.get("expression")
        one = choice.get("license")
        if isinstance(one, dict):
            yield one.get("id") or one.get("name")


def _components(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Components with those within them, in the order of the document."""
    pending = list(_objects(document.get("components")))[::-1]
    while pending:
        component = pending.pop()
        yield component
        pending += list(_objects(component.get("components")))[::-1]


def _objects(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, dict))
