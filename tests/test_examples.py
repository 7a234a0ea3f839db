"""`make demo` has an answer to every example, and to every question of docs/questions.md the one there."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.cli import prepared
from tests.examples import FIRST, PAGE, ROOT, examples, page, questions, says_nothing
from tests.server import Server, served
from tests.waiting import GIVE_UP_SECONDS


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def demo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """What `make demo` serves, from one kind of database and then from the other."""
    directory = tmp_path_factory.mktemp("demo")
    data = directory / "data"
    with ExitStack() as stack:
        if request.param == "sqlite":
            shutil.copy(request.getfixturevalue("sqlite_template"), directory / "demo.db")
            url = f"sqlite:///{directory}/demo.db"
        else:
            url = stack.enter_context(request.getfixturevalue("postgresql_databases").fresh())
        program = prepared.program(directory)
        subprocess.run(
            ["make", f"PROGRAM={program}", f"DEMO={data}", data / "loaded"], cwd=ROOT, check=True,
            env={**os.environ, "SPACKMON_DATABASE_URL": url}, timeout=GIVE_UP_SECONDS,
        )  # fmt: skip
        yield stack.enter_context(served(url, data))


def _rounded(answer: Any) -> Any:
    """The answer with numbers as precise as the page has them: a mean's last digit is the database's."""
    return json.loads(json.dumps(answer), parse_float=lambda number: round(float(number), 6))


def test_every_example_finds_something_in_the_demo(demo: Server) -> None:
    assert len(examples()) >= 25
    for example in [*examples(), FIRST]:
        answered = demo.ask(example.query)
        silent = [key for key, answer in answered.items() if says_nothing(answer)]
        assert answered, example.name
        assert not silent, f"{example.name}: {answered}"


def test_every_question_has_its_true_answer(demo: Server) -> None:
    assert len(questions()) >= 38
    for question in questions():
        assert _rounded(demo.ask(question.query)) == _rounded(question.answer), question.sentence


def test_every_example_is_listed_with_its_sentence() -> None:
    sentences = [example.sentence for example in examples()]
    assert all(sentence.endswith("?") for sentence in sentences)
    assert len(set(sentences)) == len(sentences)
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.examples"
