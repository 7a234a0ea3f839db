"""Spack 1.2's answers about the spec language (tests/data/spec-language), and the specs they are about.

`matches` has for each query the first characters of the hashes of all specs of the one `document` that
satisfy it, `fuzz` likewise for queries made at random, `matches-1.3` for those that Spack 1.3 answers
otherwise; `invalid` has queries that Spack refuses, with the offset it points at, if it points.
"""

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

ANSWERS = Path(__file__).parent.parent / "data" / "spec-language"


@cache
def rows(name: str) -> list[Any]:
    """The lines of one file."""
    text = gzip.decompress((ANSWERS / f"{name}.jsonl.gz").read_bytes())
    return [json.loads(line) for line in text.splitlines()]
