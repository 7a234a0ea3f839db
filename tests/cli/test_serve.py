"""Starting the service."""

import socket

from sqlalchemy import create_engine, text

from spackmon.cli.serve import welcome
from spackmon.settings import Settings
from tests.cli.command import Shell


def test_a_taken_port_is_one_sentence_and_nothing_is_promised(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        finished = shell.run("serve", "--port", port)
    assert finished.returncode == 1
    assert finished.stdout == ""
    assert finished.stderr == (
        f"spackmon: cannot listen at 127.0.0.1 port {port}: Address already in use"
        " (SPACKMON_HOST, SPACKMON_PORT)\n"
    )


def test_the_old_server_s_database_is_not_mistaken_for_one_with_builds(shell_on_both: Shell) -> None:
    with create_engine(shell_on_both.environment["SPACKMON_DATABASE_URL"]).begin() as connection:
        connection.execute(text("CREATE TABLE main_buildenvironment (id INTEGER PRIMARY KEY)"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = shell_on_both.run("serve", "--port", taken.getsockname()[1]).stderr
    assert "the old server's tables in this database stay as they are" in said


def test_the_commands_work_on_the_servers_own_database_and_no_password_is_on_the_screen() -> None:
    settings = Settings(database_url="postgresql://site:s3cr3t@host/builds")
    printed = welcome(settings, program="spackmon")
    assert "  export SPACKMON_DATABASE_URL='postgresql://site:***@host/builds'\n" in printed
    settings = Settings(database_url="postgresql:///builds?password=s3cr3t")
    assert "s3cr3t" not in welcome(settings, program="spackmon")
    assert "SPACKMON_DATABASE_URL" not in welcome(Settings(), program="spackmon")
