"""A whole service in a file and out of it, and from one kind of database into the other."""

import gzip
import json
import subprocess
import zipfile
from pathlib import Path

import pytest
from pyarrow import parquet
from sqlalchemy import create_engine, text

from spackmon.ingest.tables.sealing import seal
from spackmon.ops.copies.copying import snapshot
from tests.cli.command import PROGRAM, Shell
from tests.databases import PostgresqlDatabases

OLD = Path(__file__).parents[1] / "data" / "old-server" / "shared.sqlite3.gz"


def _contents(url: str) -> dict[str, tuple[int, str]]:
    with snapshot(url) as source:
        contents = {form.name: source.content(form) for form in source.forms}
        return {name: (content.rows, content.digest) for name, content in contents.items()}


def test_a_backup_fills_an_empty_database_of_the_other_kind_and_is_copied_back(
    shell_on_both: Shell, postgresql_databases: PostgresqlDatabases, tmp_path: Path
) -> None:
    shell, file = shell_on_both, tmp_path / "spackmon.backup"
    url = shell.environment["SPACKMON_DATABASE_URL"]
    (tmp_path / "old.sqlite3").write_bytes(gzip.decompress(OLD.read_bytes()))
    shell.done("import-old", tmp_path / "old.sqlite3", "--quiet")
    _make_particular(url)
    (tmp_path / "jwt_server_secret").write_text("k" * 40)
    (tmp_path / "spool").mkdir(exist_ok=True)
    (tmp_path / "spool" / "00000000000000000001-a.report").write_bytes(b"a report")
    before = _contents(url)
    assert shell.done("backup", file).endswith(", 2 files, read back\n")
    assert file.stat().st_mode & 0o777 == 0o600
    assert "whole" in shell.done("restore", file, "--dry-run")

    with postgresql_databases.empty() as postgresql:
        sqlite = f"sqlite:///{tmp_path}/new/new.sqlite3"
        (tmp_path / "new").mkdir()
        other = Shell(postgresql if url.startswith("sqlite") else sqlite, tmp_path / "new")
        for _ in range(2):
            other.done("restore", file)
        assert _contents(other.environment["SPACKMON_DATABASE_URL"]) == before
        other.done("db", "check")
        assert (tmp_path / "new" / "jwt_server_secret").read_text() == "k" * 40
        assert (tmp_path / "new" / "spool" / "00000000000000000001-a.report").read_bytes() == b"a report"
        # No number is given twice, even where nothing has it any more.
        assert _next_build(other.environment["SPACKMON_DATABASE_URL"]) > 1000
        back = f"sqlite:///{tmp_path}/back.sqlite3"
        other.done("db", "copy", back)
        other.done("user", "add", "later")
        assert "has other rows" in other.refused("db", "copy", back)
        assert _contents(back) == before


def _make_particular(url: str) -> None:
    """What one kind of database stores otherwise than the other, and a number that was given and is gone."""
    engine = create_engine(url)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(text("UPDATE sqlite_sequence SET seq = 1000 WHERE name = 'build'"))
        else:
            connection.execute(text("SELECT setval('build_id_seq', 1000)"))
            seal(connection, 0)
    engine.dispose()


def _next_build(url: str) -> int:
    engine = create_engine(url)
    with engine.connect() as connection:
        columns = "environment_id, owner_id, status, created_at, updated_at"
        statement = f"INSERT INTO build ({columns}) SELECT {columns} FROM build LIMIT 1 RETURNING id"
        return int(connection.execute(text(statement)).scalar_one())


def test_a_backup_is_of_one_moment_while_others_write(database_url: str) -> None:
    with snapshot(database_url) as source:
        people = next(form for form in source.forms if form.name == "person")
        before = source.content(people)
        engine = create_engine(database_url)
        with engine.begin() as connection:
            now = "'2026-01-01T00:00:00.000000Z'"
            connection.execute(text(f"INSERT INTO person (name, created_at) VALUES ('ada', {now})"))
        engine.dispose()
        assert source.content(people) == before


@pytest.mark.parametrize("command", ["copy", "restore"])
def test_who_is_killed_while_a_database_is_filled_goes_on(
    shell: Shell, postgresql_databases: PostgresqlDatabases, tmp_path: Path, command: str
) -> None:
    (tmp_path / "old.sqlite3").write_bytes(gzip.decompress(OLD.read_bytes()))
    shell.done("import-old", tmp_path / "old.sqlite3", "--quiet")
    before = _contents(shell.environment["SPACKMON_DATABASE_URL"])
    shell.done("backup", tmp_path / "spackmon.backup")
    with postgresql_databases.empty() as url:
        filling, words = (
            (shell, ["db", "copy", url])
            if command == "copy"
            else (Shell(url, tmp_path / "new"), ["restore", str(tmp_path / "spackmon.backup")])
        )
        process = subprocess.Popen(
            [PROGRAM, *words], env=filling.environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        assert process.stderr is not None
        # It is within the next table when it says that one is there.
        told = next(line for line in process.stderr if b"package is there" in line)
        process.kill()
        process.wait()
        process.stderr.close()
        assert told
        filling.done(*words)
        assert _contents(url) == before


@pytest.mark.parametrize("damage", ["cut", "changed", "missing"])
def test_a_damaged_backup_is_refused_and_nothing_is_restored(
    shell: Shell, tmp_path: Path, damage: str
) -> None:
    file = tmp_path / "spackmon.backup"
    shell.done("user", "add", "ada")
    shell.done("backup", file)
    content = bytearray(file.read_bytes())
    if damage == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "changed":
        with zipfile.ZipFile(file) as archive:
            place = archive.getinfo("tables/person.ndjson.zst").header_offset + 110
        content[place] ^= 1
        file.write_bytes(content)
    else:
        file.unlink()
    other = Shell(f"sqlite:///{tmp_path}/new.sqlite3", tmp_path / "new")
    for options in (["--dry-run"], []):
        sentence = other.refused("restore", file, *options)
        assert "damaged" in sentence or "No such file" in sentence
    assert "ada" not in other.done("user", "list")


def test_tables_are_exported_for_other_programs(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "old.sqlite3").write_bytes(gzip.decompress(OLD.read_bytes()))
    shell.done("import-old", tmp_path / "old.sqlite3", "--quiet")
    out = tmp_path / "out"
    shell.done("export", out, "--format", "parquet")
    shell.done("export", out)
    builds = parquet.read_table(out / "build.parquet")
    assert builds.num_rows == 24
    assert str(builds.schema.field("created_at").type) == "timestamp[us, tz=UTC]"
    statuses = parquet.read_table(out / "attempt.parquet", columns=["status", "reported_at"]).to_pylist()
    assert {row["status"] for row in statuses} == {"SUCCESS", "FAILED", "NOTRUN", "CANCELLED"}
    assert min(row["reported_at"] for row in statuses).isoformat() == "2026-11-29T02:55:59.000330+00:00"
    logs = parquet.read_table(out / "log_chunk.parquet", columns=["content"]).to_pylist()
    assert any("fatal error: nonexistent_header_for_demo.h" in row["content"] for row in logs)
    digests = parquet.read_table(out / "log.parquet", columns=["digest"]).to_pylist()
    assert all(len(row["digest"]) == 32 for row in digests)
    documents = [json.loads(line) for line in (out / "spec_document.ndjson").read_text().splitlines()]
    assert "autodemo" in {json.loads(one["document"])["name"] for one in documents}
    claims = parquet.read_table(out / "claim.parquet", columns=["phases"]).to_pylist()
    phases = [phase for row in claims if row["phases"] for phase in json.loads(row["phases"])]
    assert {"configure", "install"} < {phase["name"] for phase in phases}
    people = parquet.read_table(out / "person.parquet")
    assert "password_hash" not in people.column_names
    assert not {"token", "session", "signing_key"} & {path.stem for path in out.iterdir()}
    for path in out.glob("*.parquet"):
        lines = path.with_suffix(".ndjson").read_text().splitlines()
        assert parquet.read_metadata(path).num_rows == len(lines), path.name
