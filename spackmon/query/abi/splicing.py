"""Splices predicted from stored ELF files: of a build, its graph and what replaces a package there."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from spackmon.abi.splice import Prediction, predict
from spackmon.errors import Code, Refused
from spackmon.models import Build
from spackmon.query.abi.installations import Installation, Installed, Site
from spackmon.query.abi.installed import Asked, installed
from spackmon.query.abi.symbolator import by_names, results_of_splice
from spackmon.query.meanings.meaning import At
from spackmon.query.rows.lookups import by_id, present_number, spec_by_hash_or_id
from spackmon.query.sql.json_text import Json
from spackmon.query.sql.values import Given

if TYPE_CHECKING:
    from spackmon.query.meanings.statement import Statement

Arguments = Mapping[str, Any]

BY_NAMES = "SYMBOLATOR"
"""The rule that compares names alone."""


def build_asked(statement: "Statement", arguments: Mapping[str, Given]) -> tuple[Any, Any, tuple[str, Json]]:
    """Of the argument `build`: its id, a select of its spec, and the fact whether it is there."""
    build_id = by_id("Build")({"id": arguments["build"]}, statement).row_id
    spec = select(Build.spec_id.label("id")).where(Build.id == build_id)
    number = select(Build.id).where(Build.id == build_id).scalar_subquery()
    return build_id, spec, ("build", statement.json.value(number, nullable=True))


def files_of_splice(at: At, statement: "Statement", arguments: Mapping[str, Given]) -> Json:
    """The facts of `spliced`."""
    build_id, root, number = build_asked(statement, arguments)
    replacement = spec_by_hash_or_id({"hash": arguments["with"]}, statement, "with").row_id
    specs = {"root": root, "with": select(replacement.label("id"))}
    values: tuple[tuple[str, Json], ...] = (number,)
    if statement.decided(arguments["rule"]) == BY_NAMES:
        values += results_of_splice(statement, present_number(build_id), replacement)
    return installed(statement, Asked(specs, build_id, values=values))


def spliced(facts: Any, arguments: Arguments) -> dict[str, Any]:
    """The prediction. Raises Refused BUILD_UNKNOWN, BUILD_SPEC_UNKNOWN, SPEC_UNKNOWN and ARGUMENT_INVALID."""
    known = Installed(facts)
    root = root_of(facts, known, arguments)
    replacement = next(iter(known.named("with")), None)
    if replacement is None:
        raise Refused(Code.SPEC_UNKNOWN, f"no spec has the hash {arguments['with']!r}")
    replaced = replaced_in(known, root, arguments["replace"])
    if arguments["rule"] == BY_NAMES:
        return {**as_answer(by_names(facts, replaced.name)), "basis": "NAMES"}
    site = known.site(root, replacement)
    found = prediction(known, site, root, replaced, replacement)
    return {**as_answer(found, site), "basis": "ELF"}


def root_of(facts: Any, known: Installed, arguments: Arguments) -> Installation:
    """The spec of the build. Raises Refused BUILD_UNKNOWN and BUILD_SPEC_UNKNOWN."""
    if facts["build"] is None:
        raise Refused(Code.BUILD_UNKNOWN, f"no build has the id {arguments['build']!r}")
    root = next(iter(known.named("root")), None)
    if root is None:
        raise Refused(Code.BUILD_SPEC_UNKNOWN, f"the spec of build {arguments['build']} is not known")
    return root


def replaced_in(known: Installed, root: Installation, name: str, argument: str = "replace") -> Installation:
    """The spec of a package in a graph. Raises Refused ARGUMENT_INVALID."""
    for one in known.graph(root):
        if one.name == name and one is not root:
            return one
    raise Refused(Code.ARGUMENT_INVALID, f"`{argument}`: the build depends on no package {name!r}")


def prediction(
    known: Installed, site: Site, root: Installation, replaced: Installation, replacement: Installation
) -> Prediction:
    """What a splice does to all of a build's graph."""
    if not (replaced.is_known and replacement.is_known):
        return Prediction(undecided={f"no symbols are known of both builds of {replaced.name}"})
    dependents = known.dependents(root, replaced)
    packages = known.packages(dependents, replaced, replacement, known.graph(root))
    found = predict(site.files, site.system, packages)
    found.undecided |= known.unknown([*dependents, replaced, replacement])
    if not root.is_known:
        found.undecided.add(f"no symbols are known of {root.name}")
    return found


def as_answer(prediction: Prediction, site: Site | None = None) -> dict[str, Any]:
    """The schema's Splice, without `basis`; `site` is where the loader looked."""
    return {
        "verdict": prediction.verdict.name,
        "missingSymbols": [
            {"consumer": found.consumer, "symbol": found.symbol, "version": found.version, "why": why}
            for found, why in prediction.missing.items()
        ],
        "missingLibraries": [
            {"consumer": found.consumer, "library": found.library, "why": why}
            for found, why in prediction.missing_libraries.items()
        ],
        "missingVersions": [
            {"consumer": found.consumer, "file": found.file, "node": found.version, "why": why}
            for found, why in prediction.missing_versions.items()
        ],
        "sonamesKept": prediction.soname_ok,
        "warnings": sorted(prediction.warnings),
        "undecided": sorted(prediction.undecided),
        "hostImage": site and site.host_image(),
    }
