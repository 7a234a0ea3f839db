"""What Spack 1.2 itself says of real specs (tests/data/oracle), and these specs."""

import gzip
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from spackmon.formats.specs.spec_json import read
from spackmon.graph.spec import SpecNode

ORACLE = Path(__file__).parent.parent / "data" / "oracle"


def rows(name: str) -> list[Any]:
    """The answers to one kind of question."""
    text = gzip.decompress((ORACLE / f"{name}.jsonl.gz").read_bytes())
    return [json.loads(line) for line in text.splitlines()]


@cache
def graphs() -> dict[str, Mapping[str, SpecNode]]:
    """For each spec of the documents a graph that holds it and all below it."""
    found: dict[str, Mapping[str, SpecNode]] = {}
    for document in rows("documents"):
        nodes = read(document).nodes
        for identity in nodes:
            found.setdefault(identity, nodes)
    return found
