"""`spackmon sbom`: what this program is made of as it is installed here, as CycloneDX 1.6.

That is the packages of Python that it requires, with the extras that are installed, and the packages of npm
in its pages' scripts, of which `make install` noted the versions and licences.
"""

import json
from collections import deque
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_LIBRARIES = Path(__file__).parents[1] / "web" / "static" / "built" / "libraries.json"
# What only its own tests need is not shipped.
_NOT_SHIPPED = {"test"}
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class _Library:
    """Its package URL, name, version, its licence as it says itself, and the URLs of what it requires."""

    purl: str
    name: str
    version: str
    licence: str | None
    requires: tuple[str, ...] = ()


def sbom() -> None:
    """Print the bill of materials of this program: what is installed for it, with versions and licences."""
    print(json.dumps(_bill(), indent=2))


def _bill() -> dict[str, Any]:
    own, *required = _of_python()
    bundled = _of_scripts()
    # A library of which the scripts have two versions is in the bill twice.
    components = sorted([*required, *bundled], key=lambda library: library.purl)
    depends_on = {library.purl: library.requires for library in components}
    depends_on[own.purl] = (*own.requires, *(library.purl for library in bundled))
    text = json.dumps([[library.purl, library.licence] for library in components])
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        # No time: what is the same has the same bill.
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, own.purl + text)}",
        "version": 1,
        "metadata": {"component": {**_component(own), "type": "application"}},
        "components": [_component(library) for library in components],
        "dependencies": [
            {"ref": purl, "dependsOn": sorted(set(others))} for purl, others in sorted(depends_on.items())
        ],
    }


def _component(library: _Library) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": library.purl,
        "name": library.name,
        "version": library.version,
        "purl": library.purl,
        "licenses": _licences(library.licence),
    }


def _licences(licence: str | None) -> list[dict[str, Any]]:
    if licence is None:
        return []
    try:
        return [{"expression": canonicalize_license_expression(licence)}]
    except InvalidLicenseExpression:
        return [{"license": {"name": licence}}]


def _of_python() -> list[_Library]:
    """This program and all that it requires, it first."""
    pending: deque[tuple[Distribution, str]] = deque([(distribution("spackmon"), "")])
    own_extras = set(distribution("spackmon").metadata.get_all("Provides-Extra") or ()) - _NOT_SHIPPED
    pending.extend((distribution("spackmon"), extra) for extra in sorted(own_extras))
    seen = {(canonicalize_name(package.name), extra) for package, extra in pending}
    packages: dict[str, Distribution] = {}
    requires: dict[str, set[str]] = {}
    while pending:
        package, extra = pending.popleft()
        packages.setdefault(_purl(package), package)
        needed = requires.setdefault(_purl(package), set())
        for requirement, required in _installed(package, extra):
            needed.add(_purl(required))
            for name in {"", *requirement.extras}:
                if (key := (canonicalize_name(required.name), name)) not in seen:
                    seen.add(key)
                    pending.append((required, name))
    return [
        _Library(
            purl, package.name, package.version, _stated(package), tuple(sorted(requires[purl] - {purl}))
        )
        for purl, package in packages.items()
    ]


def _installed(package: Distribution, extra: str) -> list[tuple[Requirement, Distribution]]:
    """What a package requires with this extra; what is not here was not asked for."""
    found = []
    for requirement in map(Requirement, package.requires or ()):
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            try:
                found.append((requirement, distribution(requirement.name)))
            except PackageNotFoundError:
                continue
    return found


def _purl(package: Distribution) -> str:
    return f"pkg:pypi/{canonicalize_name(package.name)}@{quote(package.version)}"


def _stated(package: Distribution) -> str | None:
    """The licence of a package: its expression, else a short name that it gives, else its classifiers."""

    def stated(field: str) -> list[str]:
        return package.metadata.get_all(field) or []

    for expression in stated("License-Expression"):
        return expression
    name = "".join(stated("License")).strip()
    # Some put the whole text there.
    if name and "\n" not in name and len(name) <= _LONGEST_NAME:
        return name
    classes = [one.rpartition(" :: ")[2] for one in stated("Classifier") if one.startswith("License ::")]
    return ", ".join(classes) or None


def _of_scripts() -> list[_Library]:
    """What is in the scripts of the pages; nothing where they were not built."""
    if not _LIBRARIES.is_file():
        return []
    return [
        _Library(
            f"pkg:npm/{quote(one['name'])}@{quote(one['version'])}",
            one["name"],
            one["version"],
            one["license"],
        )
        for one in json.loads(_LIBRARIES.read_bytes())
    ]
