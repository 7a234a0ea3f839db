"""Accounts and tokens at the command line."""

import re
from pathlib import Path

from tests.cli.command import Shell
from tests.server import served


def test_a_person_and_a_token_need_no_answers_and_the_token_writes(shell: Shell, tmp_path: Path) -> None:
    assert shell.done("user", "add", "ada") == ""
    printed = shell.done("token", "create", "ada")
    assert re.fullmatch(r"[0-9a-f]{64}\n", printed)
    token = printed.strip()
    with served(shell.environment["SPACKMON_DATABASE_URL"], tmp_path) as server:
        assert server.http.get("/auth/token/", auth=("ada", token)).status_code == 200
        shell.done("token", "revoke", "1")
        assert server.http.get("/auth/token/", auth=("ada", token)).status_code == 403


def test_the_lists_show_people_and_tokens_one_a_line(shell: Shell) -> None:
    shell.done("user", "add", "ada")
    shell.done("user", "add", "--password-stdin", "bob", stdin="correct horse\n")
    shell.done("token", "create", "ada")
    shell.done("user", "disable", "ada")
    ada, bob = shell.done("user", "list").splitlines()[1:]
    assert ada.split()[:2] == ["ada", "no"]
    assert ada.split()[3] != "-"
    assert bob.split()[:2] == ["bob", "yes"]
    assert bob.split()[3] == "-"
    assert shell.done("token", "list", "ada").splitlines()[1].split()[:2] == ["1", "ada"]


def test_what_is_refused_is_one_sentence_and_exit_code_1(shell: Shell) -> None:
    shell.done("user", "add", "ada")
    assert shell.refused("user", "add", "ada") == "spackmon: there is a person named 'ada' already"
    assert "no person named 'bob'" in shell.refused("token", "create", "bob")
    assert "too short" in shell.refused("user", "add", "--password-stdin", "bob", stdin="abc\n")
    assert shell.refused("user", "list", SPACKMON_PORT="many").startswith("spackmon: PORT is 'many'")


def test_a_command_that_does_not_exist_is_exit_code_2(shell: Shell) -> None:
    assert shell.run("usr", "add").returncode == 2
    assert shell.run("user", "add").returncode == 2


def test_a_number_that_nothing_can_have_is_exit_code_2(shell: Shell) -> None:
    for arguments in (("create", "ada", "--expires-in-days", "1e9"), ("revoke", "9" * 20)):
        assert shell.run("token", *arguments).returncode == 2


def test_the_old_names_ask_for_a_password(shell: Shell) -> None:
    assert "User ada successfully created." in shell.done("add_user", "ada", stdin="correct horse\n")
    token = shell.done("get_token", "ada", stdin="correct horse\n").splitlines()[-1]
    assert re.fullmatch(r"[0-9a-f]{64}", token)
    assert shell.refused("get_token", "ada", stdin="wrong horse\n") == "spackmon: This password is incorrect."
