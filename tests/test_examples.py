"""Every example asks what can be asked, and `make demo` has an answer to it."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples import FIRST, PAGE, ROOT, examples, page, says_nothing
from tests.server import Server, served
from tests.waiting import GIVE_UP_SECONDS


@pytest.fixture
def demo(database_url: str, tmp_path: Path) -> Iterator[Server]:
    """What `make demo` serves; the test runs once on each kind of database."""
    data = tmp_path / "demo"
    subprocess.run(
        ["make", f"DEMO={data}", data / "loaded"], cwd=ROOT, check=True, timeout=GIVE_UP_SECONDS,
        env={**os.environ, "SPACKMON_DATABASE_URL": database_url},
    )  # fmt: skip
    with served(database_url, data) as server:
        yield server


def test_every_example_finds_something_in_the_demo(demo: Server) -> None:
    assert len(examples()) >= 25
    for example in [*examples(), FIRST]:
        answered = demo.ask(example.query)
        silent = [key for key, answer in answered.items() if says_nothing(answer)]
        assert answered, example.name
        assert not silent, f"{example.name}: {answered}"


def test_every_example_is_listed_with_its_sentence() -> None:
    sentences = [example.sentence for example in examples()]
    assert all(sentence.endswith("?") for sentence in sentences)
    assert len(set(sentences)) == len(sentences)
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.examples"
