"""Whatever Spack left on disks, brought in: into the database or to a server, any number of times."""

import gzip
import json
import tarfile
from pathlib import Path

import pytest
from sqlalchemy import MetaData, Table, create_engine, func, select, text

from tests.cli.command import EXAMPLES, Finished, Shell
from tests.client.proxy import bad_connection
from tests.server import served

SPECS = EXAMPLES / "specs.jsonl"
DATA = Path(__file__).parents[1] / "data"
# Sums are folded a moment later, and what is told of a report goes after a day.
# PostgreSQL's forms of the closure and of hashes of specs, which are views of them there.
_STORED = ("ancestor_list", "descendant_list", "closure_above_count", "spec_other_hash")
_FOLDED_OR_TOLD = (
    "build_day", "build_facet", "build_facet_change", "build_facet_duration", "build_facet_total",
    "build_total",
    "build_total_change", "error_group_change",
    "reported_change",
)  # fmt: skip
TREES = (DATA / "installs", DATA / "formats" / "buildcache", DATA / "junit", EXAMPLES / "builds")


def table(finished: Finished) -> dict[str, list[int]]:
    """The printed counts by noun: NEW, COMPLETED, KNOWN."""
    cells = [[cell for cell in line.split("  ") if cell.strip()] for line in finished.stdout.splitlines()[1:]]
    return {noun.strip(): [int(number) for number in numbers] for noun, *numbers in cells}


def dump(url: str) -> dict[str, int]:
    """How many rows each table has, but for those that are not what was reported.

    SQLite has words in tables and PostgreSQL in an index; sums are folded a moment later, and may be none.
    """
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    tables = MetaData()
    tables.reflect(engine, views=True)
    with engine.connect() as connection:
        rows = {name: connection.scalar(select(func.count()).select_from(_named(tables, name))) or 0
                for name in tables.tables
                if "_event_search" not in name and name not in _FOLDED_OR_TOLD + _STORED}  # fmt: skip
    engine.dispose()
    return rows


def _named(tables: MetaData, name: str) -> Table:
    return tables.tables[name]


def test_documents_one_a_line_are_stored_once(shell_on_both: Shell) -> None:
    assert table(shell_on_both.run("import", SPECS)) == {"specs": [13, 0, 0]}
    assert table(shell_on_both.run("import", SPECS)) == {"specs": [0, 0, 13]}


def test_a_damaged_line_is_named_and_the_rest_goes_in(shell_on_both: Shell, tmp_path: Path) -> None:
    lines = SPECS.read_text().splitlines()
    file = tmp_path / "specs.jsonl.gz"
    file.write_bytes(
        gzip.compress("\n".join([lines[0][:-9], "", lines[1], '{"spec": 1}', lines[2]]).encode())
    )
    finished = shell_on_both.run("import", file)
    said = finished.stderr.splitlines()
    assert finished.returncode == 1
    assert said[0].startswith(f"spackmon: {file}: ")
    assert "line 1: it is not JSON" in said[0]
    assert "line 4: the spec cannot be read" in said[0]
    assert said[1:] == ["spackmon: 1 document could not be stored"]
    assert table(finished) == {"specs": [9, 0, 0]}


def test_a_truncated_archive_gives_what_it_has(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "specs.jsonl.gz"
    # Incompressible lines, so that the first documents are whole in what is left.
    whole = gzip.compress(SPECS.read_bytes(), compresslevel=0)
    file.write_bytes(whole[: len(whole) - 2000])
    finished = shell.run("import", file)
    assert finished.returncode == 1
    assert finished.stderr.startswith(f"spackmon: {file}: ")
    assert table(finished) == {"specs": [12, 0, 0]}


def test_trees_and_archives_are_stored_once_and_what_is_no_report_is_named(
    shell_on_both: Shell, tmp_path: Path
) -> None:
    local = shell_on_both.environment["SPACKMON_DATABASE_URL"]
    (tmp_path / "notes.txt").write_text("to do: everything")
    first = shell_on_both.run("import", *TREES, tmp_path / "notes.txt", "--tag", "nightly", "--tag", "ci")
    assert first.returncode == 1
    assert [line.split(": ")[1] for line in first.stderr.splitlines()[:-1]] == [str(tmp_path / "notes.txt")]
    assert table(first)["builds"][0] > 10
    before = dump(local)
    assert before["tag"] == 5  # three are what the saved runs say
    archive = tmp_path / "installs.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(DATA / "junit", "junit")
    again = shell_on_both.run("import", *TREES, archive, "--tag", "ci")
    assert again.returncode == 0, again.stderr
    assert all(counts[:2] == [0, 0] for counts in table(again).values())
    assert dump(local) == before


def test_lines_for_a_server_are_a_file_too(shell: Shell) -> None:
    lines = EXAMPLES / "installs.jsonl"
    assert table(shell.run("import", SPECS, lines))["builds"][0] > 0
    assert table(shell.run("import", lines))["builds"][:2] == [0, 0]


def test_a_dry_run_reads_everything_and_stores_nothing(shell: Shell) -> None:
    before = dump(shell.environment["SPACKMON_DATABASE_URL"])
    finished = shell.run("import", "--dry-run", *TREES)
    assert finished.returncode == 0, finished.stderr
    assert table(finished)["builds"][0] > 10
    assert dump(shell.environment["SPACKMON_DATABASE_URL"]) == before


def test_a_server_gets_what_a_database_gets_over_a_bad_connection(
    shell_on_both: Shell, sqlite_url: str, tmp_path: Path
) -> None:
    remote = shell_on_both.environment["SPACKMON_DATABASE_URL"]
    local = Shell(sqlite_url, tmp_path)
    assert local.run("import", *TREES, SPECS).returncode == 0
    with (
        served(remote, tmp_path) as server,
        bad_connection(server.url, "drop", "cut") as proxy,
    ):
        arguments = ("import", *TREES, SPECS, "--url", proxy.url)
        first = shell_on_both.run(*arguments, SPACKMON_TOKEN=server.token)
        assert first.returncode == 0, first.stderr
        stored = dump(remote)
        assert set(table(shell_on_both.run(*arguments, SPACKMON_TOKEN=server.token))) == {
            "specs", "builds", "buildcaches",
        }  # fmt: skip
        # A buildcache that is read again is another report, so that the batch is another one.
        assert dump(remote) == {**stored, "submission_batch": stored["submission_batch"] + 1}
        denied = shell_on_both.run("import", SPECS, "--url", server.url, "--token", "wrong")
        assert denied.stderr.startswith("spackmon: the server answered 401")
    own = {"audit_entry", "person", "token", "submission_batch", "alembic_version"}
    # Which of two reports comes first decides who is compared with whom, not what is kept.
    assert {name: rows for name, rows in stored.items() if name not in own} == {
        name: rows for name, rows in dump(sqlite_url).items() if name not in own
    }


def test_what_somebody_imports_belongs_to_them(shell: Shell) -> None:
    shell.done("user", "add", "ada")
    shell.done("import", *TREES[2:3], "--user", "ada")
    engine = create_engine(shell.environment["SPACKMON_DATABASE_URL"])
    with engine.connect() as connection:
        names = connection.execute(
            text("SELECT DISTINCT p.name FROM build b JOIN person p ON p.id = b.owner_id")
        )
        assert list(names.scalars()) == ["ada"]
    assert shell.refused("import", SPECS, "--user", "bob").startswith("spackmon: there is no person")


def test_an_import_for_a_person_is_theirs_and_one_for_nobody_joins_whoever_built(
    shell_on_both: Shell, tmp_path: Path
) -> None:
    url = shell_on_both.environment["SPACKMON_DATABASE_URL"]
    for name in ("ada", "bob"):
        shell_on_both.done("user", "add", name)
        shell_on_both.done("import", DATA / "owners" / f"{name}.jsonl", "--user", name)
    assert _runs_by_owner(url) == {"ada": ["SUCCESS"], "bob": ["FAILED"]}
    for of, kind, owner in (("ada", "PREFIX", ("--user", "bob")), ("bob", "STAGE", ())):
        report = json.loads((DATA / "owners" / f"{of}.jsonl").read_text())
        report["source"] = {"kind": kind, "key": f"/left/by/{of}"}
        (tmp_path / "left.jsonl").write_text(json.dumps(report))
        shell_on_both.done("import", tmp_path / "left.jsonl", *owner)
        # What ada built bob has as well, because he says so; what failed for him nobody else built.
        assert _runs_by_owner(url) == {"ada": ["SUCCESS"], "bob": ["SUCCESS", "FAILED"]}


def _runs_by_owner(url: str) -> dict[str, list[str]]:
    """The statuses of all runs, as they ran, by whose they are."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT p.name, a.status FROM attempt a JOIN build b ON b.id = a.build_id"
                " JOIN person p ON p.id = b.owner_id ORDER BY a.started_at"
            )
        )
        runs: dict[str, list[str]] = {}
        for name, status in rows:
            runs.setdefault(name, []).append(status)
    engine.dispose()
    return runs


@pytest.mark.parametrize("path", ["/nowhere", "http://127.0.0.1:9/cache", "s3://bucket/cache"])
def test_what_is_not_there_is_one_sentence(shell: Shell, path: str) -> None:
    finished = shell.run("import", path)
    assert finished.returncode == 1
    assert finished.stderr.startswith(f"spackmon: {path}: ")
    assert finished.stderr.endswith("spackmon: 1 document could not be stored\n")
    assert "Traceback" not in finished.stderr


def test_a_document_over_many_lines_and_a_body_are_read(shell: Shell, tmp_path: Path) -> None:
    document, body = (json.loads(line) for line in SPECS.read_text().splitlines()[:2])
    (tmp_path / "document.json").write_text(json.dumps(document, indent=2))
    (tmp_path / "body.json").write_text(json.dumps({"spec": body, "spack_version": "1.2.0"}, indent=2))
    shell.done("import", tmp_path / "document.json", tmp_path / "body.json", "--spack-version", "1.1.0")
    engine = create_engine(shell.environment["SPACKMON_DATABASE_URL"])
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT DISTINCT spack_version FROM spec WHERE spack_version IS NOT NULL")
        )
        assert set(rows.scalars()) == {"1.1.0", "1.2.0"}


def test_damage_in_a_document_over_many_lines_is_named_by_its_line(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "document.json"
    file.write_text('{\n  "spec": {\n\n    "nodes": oops\n  }\n}\n')
    said = shell.run("import", file).stderr
    assert said.startswith(f"spackmon: {file}: it is not JSON: Expecting value in line 4,")
    assert said.endswith("spackmon: 1 document could not be stored\n")


def test_the_old_name_prints_what_it_stored(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "spec.json"
    file.write_text(SPECS.read_text().splitlines()[0])
    first = shell.done("import_package_configuration", file, "1.2.0").splitlines()
    again = shell.done("import_package_configuration", file, "1.2.0").splitlines()
    assert [line.split()[-1] for line in first[1:3]] == ["1.2.0", "created"]
    assert again[2].split() == ["Status", "exists"]
    assert first[3].startswith("demo-top v2.0 ")


def test_specs_are_counted_one_by_one_and_no_document_is_a_spec(shell: Shell) -> None:
    lock = DATA / "formats" / "spack-1.2.lock.gz"
    specs = len(json.loads(gzip.decompress(lock.read_bytes()))["concrete_specs"])
    assert table(shell.run("import", "--dry-run", lock)) == {"specs": [specs], "environments": [1]}
    assert table(shell.run("import", lock)) == {"specs": [specs, 0, 0], "environments": [1, 0, 0]}
    assert table(shell.run("import", lock)) == {"specs": [0, 0, specs], "environments": [0, 0, 1]}


def test_what_is_newer_is_named_and_goes_in(shell: Shell, tmp_path: Path) -> None:
    document = json.loads(gzip.decompress((DATA / "formats" / "spack-1.2.lock.gz").read_bytes()))
    document["_meta"] |= {"lockfile-version": 8, "specfile-version": 6}
    (tmp_path / "spack.lock").write_text(json.dumps(document))
    finished = shell.run("import", tmp_path / "spack.lock")
    assert finished.returncode == 0
    assert "lockfile-version 8 is newer than 7" in finished.stderr
    assert table(finished)["specs"][0] == len(document["concrete_specs"])
