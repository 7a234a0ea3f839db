"""symbolator, whose solver spack-monitor asked about splices: the same question to both, and the answers.

It is installed by pip on first use, into an environment of its own: it needs an older pyelftools than ours.
"""

import gzip
import json
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

from benchmarks.databases import CACHE
from spackmon.abi.names import missing_names, read_corpora

_DATA = Path(__file__).parent.parent / "tests" / "data" / "symbolator"
_PROGRAM, _REPLACEMENTS = "zlegacy-with-libzeta-1.0", ("libzeta-1.0", "libzeta-2.0")
_WANTED = ("symbolator-python==0.0.18", "pyelftools<0.30", "clingo==5.8.3")
_DIRECTORY = CACHE / "symbolator"
_INSTALLED = _DIRECTORY / "installed.json"
_PYTHON = _DIRECTORY / "bin" / "python"
_ROUNDS = 21


def times_as_fast() -> float:
    """How many times our CPU symbolator takes, at least; raises where it answers something else."""
    _install()
    ratios = []
    with tempfile.TemporaryDirectory() as directory:
        names = (_PROGRAM, *_REPLACEMENTS)
        paths = {name: Path(directory) / f"{name}.json" for name in names}
        for name, path in paths.items():
            path.write_bytes(gzip.decompress((_DATA / f"{name}.json.gz").read_bytes()))
        for name in _REPLACEMENTS:
            theirs = _theirs(paths[_PROGRAM], paths[name])
            found, seconds = _ours(paths[_PROGRAM], paths[name])
            if [list(one) for one in found] != theirs["missing"]:
                raise RuntimeError(f"symbolator says {theirs['missing']}, we say {found}")
            ratios.append(theirs["seconds"] / seconds)
    return min(ratios)


def _ours(program: Path, replacement: Path) -> tuple[list[tuple[str, str]], float]:
    """What is missing, and the seconds of CPU from the files on."""
    spent = []
    for _ in range(_ROUNDS):
        begun = time.process_time()
        before, after = (read_corpora(path.read_text()) for path in (program, replacement))
        found = missing_names(before, after)
        spent.append(time.process_time() - begun)
    return found or [], statistics.median(spent)


def _theirs(program: Path, replacement: Path) -> dict[str, Any]:
    command = [_PYTHON, Path(__file__).with_name("symbolator_peer.py"), program, replacement]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    answer: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return answer


def _install() -> None:
    if _INSTALLED.exists() and json.loads(_INSTALLED.read_text()) == list(_WANTED):
        return
    print("installing symbolator ...", flush=True)
    venv.create(_DIRECTORY, with_pip=True, clear=True)
    command = [_PYTHON, "-m", "pip", "install", "--quiet", *_WANTED]
    subprocess.run(command, check=True, stdout=sys.stderr)
    _INSTALLED.write_text(json.dumps(_WANTED))
