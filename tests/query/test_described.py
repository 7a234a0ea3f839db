"""What abidw and smeagle say of two libraries: what was compiled against one may not go with the other."""

import json
from pathlib import Path
from typing import Any

import pytest

from spackmon.submission import AttributeValue
from tests.ingest.reports import spec
from tests.query.conftest import AskedSite

DATA = Path(__file__).parents[1] / "data" / "abidw"
XML = {version: (DATA / f"libshape-{version}.xml").read_text() for version in ("1.0", "2.0")}
ASK = """query($a: String!, $b: String!, $symbols: Int = 100) {
  abiDiff(a: $a, b: $b, symbols: $symbols) {
    verdict
    interfaces {
      library basis verdict changeCount undecided changes { kind name before after breaks reachedFrom }
    }
  }
}"""


def _asked(site: AskedSite, *results: dict[str, str], **other: Any) -> list[dict[str, Any]]:
    """The differences between two specs, of which an analyzer told these things, by its name."""
    specs = [spec("shape", version) for version in ("1.0", "2.0")]
    for number, (node, result) in enumerate(zip(specs, results, strict=True)):
        build_id = site.build(node)
        for analyzer, value in result.items():
            path = f"lib/libshape.so.{number + 1}"
            site.analysis(build_id, attributes={analyzer: (AttributeValue("result", path, value=value),)})
    answer = site.ask(ASK, a=specs[0].hash, b=specs[1].hash, **other)["abiDiff"]
    # The loader knows nothing of it.
    assert answer["verdict"] == "UNKNOWN"
    found: list[dict[str, Any]] = answer["interfaces"]
    return found


def test_what_is_compiled_against_a_struct_an_enumerator_or_a_vtable_breaks(site: AskedSite) -> None:
    """Old clients called the one analyzer `libabigail`, older ones `abigail`."""
    (found,) = _asked(site, {"libabigail": XML["1.0"]}, {"abigail": XML["2.0"]})
    changes = found.pop("changes")
    assert found == {
        "library": "libshape", "basis": "ABIDW", "verdict": "BREAKS_COMPILED", "changeCount": 13,
        "undecided": [],
    }  # fmt: skip
    users = ["shape_area", "shape_paint", "shape_scale"]
    canvas = ["_ZN4draw4drawEPNS_6CanvasE"]
    clear, line = "_ZN4draw6Canvas5clearEv", "_ZN4draw6Canvas4lineEi"
    assert [tuple(one.values()) for one in changes if one["breaks"]] == [
        ("ENUMERATOR_REMOVED", "color::GREEN", "1", None, True, ["shape_paint"]),
        ("ENUMERATOR_VALUE", "color::BLUE", "2", "1", True, ["shape_paint"]),
        ("PARAMETERS", "shape_scale", "struct shape*, float", "struct shape*, double", True, []),
        ("RETURN_TYPE", "shape_side", "int", "long int", True, []),
        ("SYMBOL_REMOVED", "shape_gone", "shape_gone", None, True, []),
        ("TYPE_LAYOUT", "shape::area", "double at byte 8", "double at byte 0", True, users),
        ("TYPE_LAYOUT", "shape::kind", "int at byte 0", "int at byte 8", True, users),
        ("TYPE_SIZE", "shape", "24 bytes", "32 bytes", True, users),
        ("VTABLE", "draw::Canvas, entry 0", clear, line, True, canvas),
        ("VTABLE", "draw::Canvas, entry 1", line, clear, True, canvas),
    ]
    assert [(one["kind"], one["name"]) for one in changes if not one["breaks"]] == [
        ("ENUMERATOR_ADDED", "color::WHITE"), ("SYMBOL_ADDED", "shape_new"), ("TYPE_SIZE", "hidden"),
    ]  # fmt: skip


def _smeagle(*parameters: tuple[str, str, str]) -> str:
    functions = [
        {"name": name, "parameters": [
            {"name": "x", "class": "Integer", "location": place, "direction": direction},
            {"location": "framebase+8"},
        ]}
        for name, place, direction in parameters
    ]  # fmt: skip
    return json.dumps({"library": "x", "locations": [{"function": one} for one in functions]})


def test_parameters_that_are_passed_elsewhere_and_lost_exports_are_named(site: AskedSite) -> None:
    old = _smeagle(("puts", "%rdi", "import"), ("free", "%rdi", "import"), ("foo\ud800", "%rdi", "export"),
                   ("bar", "%rdi", "export"))  # fmt: skip
    new = _smeagle(("puts", "%rsi", "import"), ("malloc", "%rdi", "import"), ("bar", "%rsi", "export"))
    (found,) = _asked(site, {"smeagle": old}, {"smeagle": new})
    assert (found["basis"], found["verdict"]) == ("SMEAGLE", "BREAKS_COMPILED")
    assert [tuple(one.values())[:5] for one in found["changes"]] == [
        ("MISSING_EXPORT", "bar", "Integer in %rdi", "Integer in %rsi", True),
        ("MISSING_EXPORT", "foo\ud800", "Integer in %rdi", None, True),
        ("MISSING_IMPORT", "free", "Integer in %rdi", None, False),
        ("MISSING_IMPORT", "puts", "Integer in %rdi", "Integer in %rsi", False),
    ]


@pytest.mark.parametrize(
    ("results", "verdict", "reason"),
    [
        (({"abigail": XML["1.0"]}, {"abigail": XML["1.0"]}), "NOTHING_FOUND", None),
        (({"abigail": XML["1.0"]}, {}), "UNKNOWN", "the analyzer has told nothing of the library of `b`"),
        (
            ({"abigail": XML["1.0"]}, {"abigail": XML["1.0"][:-9]}), "UNKNOWN",
            "a result of the analyzer cannot be read: it is no XML: ",
        ),
        (
            ({"abigail": XML["1.0"]}, {"abigail": f"<!DOCTYPE x [<!ENTITY e 'e'>]>{XML['1.0']}"}), "UNKNOWN",
            "a result of the analyzer cannot be read: it has a DTD",
        ),
        (
            ({"smeagle": _smeagle()}, {"smeagle": '{"locations": [1]}'}), "UNKNOWN",
            "a result of the analyzer cannot be read: no result of smeagle",
        ),
    ],
)  # fmt: skip
def test_what_is_not_known_does_not_look_like_what_is_the_same(
    site: AskedSite, results: tuple[dict[str, str], ...], verdict: str, reason: str | None
) -> None:
    (found,) = _asked(site, *results)
    assert (found["verdict"], found["changes"]) == (verdict, [])
    assert [one.startswith(reason or "") for one in found["undecided"]] == [True] * (reason is not None)
