"""Real spec documents (tests/data/corpus), some of each format."""

import gzip
import json
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parent.parent / "data" / "corpus"
FORMATS = {"list-0.16": 1, "nodes-v2-0.17": 2, "nodes-v3-0.19": 3, "nodes-v4-0.23": 4, "nodes-v5-1.2": 5}


def documents(name: str) -> list[Any]:
    """All documents of a format; bodies of specs/new in v1 to v3, what Spack prints in v4 and v5."""
    texts = [gzip.decompress(path.read_bytes()).decode() for path in sorted((CORPUS / name).glob("*.gz"))]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def elements(document: Any) -> list[Any]:
    """The nodes as they stand in a document."""
    while isinstance(document, dict) and "spec" in document:
        document = document["spec"]
    return document if isinstance(document, list) else document["nodes"]
