"""`spackmon import` of graphs that share no spec, into an empty SQLite file: all that is read is new."""

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.data import Site, Size, spec_hash
from benchmarks.graphs import graph_of
from benchmarks.measure import Result, at_most

_SIZES = range(50, 71)


def measure(topic: str, size: Size, *, quick: bool) -> Iterator[Result]:
    """How long a thousand graphs take, or of `quick` two hundred."""
    count = 200 if quick else 1_000
    with tempfile.TemporaryDirectory(prefix="spackmon-import-") as directory:
        graphs = Path(directory, "graphs")
        graphs.mkdir()
        for number, document in enumerate(_documents(size, count)):
            (graphs / f"{number}.spec.json").write_text(json.dumps(document))
        wall, cpu = _imported(graphs, Path(directory))
    what = f"import of {count:,} graphs of {_SIZES[0]} to {_SIZES[-1]} specs that share none"
    yield Result(topic, "sqlite", f"{what}: time", wall, "s", None if quick else at_most(20))
    yield Result(topic, "sqlite", f"{what}: CPU of both processes", cpu, "s")


def _documents(size: Size, count: int) -> Iterator[dict[str, Any]]:
    site = Site(size)
    shapes = []
    for specs in _SIZES:
        # Not each number of specs is a graph of the site.
        with contextlib.suppress(RuntimeError):
            shapes.append(graph_of(specs, site))
    for number in range(count):
        nodes: dict[str, dict[str, Any]] = {}
        for node in shapes[number % len(shapes)]:
            made = {key: value for key, value in node.items() if key != "hash"}
            if "dependencies" in made:
                made["dependencies"] = [
                    {**edge, "hash": nodes[edge["hash"]]["hash"]} for edge in made["dependencies"]
                ]
            made["parameters"] = {**made["parameters"], "cflags": [f"-DNUMBER={number}"]}
            made["hash"] = spec_hash(made)
            nodes[node["hash"]] = made
        yield {"spec": {"_meta": {"version": 3}, "nodes": list(nodes.values())[::-1]}}


def _imported(graphs: Path, directory: Path) -> tuple[float, float]:
    """Seconds, and seconds of CPU."""
    url = f"sqlite:///{directory / 'site.db'}"
    environment = {**os.environ, "SPACKMON_DATABASE_URL": url, "SPACKMON_DATA_DIR": str(directory)}
    program = [sys.executable, "-c", "from spackmon.cli import main; main()"]
    subprocess.run([*program, "db", "upgrade"], env=environment, check=True, capture_output=True)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([*program, "import", str(graphs)], env=environment, check=True, capture_output=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
