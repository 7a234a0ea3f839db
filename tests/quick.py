"""What makes the suite quick and no test another one: bytecode, when garbage is collected, what is first."""

import gc
import os
import sys
from pathlib import Path

import pytest
from argon2 import PasswordHasher, profiles

from spackmon.auth import people
from spackmon.database import engine

# Tests end processes, and this loses nothing by it; those of failing power say what they want (test_disks).
engine.SYNCHRONOUS = "OFF"
# What a guess costs whoever has the hashes is no matter of tests; that each costs as much as another is.
people.HASHER = PasswordHasher.from_parameters(profiles.CHEAPEST)
# Hundreds of programs are started: to compile our modules again for each, and the tests for each of their
# processes, as an environment wants that lets no bytecode be written, takes a second each time.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Compiling makes hundreds of thousands of objects that live for a moment: to look for cycles among them by
# Python's own numbers, and again and again among all that was imported, took a third of the suite's time.
gc.set_threshold(100_000, 20, 100)

# One that takes minutes and begins last is waited for by nobody else.
_FIRST = ("query/test_differential.py",)


def pytest_collection_finish() -> None:
    """Tests and what they imported live as long as the process."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first; all others keep their order."""
    here = Path(__file__).parent
    items.sort(key=lambda item: item.path not in {here / name for name in _FIRST})
