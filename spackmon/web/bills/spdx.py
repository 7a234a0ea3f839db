"""SPDX 2.3 as JSON (https://spdx.github.io/spdx-spec/v2.3/)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from spackmon.web.bills.materials import Bill, Component, Edge

_DOCUMENT = "SPDXRef-DOCUMENT"
_UNFIT = re.compile(r"[^A-Za-z0-9.-]")
# What Spack's recipes say of licences and sources is in no spec.
_UNKNOWN = "NOASSERTION"
# Which of two elements the sentence is about: "B is a build dependency of A", but "A depends on B".
_OF = {"build": "BUILD_DEPENDENCY_OF", "run": "RUNTIME_DEPENDENCY_OF", "test": "TEST_DEPENDENCY_OF"}


def spdx(bill: Bill, version: str) -> dict[str, Any]:
    """The document; `version` is that of spackmon."""
    ids = {component.hash: _element(component) for component in bill.components}
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": _DOCUMENT,
        "name": bill.title,
        # Unique for each document, even if what it describes has not changed (section 6.5).
        "documentNamespace": f"{bill.address}/sbom.spdx.json?created={bill.created_at.timestamp():.6f}",
        "comment": "; ".join(f"{name}: {value}" for name, value in bill.properties.items()),
        "creationInfo": {
            "created": bill.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": [f"Tool: spackmon-{version}"],
        },
        "packages": [_package(component, ids[component.hash]) for component in bill.components],
        "relationships": [
            *(_relationship(_DOCUMENT, "DESCRIBES", ids[root]) for root in bill.roots),
            *(one for edge in bill.edges for one in _relationships(edge, ids)),
        ],
    }


def _element(component: Component) -> str:
    return f"SPDXRef-{_UNFIT.sub('-', component.name)}-{_UNFIT.sub('-', component.hash)}"


def _package(component: Component, element: str) -> dict[str, Any]:
    found = component.external_path
    return {
        "SPDXID": element,
        "name": component.name,
        "versionInfo": component.version,
        "downloadLocation": _UNKNOWN,
        "filesAnalyzed": False,
        "licenseConcluded": _UNKNOWN,
        "licenseDeclared": _UNKNOWN,
        "copyrightText": _UNKNOWN,
        "comment": f"spack:hash {component.hash}"
        + (f"; spack:namespace {component.namespace}" if component.namespace else "")
        + (f"; spack:external {found}" if found else ""),
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": component.purl,
            }
        ],
    }


def _relationships(edge: Edge, ids: Mapping[str, str]) -> Iterator[dict[str, str]]:
    for deptype in edge.deptypes:
        if deptype == "link":
            yield _relationship(ids[edge.parent], "DEPENDS_ON", ids[edge.child])
        elif deptype in _OF:
            yield _relationship(ids[edge.child], _OF[deptype], ids[edge.parent])


def _relationship(element: str, kind: str, related: str) -> dict[str, str]:
    return {"spdxElementId": element, "relationshipType": kind, "relatedSpdxElement": related}
