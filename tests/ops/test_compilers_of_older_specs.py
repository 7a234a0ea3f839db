"""Specs have the compilers and the package hashes that they had before these were no longer written out."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from spackmon.database import Database
from spackmon.ops.migrations import upgrade
from tests.ops.landed import upgrade_to
from tests.ops.test_documents_of_older_specs import FILLED as OF_SPECS
from tests.ops.test_documents_of_older_specs import VALUES

_SPEC = (
    "INSERT INTO spec (id, hash, hash_kind, package_version_id, compiler_id, names_compiler, architecture_id,"
    " parameter_set_id, package_hash, format_version, is_public, recorded_at)"
    " VALUES ({}, '{}', 'hash', 1, {}, false, 1, 1, {}, 5, {}, :t)"
)
FILLED = (
    *OF_SPECS[:5],
    "INSERT INTO compiler (id, name, version, version_key) VALUES (1, 'gcc', '9', :b), (2, 'llvm', '9', :b)",
    _SPEC.format(1, "a", 1, "'p'", "true"),
    _SPEC.format(2, "b", 2, "'p'", "false"),
    _SPEC.format(3, "c", "NULL", "NULL", "true"),
    _SPEC.format(9000, "z", 1, "'q'", "true"),
    "INSERT INTO spec_compiler (spec_id, language, compiler_id, is_main) VALUES (1, 'c', 1, true),"
    " (1, 'cxx', 1, true), (1, 'fortran', 1, true), (2, 'cxx', 2, true), (2, 'fortran', 1, false),"
    " (9000, 'c', 1, true)",
)
CHANGES = (
    # Of a spec that does not change itself.
    "INSERT INTO spec_compiler (spec_id, language, compiler_id, is_main)"
    " VALUES (9000, 'cxx', 1, true), (9000, 'fortran', 2, false)",
    "DELETE FROM spec_compiler WHERE spec_id = 2 AND language = 'fortran'",
    "UPDATE spec SET package_hash = 'r' WHERE id = 2",
    _SPEC.format(9001, "y", "NULL", "'p'", "true"),
)
COMPILERS = "SELECT spec_id, language, compiler_id FROM spec_compiler ORDER BY 1, 2, 3"
SPECS = "SELECT s.id, hash, compiler_id, {}, is_public, recorded_at FROM spec s {} ORDER BY 1"
BEFORE = SPECS.format("package_hash", "")
SINCE = SPECS.format("h.value", "LEFT JOIN package_hash h ON h.id = s.package_hash_id")


def test_compilers_and_package_hashes_stay_while_others_write(empty_url: str, tmp_path: Path) -> None:
    upgrade_to(62, empty_url, tmp_path / "before")
    database = Database(empty_url)

    def run(*statements: str) -> None:
        def work(connection: Connection) -> None:
            for statement in statements:
                given = {name: value for name, value in VALUES.items() if f":{name}" in statement}
                connection.execute(text(statement), given)

        database.write_once(work)

    def rows(question: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in database.read_once(lambda c: c.execute(text(question)).all())]

    # Later revisions say the same of other tables.
    changes = iter([CHANGES])

    def change(progress: str) -> None:
        if progress == "what changed meanwhile":
            run(*next(changes, ()))

    run(*FILLED)
    if database.is_sqlite:
        run(*CHANGES)
    upgrade(empty_url, tell=change)
    moment = rows(BEFORE.replace("package_hash", "package_hash_id"))[0][-1]
    assert rows(COMPILERS) == [
        (1, "c", 1), (1, "cxx", 1), (1, "fortran", 1), (2, "cxx", 2),
        (9000, "c", 1), (9000, "cxx", 1), (9000, "fortran", 2),
    ]  # fmt: skip
    assert rows("SELECT spec_id, language, compiler_id FROM other_compiler") == [(9000, "fortran", 2)]
    assert rows(SINCE) == [
        (1, "a", 1, "p", True, moment), (2, "b", 2, "r", False, moment), (3, "c", None, None, True, moment),
        (9000, "z", 1, "q", True, moment), (9001, "y", None, "p", True, moment),
    ]  # fmt: skip
    run("INSERT INTO package_hash (value) VALUES ('s')")
    assert len(rows("SELECT DISTINCT id FROM package_hash")) == 4
    database.close()
