"""What `spack install --monitor-save-local` left, brought in later."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.cli.command import EXAMPLES, Shell
from tests.server import served

BUILDS = EXAMPLES / "builds"


def _statuses(url: str) -> dict[str, int]:
    """How many builds have which status."""
    engine = create_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT status, count(*) AS number FROM build GROUP BY status"))
        return {row.status: row.number for row in rows}


def test_an_upload_to_a_server_gives_what_one_into_its_database_gives(
    shell_on_both: Shell, sqlite_url: str, tmp_path: Path
) -> None:
    local = shell_on_both.environment["SPACKMON_DATABASE_URL"]
    shell_on_both.done("user", "add", "ada")
    for _ in range(2):
        assert shell_on_both.run("upload", BUILDS, "--user", "ada").stderr.endswith("64 reports stored\n")
    remote = f"sqlite:///{tmp_path}/remote.sqlite3"
    Shell(remote, tmp_path).done("db", "upgrade")
    with served(remote, tmp_path) as server:
        shell_on_both.done("upload", BUILDS, "--url", server.url, SPACKMON_TOKEN=server.token)
    assert _statuses(local) == _statuses(remote)
    assert _statuses(local)["FAILED"] >= 1


def test_what_a_server_refuses_is_named_and_a_wrong_token_ends_it(shell: Shell, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    shutil.copytree(BUILDS / "spack-0.17-failure", saved)
    damaged = saved / "spec-topbroken-5.5-config.json"
    damaged.write_text('{"spec": {"nodes": []}, "spack_version": "0.17.0"}')
    with served(shell.environment["SPACKMON_DATABASE_URL"], tmp_path) as server:
        finished = shell.run("upload", saved, "--url", server.url, "--token", server.token)
        assert finished.returncode == 1
        assert f"spackmon: {damaged}: the server answered 400" in finished.stderr
        denied = shell.run("upload", saved, "--url", server.url, "--token", "wrong")
        assert denied.returncode == 1
        assert denied.stderr.startswith("spackmon: the server answered 401")
        assert denied.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ftp://example.org", "'ftp://example.org' is no address: expected http://host:port"),
        ("http://127.0.0.1:9", "http://127.0.0.1:9/ms1 does not answer: [Errno 111] Connection refused"),
    ],
)
def test_a_server_that_is_not_there_is_one_sentence(shell: Shell, url: str, sentence: str) -> None:
    assert shell.refused("upload", BUILDS, "--url", url) == f"spackmon: {sentence}"


def test_nobody_s_builds_are_a_usage_error(shell: Shell) -> None:
    assert shell.run("upload", BUILDS).returncode == 2
