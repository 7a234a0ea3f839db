# ruff: noqa: S608 -- statements are put together of our own constants alone
"""Specs are numbered in four bytes, and say which languages their own compiler compiles.

`other_compiler` has the others, and `spec_compiler`, which was a table of both, is a view. The hash of a
package's recipe is written once, not in each of its specs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, ByteOrderedWord
from spackmon.ops.ahead import step
from spackmon.ops.replacing import Replacing
from spackmon.ops.rewriting import Part, Rewriting, columns

revision = "0070"
down_revision = "0069"
branch_labels = None
depends_on = None

# The columns that are copied are there since then.
ahead_from = "0057"

_LANGUAGES = """
    (SELECT COALESCE(sum(CASE k.language WHEN 'c' THEN 1 WHEN 'cxx' THEN 2 ELSE 4 END), 0)
    FROM spec_compiler k WHERE k.spec_id = spec.id AND k.is_main)
"""
_PACKAGE_HASH_ID = "(SELECT h.id FROM package_hash h WHERE h.value = spec.package_hash)"
_PACKAGE_HASHES = """
    INSERT INTO package_hash (value) SELECT DISTINCT package_hash FROM spec
    WHERE package_hash IS NOT NULL AND {}
        AND NOT EXISTS (SELECT 1 FROM package_hash h WHERE h.value = spec.package_hash)
    ORDER BY 1 ON CONFLICT DO NOTHING
"""
_PACKAGE_HASH = """
    CREATE TABLE IF NOT EXISTS package_hash (
        id serial CONSTRAINT pk_package_hash PRIMARY KEY,
        value text COLLATE "C" NOT NULL CONSTRAINT uq_package_hash_value UNIQUE
    )
"""

_SPEC = Replacing(
    "spec",
    ", ".join((
        columns(
            "int: package_version_id! compiler_id architecture_id! parameter_set_id! package_hash_id"
            " package_set_id; short: format_version!"
        ),
        "compiler_languages smallint NOT NULL DEFAULT 0",
        columns("at: recorded_at!; is: names_compiler!"),
        "is_public boolean NOT NULL DEFAULT true",
        columns("text: hash! hash_kind! namespace spack_version; json: external"),
        columns("text: external_path built_as"),
    )),
    {
        "pk_spec": "(id)",
        "uq_spec_hash_hash_kind": "(hash, hash_kind)",
        "ix_spec_compiler_id_names_compiler": "(compiler_id, names_compiler)",
        "ix_spec_package_version_id_id": "(package_version_id, id)",
        "ix_spec_architecture_id": "(architecture_id)",
        "ix_spec_parameter_set_id": "(parameter_set_id)",
        "ix_spec_package_set_id": "(package_set_id)",
        "ix_spec_built_as": "(built_as) WHERE built_as IS NOT NULL",
        "ix_spec_not_public": "(id) WHERE NOT is_public",
    },
    {
        "package_version_id": "package_version", "compiler_id": "compiler", "architecture_id": "architecture",
        "parameter_set_id": "parameter_set", "package_hash_id": "package_hash",
    },
    "integer",
    {"compiler_languages": _LANGUAGES, "package_hash_id": f"{_PACKAGE_HASH_ID} AS package_hash_id"},
)  # fmt: skip
_OTHERS = Replacing(
    "spec_compiler",
    columns("int: spec_id! compiler_id!; text: language!"),
    {
        "pk_spec_compiler": "(spec_id, language, compiler_id)",
        "ix_spec_compiler_compiler_id_spec_id": "(compiler_id, spec_id)",
    },
    {"spec_id": "spec", "compiler_id": "compiler"},
    None,
)
_RENAMED = (
    "ALTER TABLE spec_compiler RENAME TO other_compiler",
    "ALTER INDEX ix_spec_compiler_compiler_id_spec_id RENAME TO ix_other_compiler_compiler_id_spec_id",
    *(
        f"ALTER TABLE other_compiler RENAME CONSTRAINT {kind.format('spec')} TO {kind.format('other')}"
        for kind in ("pk_{}_compiler", "fk_{}_compiler_spec_id", "fk_{}_compiler_compiler_id")
    ),
)


# SQLite's.
_PARTIAL = (
    ("ix_spec_built_as", "built_as", "built_as IS NOT NULL"),
    ("ix_spec_not_public", "id", "is_public = 0"),
)


_VIEW = """
    CREATE VIEW spec_compiler AS
    SELECT s.id AS spec_id, l.language COLLATE "C" AS language, s.compiler_id
    FROM spec s JOIN (VALUES (1, 'c'), (2, 'cxx'), (4, 'fortran')) l(bit, language)
    ON (s.compiler_languages & l.bit) <> 0
    UNION ALL SELECT spec_id, language, compiler_id FROM other_compiler
"""
# Of a UNION whose rows are sorted by what is joined to them SQLite makes all, for each spec.
_VIEW_IN_SQLITE = """
    CREATE VIEW spec_compiler AS
    SELECT s.id AS spec_id, l.column2 AS language,
        CASE w.column1 WHEN 0 THEN s.compiler_id ELSE o.compiler_id END AS compiler_id
    FROM spec s JOIN (VALUES (1, 'c'), (2, 'cxx'), (4, 'fortran')) l JOIN (VALUES (0), (1)) w
    LEFT JOIN other_compiler o ON w.column1 = 1 AND o.spec_id = s.id AND o.language = l.column2
    WHERE CASE w.column1 WHEN 0 THEN (s.compiler_languages & l.column1) <> 0 ELSE o.spec_id IS NOT NULL END
"""


@dataclass(frozen=True, slots=True)
class _Specs(Part):
    """The specs, before whose rows the hashes of their packages are written."""

    def copy(self, connection: sa.Connection, which: str, values: Mapping[str, object]) -> None:
        """Copy the rows of which the condition `which` is true."""
        connection.execute(sa.text(_PACKAGE_HASHES.format(which)), values)
        Part.copy(self, connection, which, values)


_REWRITING = Rewriting(
    "specs",
    (_Specs(_SPEC, "id", "spec"), Part(_OTHERS, "spec_id", "spec", kept="NOT is_main")),
    (
        "spec_hash", "spec_document", "dependency", "provided_virtual", "build", "claim", "lock_file_root",
        "buildcache_entry",
    ),
)  # fmt: skip

locked = _REWRITING.locked


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Write specs and other compilers anew beside the old ones."""
    step(connection, lambda: connection.execute(sa.text(_PACKAGE_HASH)))
    _REWRITING.ahead(connection, tell)


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.execute(_PACKAGE_HASH)
        _REWRITING.put(connection)
        for statement in (*_RENAMED, _VIEW):
            op.execute(statement)
        return
    op.create_table(
        "package_hash",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("value", ByteOrderedText, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_package_hash"),
        sa.UniqueConstraint("value", name="uq_package_hash_value"),
    )
    op.create_table(
        "other_compiler",
        sa.Column("spec_id", sa.Integer, nullable=False),
        sa.Column("language", ByteOrderedWord, nullable=False),
        sa.Column("compiler_id", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["spec_id"], ["spec.id"], name="fk_other_compiler_spec_id"),
        sa.ForeignKeyConstraint(["compiler_id"], ["compiler.id"], name="fk_other_compiler_compiler_id"),
        sa.PrimaryKeyConstraint("spec_id", "language", "compiler_id", name="pk_other_compiler"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_other_compiler_compiler_id_spec_id", "other_compiler", ["compiler_id", "spec_id"])
    for name, *_ in _PARTIAL:
        op.drop_index(name, "spec")
    with op.batch_alter_table("spec") as table:
        table.add_column(sa.Column("package_hash_id", sa.Integer))
        table.add_column(sa.Column("compiler_languages", sa.SmallInteger, nullable=False, server_default="0"))
        table.create_foreign_key("fk_spec_package_hash_id", "package_hash", ["package_hash_id"], ["id"])
    for name, column, where in _PARTIAL:
        op.create_index(name, "spec", [column], sqlite_where=sa.text(where))
    for statement in (
        _PACKAGE_HASHES.format("true"),
        f"UPDATE spec SET package_hash_id = {_PACKAGE_HASH_ID}, compiler_languages = {_LANGUAGES}",
        "ALTER TABLE spec DROP COLUMN package_hash",
        "INSERT INTO other_compiler (spec_id, language, compiler_id)"
        " SELECT spec_id, language, compiler_id FROM spec_compiler WHERE NOT is_main",
        "DROP TABLE spec_compiler",
        _VIEW_IN_SQLITE,
    ):
        op.execute(statement)
