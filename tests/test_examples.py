"""Every example asks what can be asked, of what real clients sent, and learns something."""

import json
from typing import Any

from tests.examples import PAGE, ROOT, examples, page
from tests.player import Player
from tests.server import Server

SESSIONS = ["0.16-analyze", "0.16-libabigail", "0.16-success", "0.17-analyze", "0.17-fail", "0.17-success",
            "0.19dev-fail", "0.19dev-failconc", "0.19dev-success"]  # fmt: skip


def _load(server: Server) -> None:
    player = Player(server.url, server.user, server.token)
    for session in SESSIONS:
        assert player.play(session) == []
    for line in (ROOT / "examples" / "specs.jsonl").read_text(encoding="utf-8").splitlines():
        body = json.loads(line)
        answer = server.post("/ms1/specs/new/", {**body, "spack_version": "1.2.0"})
        assert answer.status_code in (200, 201), answer.text
    installs = (ROOT / "examples" / "installs.jsonl").read_bytes()
    answers = server.post("/api/submissions", installs).text.splitlines()
    assert {json.loads(line)["status"] for line in answers} == {"created", "changed"}


def _says_nothing(answer: Any) -> bool:
    """No object, or one whose lists are empty."""
    if isinstance(answer, dict):
        lists = [member for member in answer.values() if isinstance(member, list)]
        return any(not members for members in lists)
    return not answer


def test_every_example_finds_something(server: Server) -> None:
    _load(server)
    assert len(examples()) >= 25
    for example in examples():
        answered = server.ask(example.query)
        silent = [key for key, answer in answered.items() if _says_nothing(answer)]
        assert answered, example.name
        assert not silent, f"{example.name}: {answered}"


def test_every_example_is_listed_with_its_sentence() -> None:
    sentences = [example.sentence for example in examples()]
    assert all(sentence.endswith("?") for sentence in sentences)
    assert len(set(sentences)) == len(sentences)
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.examples"
