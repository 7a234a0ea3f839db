"""Specs are what their documents claim together, and have compilers whatever their format.

Documents of before Spack 0.18 name their edges by hashes of several kinds, which are looked up as they were
when the document came in. Edges that a later document added, and specs that are one by their documents, are
the work of `spackmon db check --repair`, which knows today's rules.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, ByteOrderedWord, JsonText, RowId

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_LANGUAGES = ("c", "cxx", "fortran")
_BITS = {"build": 1, "link": 2, "run": 4, "test": 8}
_ROWS = 1000


def upgrade() -> None:
    _columns()
    connection = op.get_bind()
    _claims(connection)
    _compilers(connection)
    with op.batch_alter_table("spec_document") as table:
        for column, type_ in (
            ("hashes", JsonText()), ("edges", JsonText()), ("states_all_edges", sa.Boolean()),
            ("package_version_id", RowId), ("architecture_id", RowId), ("parameter_set_id", RowId),
        ):  # fmt: skip
            table.alter_column(column, existing_type=type_, nullable=False)
        for column, other in (
            ("package_version_id", "package_version"), ("compiler_id", "compiler"),
            ("architecture_id", "architecture"), ("parameter_set_id", "parameter_set"),
        ):  # fmt: skip
            table.create_foreign_key(op.f(f"fk_spec_document_{column}"), other, [column], ["id"])
    with op.batch_alter_table("spec") as table:
        table.alter_column("names_compiler", existing_type=sa.Boolean(), nullable=False)
        table.drop_index("ix_spec_compiler_id")
        table.create_index(op.f("ix_spec_compiler_id_names_compiler"), ["compiler_id", "names_compiler"])


def _columns() -> None:
    for column in (
        sa.Column("hashes", JsonText(), nullable=True),
        sa.Column("edges", JsonText(), nullable=True),
        sa.Column("states_all_edges", sa.Boolean(), nullable=True),
        sa.Column("package_version_id", RowId, nullable=True),
        sa.Column("namespace", ByteOrderedText, nullable=True),
        sa.Column("compiler_id", RowId, nullable=True),
        sa.Column("architecture_id", RowId, nullable=True),
        sa.Column("parameter_set_id", RowId, nullable=True),
        sa.Column("package_hash", ByteOrderedText, nullable=True),
        sa.Column("external", JsonText(), nullable=True),
        sa.Column("spack_version", ByteOrderedText, nullable=True),
    ):
        op.add_column("spec_document", column)
    op.add_column("spec", sa.Column("names_compiler", sa.Boolean(), nullable=True))
    op.create_table(
        "spec_compiler",
        sa.Column("spec_id", RowId, nullable=False),
        sa.Column("language", ByteOrderedWord, nullable=False),
        sa.Column("compiler_id", RowId, nullable=False),
        sa.ForeignKeyConstraint(["spec_id"], ["spec.id"], name=op.f("fk_spec_compiler_spec_id")),
        sa.ForeignKeyConstraint(["compiler_id"], ["compiler.id"], name=op.f("fk_spec_compiler_compiler_id")),
        sa.PrimaryKeyConstraint("spec_id", "language", "compiler_id", name=op.f("pk_spec_compiler")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_spec_compiler_compiler_id_spec_id"), "spec_compiler", ["compiler_id", "spec_id"])


def _claims(connection: sa.Connection) -> None:
    facts = (
        "package_version_id", "namespace", "compiler_id", "architecture_id", "parameter_set_id",
        "package_hash", "external", "spack_version",
    )  # fmt: skip
    connection.execute(
        sa.text(
            f"UPDATE spec_document SET ({', '.join(facts)}) ="  # noqa: S608 -- of our own constants
            f" (SELECT {', '.join(f's.{fact}' for fact in facts)} FROM spec s WHERE s.id = spec_id)"
        )
    )
    write = sa.text(
        "UPDATE spec_document SET hashes = :hashes, edges = :edges, digest = :digest,"
        " states_all_edges = :states_all_edges WHERE id = :id"
    )
    for rows in _documents(connection):
        connection.execute(write, [_claim(connection, row) for row in rows])


def _documents(connection: sa.Connection) -> Iterator[list[sa.Row[Any]]]:
    """All documents with the identity of their specs, some at a time."""
    select = sa.text(
        "SELECT d.id, d.spec_id, d.format_version, d.document, s.hash, s.hash_kind"
        " FROM spec_document d JOIN spec s ON s.id = d.spec_id WHERE d.id > :last ORDER BY d.id"
        " LIMIT :rows"
    )
    last = 0
    while rows := list(connection.execute(select, {"last": last, "rows": _ROWS})):
        yield rows
        last = rows[-1].id


def _claim(connection: sa.Connection, row: sa.Row[Any]) -> dict[str, Any]:
    kind, hash_ = row.hash_kind, row.hash
    node = _content(row.format_version, row.document)
    children = connection.execute(_CHILDREN, {"spec_id": row.spec_id}).all()
    edges = {(c.hash_kind, c.hash, c.virtuals): c.deptypes for c in children}
    shown: dict[str, set[tuple[str, str]]] = {}
    for child in children:
        shown.setdefault(child.value, set()).add((child.hash_kind, child.hash))
    stated = [edge for entry in _entries(node) if (edge := _edge(connection, entry, shown)) is not None]
    hashes = [(kind, hash_)]
    hashes += sorted(
        (other, node[other])
        for other in ("build_hash", "full_hash", "hash")
        if isinstance(node.get(other), str) and (other, node[other]) != (kind, hash_)
    )
    written = json.dumps(stated, separators=(",", ":"))
    digest = hashlib.sha1(row.document.encode(), usedforsecurity=False)
    if len(hashes) > 1 or kind != "hash":
        digest.update(json.dumps([hashes, written]).encode())
    union = {(k, v, json.dumps(virtuals, separators=(",", ":"))): bits for k, v, bits, virtuals in stated}
    return {
        "id": row.id, "hashes": json.dumps(hashes, separators=(",", ":")), "edges": written,
        "digest": digest.digest(), "states_all_edges": union == edges,
    }  # fmt: skip


_CHILDREN = sa.text(
    "SELECT c.hash_kind, c.hash, d.virtuals, d.deptypes, h.value FROM dependency d"
    " JOIN spec c ON c.id = d.child_id JOIN spec_hash h ON h.spec_id = c.id WHERE d.parent_id = :spec_id"
)

_CARRIERS = sa.text(
    "SELECT s.hash_kind, s.hash FROM spec_hash h JOIN spec s ON s.id = h.spec_id WHERE h.value = :value"
    " ORDER BY CASE WHEN h.kind = s.hash_kind THEN 0 ELSE 1 END, s.hash"
)


def _content(format_version: int, document: str) -> dict[str, Any]:
    node = json.loads(document)
    if format_version == 1 and isinstance(node, dict) and len(node) == 1:
        (node,) = node.values()
    return node if isinstance(node, dict) else {}


def _entries(node: dict[str, Any]) -> list[dict[str, Any]]:
    dependencies = node.get("dependencies") or []
    listed = dependencies.values() if isinstance(dependencies, dict) else dependencies
    return [entry for entry in listed if isinstance(entry, dict)]


def _edge(
    connection: sa.Connection, entry: dict[str, Any], shown: dict[str, set[tuple[str, str]]]
) -> list[Any] | None:
    """An edge as [kind, hash, deptypes, virtuals]; None where no spec has any of its hashes."""
    parameters = entry.get("parameters") or {}
    types = parameters.get("deptypes", entry.get("type")) or []
    bits = sum(_BITS[one] for one in ({types} if isinstance(types, str) else set(types)))
    for kind in ("full_hash", "build_hash", "hash"):
        value = entry.get(kind)
        if not isinstance(value, str):
            continue
        found = sorted(shown.get(value, ())) or connection.execute(_CARRIERS, {"value": value}).all()
        if found:
            return [*found[0], bits, list(parameters.get("virtuals") or [])]
    return None


def _compilers(connection: sa.Connection) -> None:
    connection.execute(sa.text("UPDATE spec SET names_compiler = compiler_id IS NOT NULL"))
    for language in _LANGUAGES:
        connection.execute(
            sa.text(
                "INSERT INTO spec_compiler (spec_id, language, compiler_id)"
                " SELECT s.id, :language, s.compiler_id FROM spec s WHERE s.compiler_id IS NOT NULL"
            ),
            {"language": language},
        )
    providers = (
        " FROM dependency d JOIN spec c ON c.id = d.child_id"
        " JOIN package_version v ON v.id = c.package_version_id JOIN package p ON p.id = v.package_id"
    )
    named = " JOIN compiler k ON k.name = p.name AND k.version = v.version"
    provides = " WHERE d.virtuals LIKE :virtual ON CONFLICT DO NOTHING"
    for language in _LANGUAGES:
        virtual = f'%"{language}"%'
        connection.execute(
            sa.text(
                "INSERT INTO compiler (name, version, version_key)"
                f" SELECT DISTINCT p.name, v.version, v.version_key{providers}{provides}"
            ),
            {"virtual": virtual},
        )
        connection.execute(
            sa.text(
                "INSERT INTO spec_compiler (spec_id, language, compiler_id)"
                f" SELECT DISTINCT d.parent_id, CAST(:language AS text), k.id{providers}{named}{provides}"
            ),
            {"virtual": virtual, "language": language},
        )
    connection.execute(
        sa.text(
            "UPDATE spec SET compiler_id = (SELECT k.compiler_id FROM spec_compiler k"
            " JOIN compiler c ON c.id = k.compiler_id WHERE k.spec_id = spec.id"
            " ORDER BY k.language, c.name, c.version LIMIT 1) WHERE compiler_id IS NULL"
        )
    )
