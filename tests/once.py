"""What each process of a run of tests needs, and one of them makes."""

import fcntl
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The directory that `make` filled in the first process that wanted it; others wait, and find it filled.

    Whoever changes what is there has a copy.
    """
    run = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        run = run.parent
    filled = run / name
    with (run / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not filled.exists():
            begun = Path(tempfile.mkdtemp(dir=run))
            make(begun)
            begun.rename(filled)
    return filled
