"""Specs from files."""

import gzip
import json
from pathlib import Path

from sqlalchemy import create_engine, text

from tests.cli.command import EXAMPLES, Shell

SPECS = EXAMPLES / "specs.jsonl"


def test_documents_one_a_line_are_stored_once(shell_on_both: Shell) -> None:
    assert shell_on_both.run("import", SPECS).stderr == "3 specs stored, 3 of them new\n"
    assert shell_on_both.run("import", SPECS).stderr == "3 specs stored, 0 of them new\n"


def test_a_damaged_line_is_named_and_the_rest_goes_in(shell_on_both: Shell, tmp_path: Path) -> None:
    lines = SPECS.read_text().splitlines()
    file = tmp_path / "specs.jsonl.gz"
    file.write_bytes(
        gzip.compress("\n".join([lines[0][:-9], "", lines[1], '{"spec": 1}', lines[2]]).encode())
    )
    finished = shell_on_both.run("import", file)
    said = finished.stderr.splitlines()
    assert finished.returncode == 1
    assert said[0].startswith(f"spackmon: {file}:1: this is not JSON")
    assert said[1].startswith(f"spackmon: {file}:4: the spec cannot be read")
    assert said[2:] == ["2 specs stored, 2 of them new", "spackmon: 2 documents could not be stored"]


def test_a_truncated_archive_gives_what_it_has(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "specs.jsonl.gz"
    # Incompressible lines, so that the first documents are whole in what is left.
    whole = gzip.compress(SPECS.read_bytes(), compresslevel=0)
    file.write_bytes(whole[: len(whole) - 2000])
    finished = shell.run("import", file)
    assert finished.returncode == 1
    assert "cannot be read from here on" in finished.stderr
    assert "2 specs stored" in finished.stderr


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
    assert f"{file}:4: this is not JSON" in said
    assert said.endswith("spackmon: 1 document could not be stored\n")


def test_the_old_name_prints_what_it_stored(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "spec.json"
    file.write_text(SPECS.read_text().splitlines()[0])
    first = shell.done("import_package_configuration", file, "1.2.0").splitlines()
    again = shell.done("import_package_configuration", file, "1.2.0").splitlines()
    assert [line.split()[-1] for line in first[1:3]] == ["1.2.0", "created"]
    assert again[2].split() == ["Status", "exists"]
    assert first[3].startswith("demo-top v2.0 ")
