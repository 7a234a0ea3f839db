"""Stored advisories: who has a known defect, by the rules of Spack's spec language."""

import json
from functools import partial
from typing import Any

from spackmon.formats.advisories import defect_of, read_advisories
from spackmon.ingest.tables.advisories import put_defect
from spackmon.models import utc_now
from tests.ingest.reports import build_report, spec, spec_report
from tests.query.conftest import AskedSite

WORDS = [
    "zlib", "zlib@1.2", "zlib@=1.2", "zlib@:1.2,develop:", "zlib+pic", "zlib~pic@1.2:", "zlib libs=a",
    "none@1",
]  # fmt: skip
QUERY = """query($text: String!, $identifier: String!) {
  specs(satisfying: $text) { nodes { hash } }
  advisory(identifier: $identifier) {
    withdrawnAt affectedSpecs { nodes { hash } } affectedBuilds { totalCount }
    affectedRoots { nodes { name } } dependenciesToChange { nodes { parent { name } child { name } } }
  }
  spec(hash: "app0000") { advisories(where: {identifier: {eq: $identifier}}) { totalCount } }
  builds { nodes { advisories(where: {identifier: {eq: $identifier}}) { totalCount } } }
}"""


def put(site: AskedSite, **content: object) -> None:
    (advisory,) = read_advisories(json.dumps(content).encode(), {})
    site.database.write_once(partial(put_defect, defect=defect_of(advisory), now=utc_now()))


def asked(site: AskedSite, text: str, identifier: str) -> dict[str, Any]:
    return site.ask(QUERY, text=text, identifier=identifier)


def test_what_is_affected_is_what_satisfies_the_words_and_all_that_contains_it(site: AskedSite) -> None:
    put(site, id="SITE-1", affects="zlib@:1.2")
    versions: list[tuple[str, dict[str, Any]]] = [
        ("1.2", {"pic": True}), ("1.2.11", {"pic": False, "libs": ["a", "b"]}), ("develop", {}), ("1.3", {}),
    ]  # fmt: skip
    every = [
        spec("zlib", version, hash=f"zlib{number}", parameters=json.dumps(parameters))
        for number, (version, parameters) in enumerate(versions)
    ]
    hdf5 = spec("hdf5", "1.14", every[1], hash="hdf5000")
    app = spec("app", "1", hdf5, every[3], hash="app0000")
    site.apply(spec_report(app, hdf5, *every))
    site.apply(build_report(app.hash))
    for text in WORDS:
        put(site, id=text, affects=text)
        found = asked(site, text, text)
        assert found["advisory"]["affectedSpecs"] == found["specs"]
    found = asked(site, "zlib@:1.2", "SITE-1")
    # Neither 1.3 nor develop; the first zlib is a root of its own.
    assert {one["hash"] for one in found["specs"]["nodes"]} == {"zlib0", "zlib1"}
    assert {one["name"] for one in found["advisory"]["affectedRoots"]["nodes"]} == {"zlib", "app"}
    change = {"parent": {"name": "app"}, "child": {"name": "hdf5"}}
    assert found["advisory"]["dependenciesToChange"] == {"nodes": [change]}
    assert found["advisory"]["affectedBuilds"] == found["spec"]["advisories"] == {"totalCount": 1}
    assert found["builds"]["nodes"] == [{"advisories": {"totalCount": 1}}]
    put(site, id="SITE-1", affects="zlib@:1.2", withdrawn="2026-01-01T00:00:00Z")
    found = asked(site, "zlib@:1.2", "SITE-1")
    assert found["advisory"]["withdrawnAt"] == "2026-01-01T00:00:00.000000Z"
    assert found["advisory"]["affectedSpecs"] == {"nodes": []}
    assert found["spec"]["advisories"] == {"totalCount": 0}
