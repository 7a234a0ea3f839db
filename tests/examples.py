"""The questions in examples/, the page that lists them, and the page of questions with their answers.

`python -m tests.examples` writes the list anew.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "examples.md"
ANSWERS = ROOT / "docs" / "questions.md"
_HEAD = """\
# Questions

Each is a file in [examples/](../examples), a test asks it, and GraphiQL offers it under *Examples*. The names
in them are those of the builds that `make demo` serves.

"""


@dataclass(frozen=True)
class Example:
    """A question in words and in GraphQL."""

    name: str
    sentence: str
    query: str


def examples() -> list[Example]:
    """All of them, by their files' names."""
    return [_read(path) for path in sorted((ROOT / "examples").glob("*.graphql"))]


def _read(path: Path) -> Example:
    query = path.read_text(encoding="utf-8")
    comment = re.match(r"(?:#.*\n)+", query)
    assert comment, f"{path.name} begins with no sentence"
    return Example(path.name, " ".join(line.lstrip("# ") for line in comment[0].splitlines()), query)


@dataclass(frozen=True)
class Question:
    """One of docs/questions.md: as its heading puts it, in GraphQL, and the true answer."""

    sentence: str
    query: str
    answer: Any


def questions() -> list[Question]:
    """All of them, as they stand there; each heading has one block of either language."""
    sections = re.split(r"^### ", ANSWERS.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return [_question(section) for section in sections]


def _question(section: str) -> Question:
    sentence = section.partition("\n")[0]
    query, answer = (_blocks(section, language) for language in ("graphql", "json"))
    assert (len(query), len(answer)) == (1, 1), f"{sentence} has no query, no answer or several"
    return Question(sentence, query[0], json.loads(answer[0]))


def documented() -> dict[str, str]:
    """The blocks of GraphQL on all other pages, each by its page's name and its number there."""
    pages = (path for path in sorted(ROOT.glob("docs/*.md")) if path != ANSWERS)
    return {
        f"{path.stem}-{number}": block
        for path in (ROOT / "README.md", *pages)
        for number, block in enumerate(_blocks(path.read_text(encoding="utf-8"), "graphql"), start=1)
    }


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


# What GraphiQL opens with.
FIRST = _read(ROOT / "frontend" / "src" / "example.graphql")


def says_nothing(answer: Any) -> bool:
    """No object, or one of which a list is empty."""
    if isinstance(answer, dict):
        lists = [member for member in answer.values() if isinstance(member, list)]
        return any(not members for members in lists)
    return not answer


def page() -> str:
    """The list as a document."""
    lines = [f"- [{example.sentence}](../examples/{example.name})\n" for example in examples()]
    return _HEAD + "".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
