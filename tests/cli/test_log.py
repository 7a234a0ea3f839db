"""`spackmon log events`: for people, for programs and in a pipe, without a server."""

import gzip
import json
import os
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.cli import prepared
from tests.cli.command import EXAMPLES, PROGRAM, Shell
from tests.cli.prepared import Finished

LOG = b"""solver.c:8:25: error: 'omega' undeclared
a.c:1:2: warning: unused variable 'x' [-Wunused-variable]
make: *** [Makefile:6: solver.o] Error 1
"""


def _events(*arguments: object, stdin: str = "") -> Finished:
    return prepared.run([str(PROGRAM), "log", "events", *map(str, arguments)], dict(os.environ), stdin)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "failed.log"
    path.write_bytes(LOG)
    return path


def test_programs_get_an_object_a_line(log: Path) -> None:
    finished = _events("--jsonl", log)
    error, warning = map(json.loads, finished.stdout.splitlines())
    assert finished.returncode == 1
    assert error == {
        "file": str(log), "line": 1, "first_line": 1, "last_line": 1, "kind": "error", "role": "primary",
        "tool": "gcc", "class": "compile", "blame": "package", "group": error["group"], "is_first": True,
        "count": 1, "phase": None, "message": "'omega' undeclared", "source_file": "solver.c",
        "source_line": 8, "source_column": 25,
    }  # fmt: skip
    assert (warning["kind"], warning["class"], warning["group"]) == ("warning", None, None)
    with_consequences = _events("--jsonl", "--all", log).stdout.splitlines()
    assert [json.loads(line)["role"] for line in with_consequences] == ["primary", "primary", "consequence"]


def test_people_get_a_table_with_the_error_to_read_first(log: Path) -> None:
    heading, first, second = _events(log).stdout.splitlines()
    assert heading.split()[:2] == ["FILE", "LINE"]
    assert first.split()[1:5] == ["1", ">", "gcc", "compile"]
    assert second.split()[1:3] == ["2", "W"]


def test_a_pipe_and_a_compressed_file_are_read_alike(log: Path, tmp_path: Path) -> None:
    packed = tmp_path / "failed.log.gz"
    packed.write_bytes(gzip.compress(LOG))
    of_file, of_pipe, of_packed = (
        _events("--jsonl", log), _events("--jsonl", "-", stdin=LOG.decode()), _events("--jsonl", packed)
    )  # fmt: skip
    assert of_pipe.stdout.replace('"-"', f'"{log}"') == of_file.stdout
    assert of_packed.stdout.replace(str(packed), str(log)) == of_file.stdout


def test_the_exit_status_says_whether_there_are_errors_or_no_log(log: Path, tmp_path: Path) -> None:
    fine = tmp_path / "fine.log"
    fine.write_text("ok\n")
    assert _events(fine).returncode == 0
    missing = _events(tmp_path / "none.log", log)
    assert missing.returncode == 2
    assert missing.stderr == f"spackmon: {tmp_path}/none.log: No such file or directory\n"
    assert "solver.c" in missing.stdout
    assert _events().returncode == 2
    damaged = tmp_path / "cut.gz"
    damaged.write_bytes(gzip.compress(LOG)[:30])
    assert "gzip data" in _events(damaged).stderr


def test_a_site_has_classes_and_rules_of_its_own(log: Path, tmp_path: Path) -> None:
    rules = tmp_path / "site.toml"
    rules.write_text("""
[classes.physics]
blame = "environment"
description = "The constants are not loaded."

[[rule]]
class = "physics"
pattern = "'omega' undeclared"
""")
    (error, *_) = map(json.loads, _events("--jsonl", "--rules", rules, log).stdout.splitlines())
    assert (error["class"], error["blame"]) == ("physics", "environment")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[", "the rules are no TOML"),
        (
            '[[rule]]\nclass = "nope"\npattern = "x"',
            "rule 1 names the class 'nope', which [classes] does not have",
        ),
        ('[[rule]]\nclass = "link"\npattern = "("', "the pattern of rule 1 is no regular expression"),
        ('[[rule]]\nclass = "link"', "rule 1 has a pattern: a regular expression"),
        ('[classes.x]\nblame = "me"', "classes.x.blame is one of package, environment, infrastructure"),
        ("rule = 3", "rule is a list of tables"),
        ("classes = 3", "classes is a table"),
    ],
)
def test_rules_that_are_none_are_refused_in_a_sentence(
    log: Path, tmp_path: Path, text: str, sentence: str
) -> None:
    rules = tmp_path / "site.toml"
    rules.write_text(text)
    finished = _events("--rules", rules, log)
    assert finished.returncode == 2
    assert sentence in " ".join(finished.stderr.split())


def test_stored_logs_are_read_again_by_newer_rules(shell_on_both: Shell) -> None:
    shell_on_both.done("user", "add", "ada")
    shell_on_both.done("upload", EXAMPLES / "builds", "--user", "ada")
    engine = create_engine(shell_on_both.environment["SPACKMON_DATABASE_URL"])
    with engine.begin() as connection:
        logs = connection.execute(text("SELECT count(*) FROM log")).scalar_one()
        connection.execute(text("UPDATE log SET rules_version = NULL"))
        connection.execute(text("DELETE FROM log_event"))
    assert shell_on_both.run("log", "reread").stderr.splitlines()[-1] == f"{logs} logs read"
    with engine.begin() as connection:
        first = text("SELECT source_file FROM log_event WHERE is_first")
        assert connection.execute(first).scalars().all() == ["bad.c"]
    engine.dispose()
    assert shell_on_both.run("log", "reread").stderr.splitlines()[-1] == "0 logs read"


def test_what_is_not_listed_is_said(tmp_path: Path) -> None:
    log = tmp_path / "many.log"
    log.write_bytes(b"".join(b"a.c:%d:1: error: 'x%d'\n" % (n, n) for n in range(1100)))
    finished = _events("--jsonl", log)
    assert len(finished.stdout.splitlines()) == 1000
    assert finished.stderr == f"spackmon: {log}: 100 more events not listed, of 1100 errors and 0 warnings\n"
