"""The schema at the command line, the inbox and the spool."""

import json
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import create_engine, text

from spackmon.auth.access_tokens import Claims
from spackmon.ops.spool import Spool, Spooled
from tests.cli.command import Shell
from tests.databases import PostgresqlDatabases
from tests.server import served


def test_a_site_s_database_is_migrated_when_its_people_say_so(
    postgresql_databases: PostgresqlDatabases, tmp_path: Path
) -> None:
    with postgresql_databases.empty() as url:
        shell = Shell(url, tmp_path)
        assert "run `spackmon db upgrade`" in shell.refused("db", "check")
        assert "run `spackmon db upgrade`" in shell.refused("user", "list")
        shell.done("db", "upgrade")
        shell.done("db", "upgrade")
        shell.done("db", "check")
        shell.done("user", "list")


def test_an_embedded_database_is_made_on_first_need(tmp_path: Path) -> None:
    shell = Shell(f"sqlite:///{tmp_path}/new.sqlite3", tmp_path)
    assert "run `spackmon db upgrade`" in shell.refused("db", "check")
    shell.done("user", "add", "ada")
    shell.done("db", "check")


def test_a_database_that_a_newer_program_made_is_left_alone(shell_on_both: Shell) -> None:
    engine = create_engine(shell_on_both.environment["SPACKMON_DATABASE_URL"])
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for command in (["user", "list"], ["db", "upgrade"], ["db", "check"]):
        assert shell_on_both.refused(*command) == (
            "spackmon: the database is at revision 9999, which this program does not know: update spackmon"
        )


def test_a_new_name_of_secrets_masks_what_is_stored(shell_on_both: Shell, tmp_path: Path) -> None:
    shell = shell_on_both
    line = {
        "type": "install", "source": {"kind": "EXTENSION", "key": "r1"}, "package": "zlib",
        "environment_variables": {"INTEL_LICENSE": "27000@host"},
    }  # fmt: skip
    report = tmp_path / "report.jsonl"
    report.write_text(json.dumps(line))
    shell.done("user", "add", "ada")
    shell.done("import", report, "--user", "ada")

    def masked(*options: str, names: str) -> list[str]:
        printed = shell.done("db", "mask-secrets", *options, SPACKMON_SECRET_NAMES=names).splitlines()
        return printed[1].split()[-2:]

    assert masked(names="PIN") == ["1", "0"]
    assert masked("--dry-run", names="PIN,LICENSE") == ["1", "1"]
    assert masked(names="LICENSE") == ["1", "1"]
    assert masked(names="LICENSE") == ["1", "0"]
    refused = shell.run("db", "mask-secrets", SPACKMON_SECRET_NAMES="a b").stderr
    assert refused == "spackmon: SECRET_NAMES: 'a b' is no word of a name, such as LICENSE or SITE_PIN\n"


def test_the_schema_is_printed(shell: Shell) -> None:
    assert "type Query {" in shell.done("schema")


def test_the_version_is_printed_without_a_database(shell: Shell) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    assert shell.run("--version", SPACKMON_DATABASE_URL=nowhere).stdout == f"spackmon {version('spackmon')}\n"


def test_what_could_not_be_applied_is_listed_shown_and_replayed(shell_on_both: Shell, tmp_path: Path) -> None:
    shell = shell_on_both
    environment = {
        "host_os": "debian12",
        "platform": "linux",
        "host_target": "x86_64",
        "hostname": "\x1b[2Jhost",
    }
    body = {**environment, "kernel_version": "1", "spack_version": "1.2.0", "full_hash": "unknown-hash"}
    with served(shell.environment["SPACKMON_DATABASE_URL"], tmp_path) as server:
        answer = server.post("/ms1/builds/new/", body)
        assert answer.status_code == 404
    (entry,) = shell.done("inbox", "list").splitlines()[1:]
    assert entry.split()[:4:2] == ["1", "builder"]
    assert '"unknown-hash"' in shell.done("inbox", "show", 1)
    assert (
        shell.run("inbox", "replay")
        .stderr.splitlines()[-1]
        .endswith("could not be applied and stay in the inbox")
    )
    assert "no entry 2" in shell.refused("inbox", "replay", 2)


def test_what_the_spool_has_set_aside_is_listed_and_put_back(shell: Shell) -> None:
    directory = Path(shell.environment["SPACKMON_DATA_DIR"]) / "spool"
    Spool(directory).put(Spooled("builds/update", Claims("ada", None), b"{}"))
    (report,) = directory.glob("*.report")
    report.with_suffix(".reason").write_text("it failed, 6 times")
    report.rename(report.with_suffix(".aside"))
    (entry,) = shell.done("spool", "list").splitlines()[1:]
    assert [entry.split()[place] for place in (0, 2, 3)] == [report.stem, "ada", "builds/update"]
    assert entry.endswith("it failed, 6 times")
    assert "has set no report 'x' aside" in shell.refused("spool", "retry", "x")
    shell.done("spool", "retry", report.stem)
    assert report.exists()
    assert not shell.done("spool", "list").splitlines()[1:]
