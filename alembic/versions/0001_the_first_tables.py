"""The first tables: graph, builds, logs, analysis results, people, inbox."""

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, JsonText, RowId, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "build_environment",
        sa.Column("id", RowId, nullable=False),
        sa.Column("hostname", ByteOrderedText, nullable=False),
        sa.Column("platform", ByteOrderedText, nullable=False),
        sa.Column("operating_system", ByteOrderedText, nullable=False),
        sa.Column("target", ByteOrderedText, nullable=False),
        sa.Column("kernel_version", ByteOrderedText, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_build_environment")),
        sa.UniqueConstraint(
            "hostname",
            "platform",
            "operating_system",
            "target",
            "kernel_version",
            name=op.f("uq_build_environment_hostname_platform_operating_system_target_kernel_version"),
        ),
    )
    op.create_table(
        "build_package_version",
        sa.Column("package_version_id", RowId, autoincrement=False, nullable=False),
        sa.Column("build_id", RowId, autoincrement=False, nullable=False),
        sa.Column("package_id", RowId, nullable=False),
        sa.PrimaryKeyConstraint("package_version_id", "build_id", name=op.f("pk_build_package_version")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_build_package_version_package_id_build_id"),
        "build_package_version",
        ["package_id", "build_id"],
        unique=False,
    )
    op.create_table(
        "closure",
        sa.Column("ancestor_id", RowId, autoincrement=False, nullable=False),
        sa.Column("descendant_id", RowId, autoincrement=False, nullable=False),
        sa.Column("by_caret", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("ancestor_id", "descendant_id", name=op.f("pk_closure")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_closure_descendant_id_ancestor_id_by_caret"),
        "closure",
        ["descendant_id", "ancestor_id", "by_caret"],
        unique=False,
    )
    op.create_table(
        "compiler",
        sa.Column("id", RowId, nullable=False),
        sa.Column("name", ByteOrderedText, nullable=False),
        sa.Column("version", ByteOrderedText, nullable=False),
        sa.Column("version_key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_compiler")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_compiler_name_version")),
    )
    op.create_table(
        "package",
        sa.Column("id", RowId, nullable=False),
        sa.Column("name", ByteOrderedText, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_package")),
        sa.UniqueConstraint("name", name=op.f("uq_package_name")),
    )
    op.create_table(
        "person",
        sa.Column("id", RowId, nullable=False),
        sa.Column("name", ByteOrderedText, nullable=False),
        sa.Column("password_hash", ByteOrderedText, nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("disabled_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("name", name=op.f("uq_person_name")),
    )
    op.create_table(
        "tag",
        sa.Column("id", RowId, nullable=False),
        sa.Column("name", ByteOrderedText, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag")),
        sa.UniqueConstraint("name", name=op.f("uq_tag_name")),
    )
    op.create_table(
        "target",
        sa.Column("id", RowId, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("name", ByteOrderedText, nullable=False),
        sa.Column("vendor", ByteOrderedText, nullable=True),
        sa.Column("generation", sa.Integer(), nullable=True),
        sa.Column("features", JsonText(), nullable=False),
        sa.Column("parents", JsonText(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_target")),
        sa.UniqueConstraint("digest", name=op.f("uq_target_digest")),
    )
    op.create_index(op.f("ix_target_name"), "target", ["name"], unique=False)
    op.create_table(
        "architecture",
        sa.Column("id", RowId, nullable=False),
        sa.Column("platform", ByteOrderedText, nullable=False),
        sa.Column("operating_system", ByteOrderedText, nullable=False),
        sa.Column("target_id", RowId, nullable=False),
        sa.ForeignKeyConstraint(["target_id"], ["target.id"], name=op.f("fk_architecture_target_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_architecture")),
        sa.UniqueConstraint(
            "platform",
            "operating_system",
            "target_id",
            name=op.f("uq_architecture_platform_operating_system_target_id"),
        ),
    )
    op.create_table(
        "concretization_failure",
        sa.Column("id", RowId, nullable=False),
        sa.Column("package_id", RowId, nullable=False),
        sa.Column("owner_id", RowId, nullable=False),
        sa.Column("spack_version", ByteOrderedText, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("document", JsonText(), nullable=False),
        sa.Column("reported_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["person.id"], name=op.f("fk_concretization_failure_owner_id")),
        sa.ForeignKeyConstraint(
            ["package_id"], ["package.id"], name=op.f("fk_concretization_failure_package_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_concretization_failure")),
        sa.UniqueConstraint(
            "digest",
            "owner_id",
            "spack_version",
            name=op.f("uq_concretization_failure_digest_owner_id_spack_version"),
        ),
    )
    op.create_table(
        "inbox_entry",
        sa.Column("id", RowId, nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("kind", ByteOrderedText, nullable=False),
        sa.Column("person_id", RowId, nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("error_code", ByteOrderedText, nullable=False),
        sa.Column("error_message", ByteOrderedText, nullable=False),
        sa.Column("replay_count", sa.Integer(), nullable=False),
        sa.Column("applied_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_inbox_entry_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox_entry")),
    )
    op.create_index(op.f("ix_inbox_entry_applied_at"), "inbox_entry", ["applied_at"], unique=False)
    op.create_table(
        "package_version",
        sa.Column("id", RowId, nullable=False),
        sa.Column("package_id", RowId, nullable=False),
        sa.Column("version", ByteOrderedText, nullable=False),
        sa.Column("version_key", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["package_id"], ["package.id"], name=op.f("fk_package_version_package_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_package_version")),
        sa.UniqueConstraint("package_id", "version", name=op.f("uq_package_version_package_id_version")),
    )
    op.create_index(
        op.f("ix_package_version_package_id_version_key"),
        "package_version",
        ["package_id", "version_key"],
        unique=False,
    )
    op.create_table(
        "token",
        sa.Column("id", RowId, nullable=False),
        sa.Column("person_id", RowId, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_token_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
        sa.UniqueConstraint("digest", name=op.f("uq_token_digest")),
    )
    op.create_index(op.f("ix_token_person_id"), "token", ["person_id"], unique=False)
    op.create_table(
        "parameter_set",
        sa.Column("id", RowId, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("document", JsonText(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_parameter_set")),
        sa.UniqueConstraint("digest", name=op.f("uq_parameter_set_digest")),
    )
    op.create_table(
        "parameter",
        sa.Column("name", ByteOrderedText, nullable=False),
        sa.Column("value", ByteOrderedText, nullable=False),
        sa.Column("parameter_set_id", RowId, nullable=False),
        sa.ForeignKeyConstraint(
            ["parameter_set_id"], ["parameter_set.id"], name=op.f("fk_parameter_parameter_set_id")
        ),
        sa.PrimaryKeyConstraint("name", "value", "parameter_set_id", name=op.f("pk_parameter")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "spec",
        sa.Column("id", RowId, nullable=False),
        sa.Column("hash", ByteOrderedText, nullable=False),
        sa.Column("hash_kind", ByteOrderedText, nullable=False),
        sa.Column("package_version_id", RowId, nullable=False),
        sa.Column("namespace", ByteOrderedText, nullable=True),
        sa.Column("compiler_id", RowId, nullable=True),
        sa.Column("architecture_id", RowId, nullable=False),
        sa.Column("parameter_set_id", RowId, nullable=False),
        sa.Column("package_hash", ByteOrderedText, nullable=True),
        sa.Column("external", JsonText(), nullable=True),
        sa.Column("format_version", sa.SmallInteger(), nullable=False),
        sa.Column("spack_version", ByteOrderedText, nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["architecture_id"], ["architecture.id"], name=op.f("fk_spec_architecture_id")
        ),
        sa.ForeignKeyConstraint(["compiler_id"], ["compiler.id"], name=op.f("fk_spec_compiler_id")),
        sa.ForeignKeyConstraint(
            ["package_version_id"], ["package_version.id"], name=op.f("fk_spec_package_version_id")
        ),
        sa.ForeignKeyConstraint(
            ["parameter_set_id"], ["parameter_set.id"], name=op.f("fk_spec_parameter_set_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spec")),
        sa.UniqueConstraint("hash", "hash_kind", name=op.f("uq_spec_hash_hash_kind")),
    )
    op.create_index(op.f("ix_spec_package_version_id"), "spec", ["package_version_id"], unique=False)
    op.create_index(op.f("ix_spec_parameter_set_id"), "spec", ["parameter_set_id"], unique=False)
    op.create_table(
        "build",
        sa.Column("id", RowId, nullable=False),
        sa.Column("spec_id", RowId, nullable=False),
        sa.Column("environment_id", RowId, nullable=False),
        sa.Column("owner_id", RowId, nullable=False),
        sa.Column("status", ByteOrderedText, nullable=False),
        sa.Column("duration_seconds", sa.Float(precision=53), nullable=True),
        sa.Column("rerun_announced", sa.Boolean(), nullable=False),
        sa.Column("configure_arguments", ByteOrderedText, nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["build_environment.id"], name=op.f("fk_build_environment_id")
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["person.id"], name=op.f("fk_build_owner_id")),
        sa.ForeignKeyConstraint(["spec_id"], ["spec.id"], name=op.f("fk_build_spec_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_build")),
        sa.UniqueConstraint(
            "spec_id", "environment_id", "owner_id", name=op.f("uq_build_spec_id_environment_id_owner_id")
        ),
    )
    op.create_index(
        op.f("ix_build_owner_id_environment_id_status"),
        "build",
        ["owner_id", "environment_id", "status"],
        unique=False,
    )
    op.create_table(
        "dependency",
        sa.Column("parent_id", RowId, nullable=False),
        sa.Column("child_id", RowId, nullable=False),
        sa.Column("virtuals", JsonText(), nullable=False),
        sa.Column("deptypes", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(["child_id"], ["spec.id"], name=op.f("fk_dependency_child_id")),
        sa.ForeignKeyConstraint(["parent_id"], ["spec.id"], name=op.f("fk_dependency_parent_id")),
        sa.PrimaryKeyConstraint("parent_id", "child_id", "virtuals", name=op.f("pk_dependency")),
    )
    op.create_index(
        op.f("ix_dependency_child_id_parent_id"), "dependency", ["child_id", "parent_id"], unique=False
    )
    op.create_table(
        "provided_virtual",
        sa.Column("virtual", ByteOrderedText, nullable=False),
        sa.Column("spec_id", RowId, nullable=False),
        sa.Column("child_id", RowId, nullable=False),
        sa.Column("deptypes", sa.SmallInteger(), nullable=False),
        sa.Column("by_caret", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["child_id"], ["spec.id"], name=op.f("fk_provided_virtual_child_id")),
        sa.ForeignKeyConstraint(["spec_id"], ["spec.id"], name=op.f("fk_provided_virtual_spec_id")),
        sa.PrimaryKeyConstraint("virtual", "spec_id", "child_id", name=op.f("pk_provided_virtual")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "spec_document",
        sa.Column("id", RowId, nullable=False),
        sa.Column("spec_id", RowId, nullable=False),
        sa.Column("format_version", sa.SmallInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("document", JsonText(), nullable=False),
        sa.ForeignKeyConstraint(["spec_id"], ["spec.id"], name=op.f("fk_spec_document_spec_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spec_document")),
        sa.UniqueConstraint("spec_id", "digest", name=op.f("uq_spec_document_spec_id_digest")),
    )
    op.create_table(
        "spec_hash",
        sa.Column("value", ByteOrderedText, nullable=False),
        sa.Column("kind", ByteOrderedText, nullable=False),
        sa.Column("spec_id", RowId, nullable=False),
        sa.ForeignKeyConstraint(["spec_id"], ["spec.id"], name=op.f("fk_spec_hash_spec_id")),
        sa.PrimaryKeyConstraint("value", "kind", "spec_id", name=op.f("pk_spec_hash")),
    )
    op.create_index(op.f("ix_spec_hash_spec_id"), "spec_hash", ["spec_id"], unique=False)
    op.create_table(
        "analysis",
        sa.Column("id", RowId, nullable=False),
        sa.Column("build_id", RowId, nullable=False),
        sa.Column("analyzer", ByteOrderedText, nullable=False),
        sa.Column("reported_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["build_id"], ["build.id"], name=op.f("fk_analysis_build_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_analysis")),
        sa.UniqueConstraint("build_id", "analyzer", name=op.f("uq_analysis_build_id_analyzer")),
    )
    op.create_table(
        "attempt",
        sa.Column("id", RowId, nullable=False),
        sa.Column("build_id", RowId, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("status", ByteOrderedText, nullable=False),
        sa.Column("spack_version", ByteOrderedText, nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("duration_seconds", sa.Float(precision=53), nullable=True),
        sa.ForeignKeyConstraint(["build_id"], ["build.id"], name=op.f("fk_attempt_build_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
        sa.UniqueConstraint("build_id", "number", name=op.f("uq_attempt_build_id_number")),
    )
    op.create_table(
        "build_tag",
        sa.Column("build_id", RowId, nullable=False),
        sa.Column("tag_id", RowId, nullable=False),
        sa.ForeignKeyConstraint(["build_id"], ["build.id"], name=op.f("fk_build_tag_build_id")),
        sa.ForeignKeyConstraint(["tag_id"], ["tag.id"], name=op.f("fk_build_tag_tag_id")),
        sa.PrimaryKeyConstraint("build_id", "tag_id", name=op.f("pk_build_tag")),
    )
    op.create_index(op.f("ix_build_tag_tag_id"), "build_tag", ["tag_id"], unique=False)
    op.create_table(
        "environment_variable",
        sa.Column("build_id", RowId, nullable=False),
        sa.Column("name", ByteOrderedText, nullable=False),
        sa.Column("value", ByteOrderedText, nullable=False),
        sa.ForeignKeyConstraint(["build_id"], ["build.id"], name=op.f("fk_environment_variable_build_id")),
        sa.PrimaryKeyConstraint("build_id", "name", name=op.f("pk_environment_variable")),
    )
    op.create_table(
        "install_file",
        sa.Column("id", RowId, nullable=False),
        sa.Column("build_id", RowId, nullable=False),
        sa.Column("path", ByteOrderedText, nullable=False),
        sa.Column("type", ByteOrderedText, nullable=True),
        sa.Column("mode", sa.Integer(), nullable=True),
        sa.Column("owner", RowId, nullable=True),
        sa.Column("group", RowId, nullable=True),
        sa.Column("hash", ByteOrderedText, nullable=True),
        sa.Column("size_bytes", RowId, nullable=True),
        sa.Column("modified_at_seconds", sa.Float(precision=53), nullable=True),
        sa.Column("destination", ByteOrderedText, nullable=True),
        sa.ForeignKeyConstraint(["build_id"], ["build.id"], name=op.f("fk_install_file_build_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_install_file")),
        sa.UniqueConstraint("build_id", "path", name=op.f("uq_install_file_build_id_path")),
    )
    op.create_table(
        "attribute",
        sa.Column("id", RowId, nullable=False),
        sa.Column("analysis_id", RowId, nullable=False),
        sa.Column("install_file_id", RowId, nullable=True),
        sa.Column("name", ByteOrderedText, nullable=False),
        sa.Column("value", ByteOrderedText, nullable=True),
        sa.Column("binary_value", sa.LargeBinary(), nullable=True),
        sa.Column("json_value", JsonText(), nullable=True),
        sa.ForeignKeyConstraint(["analysis_id"], ["analysis.id"], name=op.f("fk_attribute_analysis_id")),
        sa.ForeignKeyConstraint(
            ["install_file_id"], ["install_file.id"], name=op.f("fk_attribute_install_file_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attribute")),
    )
    op.create_index(op.f("ix_attribute_analysis_id"), "attribute", ["analysis_id"], unique=False)
    op.create_index(op.f("ix_attribute_install_file_id"), "attribute", ["install_file_id"], unique=False)
    op.create_table(
        "phase",
        sa.Column("id", RowId, nullable=False),
        sa.Column("attempt_id", RowId, nullable=False),
        sa.Column("name", ByteOrderedText, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("status", ByteOrderedText, nullable=False),
        sa.Column("reported_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], name=op.f("fk_phase_attempt_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_phase")),
        sa.UniqueConstraint("attempt_id", "name", name=op.f("uq_phase_attempt_id_name")),
    )
    op.create_table(
        "log_chunk",
        sa.Column("phase_id", RowId, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_line", sa.Integer(), nullable=False),
        sa.Column("size_bytes", RowId, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["phase_id"], ["phase.id"], name=op.f("fk_log_chunk_phase_id")),
        sa.PrimaryKeyConstraint("phase_id", "number", name=op.f("pk_log_chunk")),
    )
