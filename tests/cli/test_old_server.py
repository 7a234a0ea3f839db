"""The old server's database, imported: what its own truth says of it, and what else such a site may have."""

import gzip
import hashlib
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, func, make_url, select, text

from spackmon.auth.tokens import digest
from spackmon.models import Base
from tests.cli.command import Shell
from tests.databases import PostgresqlDatabases

DATA = Path(__file__).parents[1] / "data" / "old-server"
TRUTH = json.loads((DATA / "shared-truth.json").read_text())

_BUILDS = """
    SELECT s.hash, e.hostname, c.status AS claimed, a.status, p.name AS owner, a.reported_at, a.started_at,
        a.spack_version, k.names AS tags, c.id AS claim_id, c.manifest_id, c.environment_set_id,
        a.id AS attempt_id
    FROM claim c JOIN attempt a ON a.id = c.attempt_id JOIN build b ON b.id = a.build_id
    JOIN spec s ON s.id = b.spec_id JOIN person p ON p.id = b.owner_id
    JOIN build_environment e ON e.id = b.environment_id
    LEFT JOIN tag_set k ON k.id = c.tag_set_id
"""
_OF_BUILD = {
    "phases": "SELECT k.name, k.status, l.size_bytes, l.digest FROM phase p"
    " JOIN phase_kind k ON k.id = p.kind_id LEFT JOIN log l ON l.id = p.log_id"
    " WHERE p.attempt_id = :attempt_id ORDER BY k.position",
    "files": "SELECT path FROM install_file WHERE manifest_id = :manifest_id ORDER BY path",
    "variables": "SELECT name, value FROM environment_variable"
    " WHERE environment_set_id = :environment_set_id",
    "results": "SELECT a.analyzer, r.name, r.path, r.kind, r.size_bytes FROM analysis a JOIN attribute r"
    " ON r.analysis_id = a.id WHERE a.claim_id = :claim_id ORDER BY r.path, r.name",
    "events": "SELECT kind, source_file, source_line FROM build_event WHERE attempt_id = :attempt_id",
}  # fmt: skip


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    """A copy of the database, as SQLite has it."""
    path = tmp_path / "old.sqlite3"
    path.write_bytes(gzip.decompress((DATA / "shared.sqlite3.gz").read_bytes()))
    return path


def test_everything_of_the_old_server_is_here_once(
    shell_on_both: Shell, old_file: Path, postgresql_databases: PostgresqlDatabases
) -> None:
    shell = shell_on_both
    counts = _counts(shell.done("import-old", old_file))
    assert counts["builds"] == ["24", "24"]
    assert {noun: both for noun, both in counts.items() if both[0] != both[1]} == {
        "install files": ["56", "50"]
    }
    rows = _rows(shell)
    _check_against_truth(shell)
    shell.done("db", "check")
    # The same database as PostgreSQL has it.
    with postgresql_databases.empty() as url:
        _load(url, gzip.decompress((DATA / "shared-postgresql.sql.gz").read_bytes()).decode())
        assert _counts(shell.done("import-old", url, "--quiet")) == counts
    assert _rows(shell) == rows
    key = _key_of(old_file, "alice")
    assert digest(key).hex() in {bytes(one).hex() for one in _column(shell, "SELECT digest FROM token")}


def _counts(printed: str) -> dict[str, list[str]]:
    lines = [line.split("  ") for line in printed.splitlines()[1:]]
    return {line[0].strip(): [cell.strip() for cell in line if cell.strip()][1:3] for line in lines}


def _check_against_truth(shell: Shell) -> None:
    engine = create_engine(shell.environment["SPACKMON_DATABASE_URL"])
    with engine.connect() as connection:
        stored = {(row.hash, row.hostname): row for row in connection.execute(text(_BUILDS))}
        assert len(stored) == TRUTH["tables"]["main_build"]
        for build in TRUTH["builds"]:
            row = stored[build["spec"]["full_hash"], build["environment"]["hostname"]]
            of_build = {
                name: connection.execute(text(statement), dict(row._mapping)).all()
                for name, statement in _OF_BUILD.items()
            }
            _check_build(build, row, of_build)


def _check_build(build: Mapping[str, Any], row: Any, of_build: Mapping[str, Any]) -> None:
    assert (row.claimed, row.owner, row.spack_version) == (
        build["status"], build["owner"], build["spec"]["spack_version"],
    )  # fmt: skip
    # What broke in a phase has failed, though its client said no more.
    is_broken = row.claimed == "NOTRUN" and any(phase["status"] == "ERROR" for phase in build["phases"])
    assert row.status == ("FAILED" if is_broken else build["status"])
    assert sorted(json.loads(row.tags or "[]")) == sorted(build["tags"])
    # A row was written when it was reported; it ran before that, if it is known when.
    assert str(row.reported_at).replace("T", " ")[:26] == build["add_date"]
    assert row.started_at is None or str(row.started_at) < build["add_date"]
    assert [
        (name, status, size or 0, bytes(log).hex() if log else hashlib.sha256().hexdigest())
        for name, status, size, log in of_build["phases"]
    ] == [(p["name"], p["status"], p["output_bytes"], p["output_sha256"]) for p in build["phases"]]
    assert dict(map(tuple, of_build["variables"])) == build["environment_variables"]
    results = [(r["analyzer"], r["name"], r["file"]) for r in build["attributes"]]
    assert [tuple(row[:3]) for row in of_build["results"]] == sorted(results, key=lambda r: r[::-1][:2])
    named = {row[2] for row in of_build["results"]}
    assert len(of_build["files"]) + len(named) == build["files"]["count"]
    found = set(map(tuple, of_build["events"]))
    for kind in ("error", "warning"):
        for event in build[f"{kind}s"]:
            if event["source_file"] != "(None,)":
                assert (kind.upper(), event["source_file"], event["source_line_no"]) in found


def _rows(shell: Shell) -> dict[str, int]:
    engine = create_engine(shell.environment["SPACKMON_DATABASE_URL"])
    with engine.connect() as connection:
        return {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in Base.metadata.tables.items()
        }


def _load(url: str, dump: str) -> None:
    with psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(False)) as connection:
        statement: list[str] = []
        lines = iter(dump.splitlines(keepends=True))
        for line in lines:
            if line.startswith("COPY "):
                with connection.cursor().copy(line.rstrip().rstrip(";")) as copy:
                    while (row := next(lines)) != "\\.\n":
                        copy.write(row)
            elif not line.startswith(("--", "\\")):
                statement.append(line)
                if line.rstrip().endswith(";"):
                    connection.execute("".join(statement).encode())
                    statement = []


def _key_of(old_file: Path, name: str) -> str:
    of_name = "SELECT key FROM authtoken_token t JOIN users_user u ON u.id = t.user_id WHERE username = ?"
    with sqlite3.connect(old_file) as connection:
        return str(connection.execute(of_name, (name,)).fetchone()[0])


def _column(shell: Shell, statement: str) -> list[Any]:
    with create_engine(shell.environment["SPACKMON_DATABASE_URL"]).connect() as connection:
        return list(connection.execute(text(statement)).scalars())


# What else the rows of a site may be; each line changes what the database has.
_ODDITIES = """
    UPDATE users_user SET username = 'Ada Lovelace', is_superuser = 1 WHERE username = 'alice';
    UPDATE users_user SET username = 'bö:b', is_active = 0 WHERE username = 'bob';
    UPDATE authtoken_token SET key = 'no key' WHERE user_id = 3;
    -- Spack 0.19dev: no build_hash, and the document is of version 3.
    UPDATE main_spec SET build_hash = NULL, spack_version = '0.19.0.dev0' WHERE id IN (18, 20, 22);
    UPDATE main_spec SET parameters = '{broken' WHERE id = 19;
    -- A dependency of which there is the name alone, with builds of its own.
    UPDATE main_spec SET arch_id = NULL WHERE id = 6;
    UPDATE main_dependency SET dependency_type = "['build', 'link']" WHERE id = 1;
    DELETE FROM main_spec WHERE id = 3;
    UPDATE main_installfile SET name = "['/home/me', 'libz-1/lib/libz.so']" WHERE id = 1;
    UPDATE main_attribute SET value = NULL, binary_value = X'00FF10', json_value = '{}' WHERE id = 1;
    UPDATE main_attribute SET json_value = '[broken' WHERE id = 2;
    -- An output that is gone, and one that is no UTF-8.
    UPDATE main_buildphase SET output = NULL, status = NULL, error = 'gone with the disk' WHERE id = 14;
    UPDATE main_buildphase SET output = CAST(X'6F6B0AFF00FE0A' AS TEXT) WHERE id = 33;
    UPDATE main_buildphase SET build_id = 999 WHERE id = 5;
    UPDATE main_build SET owner_id = 77 WHERE id = 24;
    UPDATE main_build SET spec_id = 998 WHERE id = 23;
    UPDATE main_build SET add_date = '2026-11-29 02:57:06' WHERE id = 20;
    UPDATE main_installfile SET owner = 99999999999999999999 WHERE id = 4;
    -- Rows that hang on what is gone, some by way of another.
    INSERT INTO main_spec_dependencies VALUES (9001, 1, 99999);
    INSERT INTO main_build_envars VALUES (9001, 1, 99999);
    INSERT INTO taggit_taggeditem VALUES (9001, 2,
        (SELECT min(content_type_id) FROM taggit_taggeditem), 99999);
    UPDATE main_installfile SET build_id = 999
        WHERE id = (SELECT max(install_file_id) FROM main_attribute);
    UPDATE main_builderror SET phase_id = 5 WHERE id = 3;
    -- What one build has twice by its name, and a build that is there twice.
    INSERT INTO main_environmentvariable
        SELECT 9001, add_date, modify_date, name, 'other' FROM main_environmentvariable
        WHERE id = (SELECT environmentvariable_id FROM main_build_envars WHERE id = 1);
    INSERT INTO main_build_envars SELECT 9002, build_id, 9001 FROM main_build_envars WHERE id = 1;
    INSERT INTO main_build SELECT 9001, add_date, modify_date, 'FAILED', config_args, build_environment_id,
        spec_id, owner_id FROM main_build WHERE id = 22;
    DROP TABLE main_feature;
    DROP TABLE main_buildwarning;
    ALTER TABLE main_spec DROP COLUMN package_hash;
"""


def test_what_a_site_has_beside_is_kept_or_named(shell: Shell, old_file: Path) -> None:
    with sqlite3.connect(old_file) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.executescript(
            "DROP INDEX main_build_spec_id_build_environment_id_7bbe5683_uniq;" + _ODDITIES
        )
    connection.close()
    # Nobody may write beside it.
    old_file.chmod(0o400)
    printed = shell.done("import-old", old_file)
    reasons = {line.split("  ")[0]: line for line in printed.splitlines()}
    assert "LOST" not in printed
    assert "'bö:b' is 'bö_b-" in reasons["people"]
    assert "1 × nobody can write with it" in reasons["tokens"]
    assert "1 × of it there are its name and hashes alone" in reasons["specs"]
    assert "× the spec that it leads to is not here" in reasons["dependencies"]
    assert reasons["builds"].split()[1:3] == ["25", "22"]
    assert _column(shell, "SELECT count(*) FROM claim c JOIN attempt a ON a.id = c.attempt_id") == [22]
    for noun in ("phases", "dependencies", "tags of builds", "analysis results", "errors"):
        assert "× the row that it refers to is not there" in reasons[noun]
    assert (
        "1 × the row that it refers to is not there; 1 × its build has two of one name"
        in (reasons["environment variables"])
    )
    assert "1 × owner must be an integer" in reasons["modes and owners of files"]
    assert "1 × no JSON object" in reasons["parameters of specs"]
    names = _column(shell, "SELECT name FROM person ORDER BY name")
    assert names[:3] == ["Ada Lovelace", "anonymous", names[2]]
    assert _column(shell, "SELECT name FROM person WHERE disabled_at IS NOT NULL") == [names[2]]
    admins = "SELECT name FROM person WHERE role = 'admin'"
    assert _column(shell, admins) == ["Ada Lovelace"]
    assert _column(shell, "SELECT format_version FROM spec WHERE hash LIKE 'ggg%1'") == [3]
    # What was built of the spec without an architecture is there, and waits for it.
    waiting = "SELECT p.name FROM build b JOIN package p ON p.id = b.package_id WHERE b.spec_id IS NULL"
    assert _column(shell, waiting) == ["libzeta", "libzeta"]
    assert "/home/me/spack/opt/spack/libz-1/lib/libz.so" in _column(shell, "SELECT path FROM install_file")
    assert [
        bytes(one) for one in _column(shell, "SELECT binary_value FROM attribute WHERE kind = 'BINARY'")
    ] == [b"\0\xff\x10"]
    assert "[broken" in _column(shell, "SELECT value FROM attribute WHERE kind = 'TEXT'")
    reported = _column(shell, "SELECT text FROM build_event WHERE claim_id IS NOT NULL AND kind = 'ERROR'")
    assert "gone with the disk" in reported
    assert any("nonexistent_header" in one for one in reported)
    rows = _rows(shell)
    assert shell.done("import-old", old_file, "--quiet") == printed
    assert _rows(shell) == rows
    shell.done("db", "check")


def test_what_is_no_database_of_the_old_server_is_refused(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for place in (tmp_path / "missing", tmp_path, tmp_path / "empty", "mysql://x/y", "postgresql://127.0.0.1:1/x",
                  str(tmp_path / "spackmon.sqlite3")):  # fmt: skip
        assert "is no database of the old server" in shell.refused("import-old", place)
