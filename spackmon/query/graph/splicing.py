"""Splices predicted from stored ELF files: of a build, its graph and what replaces a package there."""

from collections.abc import Iterable, Mapping
from typing import Any

from spackmon.abi.elf import Elf
from spackmon.abi.packed import unpack
from spackmon.abi.splice import Prediction, predict
from spackmon.abi.stored import UNKNOWN_SYSTEM, StoredFiles
from spackmon.abi.trials import Packages
from spackmon.errors import Code, Refused

Arguments = Mapping[str, Any]

_MOST_FILES = 500
_FILES = f"""
prefix
links: installFiles(where: {{destination: {{isNull: false}}}}, first: {_MOST_FILES}) {{
  totalCount nodes {{ path destination }}
}}
elves: analysisResults(where: {{analyzer: {{eq: "elf"}}}}, first: {_MOST_FILES}) {{
  totalCount nodes {{ path value binaryValue }}
}}
"""
_ARE_READ = """analyses: {some: {analyzer: {eq: "elf"}}}"""
_WITH = "hashes: {some: {value: {startsWith: $with}}}"
SPLICE = f"""query($build: ID!, $with: String!) {{
  build(id: $build) {{
    {_FILES}
    spec {{
      hash graph {{ nodes {{ hash name dependencies(first: 500) {{ nodes {{ child {{ hash }} }} }} }} }}
    }}
  }}
  with: spec(hash: $with) {{ hash }}
  below: builds(first: 500, where: {{
    {_ARE_READ}, dependent: {{where: {{builds: {{some: {{id: {{eq: $build}}}}}}}}}}
  }}) {{ nodes {{ {_FILES} spec {{ hash }} }} }}
  taken: builds(first: 500, where: {{
    {_ARE_READ}, spec: {{or: [{{{_WITH}}}, {{dependent: {{where: {{{_WITH}}}}}}}]}}
  }}) {{ nodes {{ {_FILES} spec {{ hash }} }} }}
}}"""
"""What a prediction reads; a spec with several builds is taken from the latest whose ELF files are known."""


def spliced(facts: Any, arguments: Arguments) -> dict[str, Any]:
    """The prediction of SPLICE's facts. Raises Refused BUILD_UNKNOWN, SPEC_UNKNOWN and ARGUMENT_INVALID."""
    build, replacement, name = facts["build"], facts["with"], arguments["replace"]
    if build is None:
        raise Refused(Code.BUILD_UNKNOWN, f"no build has the id {arguments['build']!r}")
    if replacement is None:
        raise Refused(Code.SPEC_UNKNOWN, f"no spec has the hash {arguments['with']!r}")
    if build["spec"] is None:
        raise Refused(Code.BUILD_SPEC_UNKNOWN, f"the spec of build {arguments['build']} is not known")
    installed = {**_by_spec(facts["taken"]), **_by_spec(facts["below"]), build["spec"]["hash"]: build}
    return _as_answer(_prediction(build["spec"], installed, replacement["hash"], name))


def _prediction(root: Any, installed: Mapping[str, Any], replacement: str, name: str) -> Prediction:
    """`installed` is by the hash of its spec what was built of the graph, and of what takes a place in it."""
    nodes = {node["hash"]: node for node in root["graph"]["nodes"]}
    replaced = next((one for one in nodes if nodes[one]["name"] == name and one != root["hash"]), None)
    if replaced is None:
        raise Refused(Code.ARGUMENT_INVALID, f"`replace`: the build depends on no package {name!r}")
    known = {one: found for one, found in installed.items() if _is_known(found)}
    if not {replaced, replacement} <= set(known):
        return Prediction(undecided={f"no symbols are known of both builds of {name}"})
    dependents = _dependents(nodes, replaced)
    packages = Packages(
        consumers=tuple(known[one]["prefix"] for one in dependents if one in known),
        replaced=(known[replaced]["prefix"],),
        replacement=known[replacement]["prefix"],
        others=tuple(
            found["prefix"] for one, found in known.items() if one not in {*dependents, replaced, replacement}
        ),
    )
    prediction = predict(_files(known.values()), UNKNOWN_SYSTEM, packages)
    prediction.undecided |= {
        f"no symbols are known of {nodes[one]['name']}"
        for one in dependents
        if one not in installed or (one == root["hash"] and one not in known)
    }
    prediction.undecided |= {
        f"{found['prefix']}: it has more files than are read" for found in known.values() if _is_cut(found)
    }
    return prediction


def _by_spec(builds: Any) -> dict[str, Any]:
    """The latest first, which is the one that counts."""
    return {build["spec"]["hash"]: build for build in reversed(builds["nodes"])}


def _is_known(found: Any) -> bool:
    return bool(found and found["prefix"] and found["elves"]["totalCount"])


def _is_cut(found: Any) -> bool:
    return any(found[kind]["totalCount"] > _MOST_FILES for kind in ("elves", "links"))


def _dependents(nodes: Mapping[str, Any], of: str) -> list[str]:
    """Those from which edges lead to a spec, root first."""
    children = {
        one: {edge["child"]["hash"] for edge in node["dependencies"]["nodes"]} for one, node in nodes.items()
    }
    found = {of}
    while more := {one for one, below in children.items() if one not in found and below & found}:
        found |= more
    return [one for one in nodes if one in found and one != of]


def _files(installed: Iterable[Any]) -> StoredFiles:
    elves: dict[str, Elf] = {}
    links: dict[str, str] = {}
    faults: dict[str, str] = {}
    for found in installed:
        links |= {link["path"]: link["destination"] for link in found["links"]["nodes"]}
        for file in found["elves"]["nodes"]:
            if file["binaryValue"] is None:
                faults[file["path"]] = file["value"] or ""
                continue
            try:
                elves[file["path"]] = unpack(bytes.fromhex(file["binaryValue"]))
            except ValueError:
                faults[file["path"]] = "what is stored of it cannot be read"
    return StoredFiles(elves, links, faults)


def _as_answer(prediction: Prediction) -> dict[str, Any]:
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
    }
