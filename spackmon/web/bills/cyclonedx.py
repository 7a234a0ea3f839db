"""CycloneDX 1.6 as JSON (https://cyclonedx.org/docs/1.6/json/)."""

from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from spackmon.web.bills.materials import Bill, Component


def cyclonedx(bill: Bill, version: str) -> dict[str, Any]:
    """The document; `version` is that of spackmon.

    The format has dependencies of one kind: what only builds need is `excluded` from what runs.
    """
    children: dict[str, list[str]] = {component.hash: [] for component in bill.components}
    for edge in bill.edges:
        children[edge.parent].append(edge.child)
    running = bill.runs_with()
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, f'{bill.address}#{bill.created_at.timestamp()}')}",
        "version": 1,
        "metadata": {
            "timestamp": bill.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "tools": {"components": [{"type": "application", "name": "spackmon", "version": version}]},
            "component": {
                "type": "application",
                "bom-ref": bill.address,
                "name": bill.title,
                "properties": [{"name": "spack:hash", "value": root} for root in bill.roots],
            },
            "properties": _properties(bill.properties),
        },
        "components": [
            _component(component, is_needed=component.hash in running) for component in bill.components
        ],
        "dependencies": [
            {"ref": bill.address, "dependsOn": sorted(bill.roots)},
            *({"ref": parent, "dependsOn": sorted(needed)} for parent, needed in children.items()),
        ],
    }


def _component(component: Component, *, is_needed: bool) -> dict[str, Any]:
    said = {
        "spack:hash": component.hash,
        "spack:namespace": component.namespace,
        "spack:external": component.external_path,
    }
    return {
        "type": "library",
        "bom-ref": component.hash,
        "name": component.name,
        "version": component.version,
        "purl": component.purl,
        "scope": "required" if is_needed else "excluded",
        "properties": _properties({name: value for name, value in said.items() if value}),
    }


def _properties(properties: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in properties.items()]
