"""Splices by names alone: what the server of before said of the same results of symbolator."""

import gzip
import json
from pathlib import Path
from typing import Any

from spackmon.submission import AttributeValue
from tests.ingest.reports import spec
from tests.query.conftest import AskedSite

DATA = Path(__file__).parents[1] / "data" / "symbolator"
# What symbolator's own solver answers of them.
MISSING = json.loads((DATA / "missing.json").read_text())
ASK = """query($build: ID!, $with: String!, $rule: SpliceRule!) {
  splice(build: $build, replace: "libzeta", with: $with, rule: $rule) {
    verdict basis missingSymbols { consumer symbol version } undecided
  }
}"""


def _found(site: AskedSite, build_id: int, result: str, *, as_text: bool) -> None:
    # Clients post a JSON text as JSON, which makes it a string, or as a value.
    value = {"value": result} if as_text else {"json_value": json.dumps(result)}
    site.analysis(build_id, attributes={"symbolator": (AttributeValue("symbolator-json", "x", **value),)})


def _asked(site: AskedSite, build_id: int, hash_: str, rule: str = "SYMBOLATOR") -> dict[str, Any]:
    answer: dict[str, Any] = site.ask(ASK, build=str(build_id), rule=rule, **{"with": hash_})["splice"]
    return answer


def test_names_alone_are_compared_as_symbolator_does(site: AskedSite) -> None:
    read = {path.name.removesuffix(".json.gz"): path for path in DATA.glob("*.gz")}
    results = {name: gzip.decompress(path.read_bytes()).decode() for name, path in read.items()}
    libraries = {version: spec("libzeta", version) for version in ("1.0", "2.0", "3.0")}
    builds = {version: site.build(node) for version, node in libraries.items()}
    program = site.build(spec("zlegacy", "1.0", libraries["1.0"]), libraries["1.0"])
    unknown = {"verdict": "UNKNOWN", "missingSymbols": []}
    nothing = {**unknown, "basis": "NAMES"}
    nothing["undecided"] = ["no corpora of symbolator are known of both builds of libzeta"]
    assert _asked(site, program, libraries["2.0"].hash) == nothing
    _found(site, program, results["zlegacy-with-libzeta-1.0"], as_text=False)
    for version in MISSING:
        _found(site, builds[version], results[f"libzeta-{version}"], as_text=version == "1.0")
        found = _asked(site, program, libraries[version].hash)
        assert (found["verdict"], found["basis"], found["undecided"]) == ("BREAKS", "NAMES", [])
        names = [f"{one['consumer']} {one['symbol']}" for one in found["missingSymbols"]]
        assert sorted(names) == sorted(MISSING[version])
    _found(site, builds["3.0"], '[{"corpus": 1}]', as_text=True)
    assert _asked(site, program, libraries["3.0"].hash) == nothing
    _found(site, builds["3.0"], results["libzeta-1.0"].replace("libzeta.so", "libeta.so"), as_text=True)
    other = _asked(site, program, libraries["3.0"].hash)
    assert (other["verdict"], other["undecided"]) == (
        "UNKNOWN",
        ["no corpus of the build has the name of a library of libzeta"],
    )
    by_loader = _asked(site, program, libraries["2.0"].hash, "LOADER")
    assert by_loader == {
        **unknown, "basis": "ELF", "undecided": ["no symbols are known of both builds of libzeta"],
    }  # fmt: skip
