"""What a person says of two claims stands above what was reported."""

import json
from pathlib import Path

from sqlalchemy import create_engine, text

from tests.cli.command import Shell


def attempts(shell: Shell) -> list[list[int]]:
    """The claims of each attempt, by their ids."""
    engine = create_engine(shell.environment["SPACKMON_DATABASE_URL"])
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT attempt_id, id FROM claim ORDER BY id")).all()
        stored = set(connection.execute(text("SELECT id FROM attempt")).scalars())
    engine.dispose()
    assert {row[0] for row in rows} == stored
    groups: dict[int, list[int]] = {}
    for attempt_id, claim_id in rows:
        groups.setdefault(attempt_id, []).append(claim_id)
    return list(groups.values())


def test_an_operator_joins_and_splits_runs_and_takes_that_back(shell_on_both: Shell, tmp_path: Path) -> None:
    lines = [
        {"type": "install", "source": {"kind": kind, "key": "a"}, "package": "zlib", "status": "SUCCESS",
         "prefix": f"/opt/{kind}", "started_at": 1777636800, "finished_at": 1777637100}
        for kind in ("EXTENSION", "PREFIX")
    ]  # fmt: skip
    reported = tmp_path / "reported.jsonl"
    reported.write_text("".join(json.dumps(line) + "\n" for line in lines))
    shell_on_both.done("import", reported)
    assert attempts(shell_on_both) == [[1], [2]]

    shell_on_both.done("run", "join", 1, 2)
    assert attempts(shell_on_both) == [[1, 2]]
    shell_on_both.done("import", reported)
    assert attempts(shell_on_both) == [[1, 2]]

    shell_on_both.done("run", "split", 2, 1)
    assert attempts(shell_on_both) == [[1], [2]]
    shell_on_both.done("run", "join", 1, 2)
    shell_on_both.done("run", "forget", 1, 2)
    assert attempts(shell_on_both) == [[1], [2]]


def test_a_ruling_needs_two_claims_that_are_there(shell: Shell) -> None:
    assert "there is no claim 7" in shell.refused("run", "join", 7, 8)
    assert "expected two claims" in shell.refused("run", "split", 7, 7)
