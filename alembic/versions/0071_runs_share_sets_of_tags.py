"""The tags of runs are sets that runs share: a number in a row instead of rows and entries of their own.

The tables of builds, runs and claims are written anew, so that the number stands where it needs no padding.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import JsonText, NarrowId
from spackmon.ops.ahead import step
from spackmon.ops.replacing import Replacing
from spackmon.ops.rewriting import Repacked, Rewriting, columns, ranges

revision = "0071"
down_revision = "0070"
branch_labels = None
depends_on = None

# The columns that are copied are there since then.
ahead_from = "0062"

_AT_ONCE = 2_000
_MEASURED = "real: duration_seconds cpu_seconds; long: peak_memory_bytes"
_COUNTS = "error_count integer NOT NULL DEFAULT 0, warning_count integer NOT NULL DEFAULT 0"
_OF_SET = {"tag_set_id": "repacked"}


def _some_have(table: str) -> dict[str, str]:
    return {f"ix_{table}_{n}_id": f"({n}, id) WHERE {n} > 0" for n in ("error_count", "warning_count")}


_BUILD = Replacing(
    "build",
    ", ".join((
        columns(
            "int: spec_id package_id environment_id! owner_id! newest_attempt_id environment_set_id"
            " manifest_id"
        ),
        _COUNTS,
        columns(
            "int: first_error_group_id tag_set_id facet_id audience_id;"
            f" at: created_at! updated_at! started_at finished_at; {_MEASURED};"
            " text: status! installed_from prefix configure_arguments"
        ),
    )),
    {
        "pk_build": "(id)",
        "uq_build_spec_id_environment_id_owner_id": "(spec_id, environment_id, owner_id)",
        "ix_build_waiting": "(package_id) WHERE spec_id IS NULL",
        "ix_build_package_id_id_status": "(package_id, id, status)",
        "ix_build_unusual_status": "(status, id) WHERE status <> 'SUCCESS'",
        "ix_build_environment_id_id": "(environment_id, id)",
        "ix_build_owner_id_id": "(owner_id, id)",
        "ix_build_created_at": "(created_at)",
        "ix_build_updated_at": "(updated_at)",
        "ix_build_newest_attempt_id": "(newest_attempt_id)",
        "ix_build_tag_set_id": "(tag_set_id)",
        "ix_build_started_at": "(started_at NULLS FIRST)",
        "ix_build_finished_at": "(finished_at NULLS FIRST)",
        "ix_build_no_started_at": "(id) WHERE started_at IS NULL",
        "ix_build_no_finished_at": "(id) WHERE finished_at IS NULL",
        "ix_build_duration_seconds_id": "(duration_seconds DESC NULLS LAST, id DESC)",
        "ix_build_facet_id_started_at_id": "(facet_id, started_at DESC NULLS LAST, id DESC)",
        **_some_have("build"),
    },
    {
        "spec_id": "spec", "package_id": "package", "environment_id": "build_environment",
        "owner_id": "person",
    },
    "integer",
    _OF_SET,
)  # fmt: skip
_ATTEMPT = Replacing(
    "attempt",
    ", ".join(
        (
            columns("int: build_id! number! environment_id! environment_set_id manifest_id"),
            _COUNTS,
            columns(
                f"int: first_error_group_id ci_job_id; at: reported_at! started_at finished_at; {_MEASURED};"
                " int: tag_set_id; is: end_is_inferred!;"
                " text: status! spack_version spack_revision installed_from prefix configure_arguments"
            ),
        )
    ),
    {
        "pk_attempt": "(id)",
        "uq_attempt_build_id_number": "(build_id, number)",
        "ix_attempt_environment_id": "(environment_id)",
        "ix_attempt_started_at": "(started_at)",
        "ix_attempt_tag_set_id": "(tag_set_id)",
        "ix_attempt_ci_job_id": "(ci_job_id) WHERE ci_job_id IS NOT NULL",
        **_some_have("attempt"),
    },
    {"build_id": "build", "environment_id": "build_environment", "ci_job_id": "ci_job"},
    "integer",
    _OF_SET,
)
_UNTIMED = "WHERE window_begins_at IS NULL"
_CLAIM = Replacing(
    "claim",
    ", ".join((
        columns(
            "int: attempt_id owner_id! package_id spec_id environment_id! environment_set_id manifest_id"
            " client_build_id"
        ),
        "unlisted_event_count integer NOT NULL DEFAULT 0",
        columns(
            "int: ci_job_id audience_id; at: first_reported_at! last_reported_at! started_at finished_at;"
            " real: duration_seconds time_uncertainty_seconds!;"
            " at: window_begins_at window_ends_at cancelled_at abandoned_at; int: tag_set_id;"
            " is: owner_is_certain! is_live! times_enclose_run!;"
            " text: kind! key! status! spec_hash spec_hash_kind spack_version spack_revision prefix"
            " installed_from configure_arguments; json: next_run; bytes: phases"
        ),
    )),
    {
        "pk_claim": "(id)",
        "uq_claim_owner_id_kind_key": "(owner_id, kind, key)",
        "ix_claim_attempt_id": "(attempt_id)",
        "ix_claim_package_id_window_ends_at": "(package_id, window_ends_at)",
        "ix_claim_spec_id_window_ends_at": "(spec_id, window_ends_at)",
        "ix_claim_prefix": "(package_id, prefix, window_ends_at) WHERE prefix IS NOT NULL",
        "ix_claim_untimed": f"(spec_id, kind, id) {_UNTIMED}",
        "ix_claim_untimed_of_hash": f"(spec_hash, kind, id) {_UNTIMED}",
        "ix_claim_untimed_at_prefix": f"(package_id, prefix, kind, id) {_UNTIMED}",
        "ix_claim_client_build": "(client_build_id) WHERE client_build_id IS NOT NULL",
        "ix_claim_not_run": "(owner_id, environment_id) WHERE status = 'NOTRUN'",
        "ix_claim_open": "(last_reported_at) WHERE status IN ('RUNNING', 'NOTRUN') AND abandoned_at IS NULL"
        " AND cancelled_at IS NULL",
        "ix_claim_environment_id": "(environment_id)",
        "ix_claim_last_reported_at": "USING brin (last_reported_at)",
        "ix_claim_unknown_spec": "(spec_hash) WHERE spec_id IS NULL",
        "ix_claim_environment_set_id": "(environment_set_id) WHERE environment_set_id IS NOT NULL",
        "ix_claim_manifest_id": "(manifest_id) WHERE manifest_id IS NOT NULL",
    },
    {
        "attempt_id": "attempt", "owner_id": "person", "package_id": "package", "spec_id": "spec",
        "environment_id": "build_environment", "environment_set_id": "environment_set",
        "manifest_id": "manifest", "ci_job_id": "ci_job", "tag_set_id": "tag_set",
    },
    "integer",
    _OF_SET,
)  # fmt: skip

_TAGS_OF = {
    "attempt": """
        SELECT a.id, g.name FROM (SELECT id FROM attempt WHERE {}) a
        JOIN attempt_tag t ON t.attempt_id = a.id JOIN tag g ON g.id = t.tag_id
    """,
    "build": """
        SELECT b.id, g.name FROM (SELECT id, newest_attempt_id FROM build WHERE {}) b
        JOIN attempt_tag t ON t.attempt_id = b.newest_attempt_id JOIN tag g ON g.id = t.tag_id
    """,
}
_CLAIMS = "SELECT id, tags FROM claim WHERE tags <> '[]' AND {}"
_SETS = {
    "sqlite": "SELECT id, digest FROM tag_set",
    "postgresql": "SELECT id, digest FROM tag_set WHERE digest = ANY (CAST(:digests AS bytea[]))",
}
_NEW_SET = "INSERT INTO tag_set (digest, names) VALUES (:digest, :names) RETURNING id"
# Only claims of long ago may name a tag that no run has.
_NEW_TAG = "INSERT INTO tag (name) VALUES (:name) ON CONFLICT DO NOTHING"
_NEW_MEMBER = (
    "INSERT INTO tag_set_member (tag_set_id, tag_id) SELECT CAST(:set_id AS integer), id FROM tag"
    " WHERE name = :name"
)


def _sets_of(
    table: str, connection: sa.Connection, which: str, values: Mapping[str, object]
) -> list[tuple[int, int]]:
    """The numbers of a table's rows that have tags, with those of their sets."""
    names: defaultdict[int, set[str]] = defaultdict(set)
    if table == "claim":
        for row in connection.execute(sa.text(_CLAIMS.format(which)), values):
            names[row.id].update(json.loads(row.tags))
    else:
        for row in connection.execute(sa.text(_TAGS_OF[table].format(which)), values):
            names[row.id].add(row.name)
    documents = {row_id: json.dumps(sorted(tags)) for row_id, tags in names.items()}
    ids = _put_sets(connection, set(documents.values()))
    return [(row_id, ids[document]) for row_id, document in documents.items()]


def _put_sets(connection: sa.Connection, documents: set[str]) -> dict[str, int]:
    digests = {hashlib.sha256(one.encode()).digest(): one for one in documents}
    question = sa.text(_SETS[connection.dialect.name])
    given = {} if connection.dialect.name == "sqlite" else {"digests": sorted(digests)}
    found = {bytes(row.digest): row.id for row in connection.execute(question, given)}
    for digest in sorted(digests.keys() - found.keys()):
        new = {"digest": digest, "names": digests[digest]}
        found[digest] = connection.scalar(sa.text(_NEW_SET), new)
        members = [{"set_id": found[digest], "name": name} for name in json.loads(digests[digest])]
        connection.execute(sa.text(_NEW_TAG), [{"name": one["name"]} for one in members])
        connection.execute(sa.text(_NEW_MEMBER), members)
    return {document: found[digest] for digest, document in digests.items()}


def _parts() -> Iterator[Repacked]:
    for replacing in (_BUILD, _ATTEMPT, _CLAIM):
        table = replacing.table
        yield Repacked(replacing, "id", table, partial(_sets_of, table), made_type="integer")


_REWRITING = Rewriting(
    "sets_of_tags",
    tuple(_parts()),
    ("phase", "build_event", "analysis", "attribute", "ruling", "merged_build", "claim_log", "attempt_tag"),
    # A build is written whenever the tags of its newest run are.
    (("attempt_tag", "attempt_id", "attempt"),),
)

locked = _REWRITING.locked


def _create_sets(connection: sa.Connection) -> None:
    if sa.inspect(connection).has_table("tag_set"):
        return
    metadata = sa.MetaData()
    tables = (
        sa.Table(
            "tag_set",
            metadata,
            sa.Column("id", NarrowId, nullable=False),
            sa.Column("digest", sa.LargeBinary(), nullable=False),
            sa.Column("names", JsonText, nullable=False),
            sa.PrimaryKeyConstraint("id", name="pk_tag_set"),
            sa.UniqueConstraint("digest", name="uq_tag_set_digest"),
        ),
        sa.Table(
            "tag_set_member",
            metadata,
            sa.Column("tag_set_id", NarrowId, nullable=False, autoincrement=False),
            sa.Column("tag_id", NarrowId, nullable=False, autoincrement=False),
            sa.PrimaryKeyConstraint("tag_set_id", "tag_id", name="pk_tag_set_member"),
            sa.Index("ix_tag_set_member_tag_id", "tag_id"),
            sqlite_with_rowid=False,
        ),
    )
    metadata.create_all(connection, tables)


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Write the tables anew beside the old ones."""
    step(connection, lambda: _create_sets(connection))
    _REWRITING.ahead(connection, tell)


def upgrade() -> None:
    connection = op.get_bind()
    _create_sets(connection)
    if connection.dialect.name == "postgresql":
        _REWRITING.put(connection)
    else:
        for table in ("build", "attempt"):
            op.add_column(table, sa.Column("tag_set_id", NarrowId))
            op.create_index(f"ix_{table}_tag_set_id", table, ["tag_set_id"])
        with op.batch_alter_table("claim") as altered:
            altered.add_column(sa.Column("tag_set_id", NarrowId))
            altered.create_foreign_key("fk_claim_tag_set_id", "tag_set", ["tag_set_id"], ["id"])
        for table in ("build", "attempt", "claim"):
            _fill_sets(connection, table)
        op.drop_column("claim", "tags")
    op.drop_table("attempt_tag")


def _fill_sets(connection: sa.Connection, table: str) -> None:
    update = sa.text(f"UPDATE {table} SET tag_set_id = :set_id WHERE id = :id")  # noqa: S608 -- our own
    for last, after in ranges(connection, table, _AT_ONCE):
        values = {"last": last, "after": after}
        if found := _sets_of(table, connection, "id > :last AND id <= :after", values):
            connection.execute(update, [{"id": one, "set_id": set_id} for one, set_id in found])
