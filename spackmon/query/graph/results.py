"""Two results of analyzers, compared."""

import json
from collections.abc import Mapping
from typing import Any

from spackmon.errors import Code, Refused
from spackmon.history.results import LARGEST_BYTES, By, Difference, compare_bytes, compare_documents

MOST_CHANGES = 1_000

_SIDE = """
{side}: analysisResults(where: {{id: {{eq: ${side}}}}}, first: 1) {{ nodes {{ kind sizeBytes sha256 }} }}
{side}Value: analysisResults(where: {{id: {{eq: ${side}}}, sizeBytes: {{le: {largest}}}}}, first: 1) {{
  nodes {{ value jsonValue binaryValue }}
}}
"""
TWO_RESULTS = "query($a: ID!, $b: ID!) {{ {} {} }}".format(
    *(_SIDE.format(side=side, largest=LARGEST_BYTES) for side in ("a", "b"))
)
"""What a comparison reads; not the value of one that is too large to be compared."""


def results_compared(facts: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The difference of TWO_RESULTS. Raises Refused ARGUMENT_INVALID."""
    if not 0 <= arguments["first"] <= MOST_CHANGES:
        sentence = f"`first` must be from 0 to {MOST_CHANGES}, it is {arguments['first']}"
        raise Refused(Code.ARGUMENT_INVALID, sentence)
    sides = {side: facts[side]["nodes"] for side in ("a", "b")}
    for side, found in sides.items():
        if not found:
            raise Refused(
                Code.ARGUMENT_INVALID, f"`{side}`: no result of an analyzer has the id {arguments[side]!r}"
            )
    (a,), (b,) = sides["a"], sides["b"]
    values = [facts[f"{side}Value"]["nodes"] for side in ("a", "b")]
    are_same = a["sha256"] == b["sha256"]
    if are_same or not all(values):
        count = 0 if are_same else None
        return {"areSame": are_same, "comparedBy": By.DIGEST.name, "changeCount": count, "changes": []}
    (a_value,), (b_value,) = values
    difference = _difference(a["kind"], b["kind"], a_value, b_value, arguments["first"])
    return {
        "areSame": False,
        "comparedBy": difference.by.name,
        "changeCount": None if difference.by is By.DIGEST else difference.count,
        "changes": [
            {
                "pointer": one.pointer, "lineBefore": one.line_before, "lineAfter": one.line_after,
                "before": one.before, "after": one.after,
            }
            for one in difference.changes
        ],
    }  # fmt: skip


def _difference(a_kind: str, b_kind: str, a: Any, b: Any, most: int) -> Difference:
    if a_kind == b_kind == "JSON":
        return compare_documents(a["jsonValue"], b["jsonValue"], most)
    return compare_bytes(_bytes(a_kind, a), _bytes(b_kind, b), most)


def _bytes(kind: str, value: Any) -> bytes:
    if kind == "BINARY":
        return bytes.fromhex(value["binaryValue"])
    text: str = value["value"] if kind == "TEXT" else json.dumps(value["jsonValue"], indent=1)
    return text.encode()
