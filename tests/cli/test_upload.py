"""What `spack install --monitor-save-local` left, brought in later."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.cli.command import EXAMPLES, Shell
from tests.server import served

BUILDS = EXAMPLES / "builds"


def _stored(url: str) -> dict[str, int]:
    """How many builds have which status, and how many runs there are of them."""
    engine = create_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT status, count(*) AS number FROM build GROUP BY status"))
        stored = {row.status: row.number for row in rows}
        stored["runs"] = connection.execute(text("SELECT count(*) FROM attempt")).scalar_one()
    engine.dispose()
    return stored


def test_a_saved_run_is_one_run_whichever_way_and_however_often_it_comes(
    shell_on_both: Shell, sqlite_url: str, tmp_path: Path
) -> None:
    local = shell_on_both.environment["SPACKMON_DATABASE_URL"]
    shell_on_both.done("user", "add", "ada")
    shell_on_both.done("upload", BUILDS, "--user", "ada")
    once = _stored(local)
    assert once["FAILED"] >= 1
    shell_on_both.done("upload", BUILDS, "--user", "ada")
    shell_on_both.done("import", BUILDS, "--user", "ada")
    assert _stored(local) == once
    remote = f"sqlite:///{tmp_path}/remote.sqlite3"
    Shell(remote, tmp_path).done("db", "upgrade")
    with served(remote, tmp_path) as server:
        for url in (server.url, f"{server.url}/ms1/"):
            shell_on_both.done("upload", BUILDS, "--url", url, SPACKMON_TOKEN=server.token)
    assert _stored(remote) == once


def test_what_is_damaged_is_named_and_a_wrong_token_ends_it(shell: Shell, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    shutil.copytree(BUILDS / "spack-0.17-failure", saved)
    (saved / "spec-topbroken-5.5-config.json").write_text(
        '{"spec": {"nodes": []}, "spack_version": "0.17.0"}'
    )
    with served(shell.environment["SPACKMON_DATABASE_URL"], tmp_path) as server:
        finished = shell.run("upload", saved, "--url", server.url, "--token", server.token)
        assert finished.returncode == 1
        assert "spec-topbroken-5.5-config.json" in finished.stderr
        denied = shell.refused("upload", saved, "--url", server.url, "--token", "wrong")
        assert denied.startswith("spackmon: the server answered 401")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ftp://example.org", "'ftp://example.org' is no address: expected http://host:port"),
        ("http://127.0.0.1:9", "http://127.0.0.1:9 does not answer: [Errno 111] Connection refused"),
    ],
)
def test_a_server_that_is_not_there_is_one_sentence(shell: Shell, url: str, sentence: str) -> None:
    assert shell.refused("upload", BUILDS, "--url", url) == f"spackmon: {sentence}"


def test_nobody_s_builds_are_a_usage_error(shell: Shell) -> None:
    assert shell.run("upload", BUILDS).returncode == 2
