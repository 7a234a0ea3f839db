"""Builds, their runs and phases, and the circumstances they ran in."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from spackmon.models.ci import CiJob
from spackmon.models.columns import (
    DETAIL,
    MOSTLY_0,
    Base,
    ByteOrderedText,
    JsonText,
    NarrowId,
    RowId,
    UtcDateTime,
)
from spackmon.models.graph import Package, Spec
from spackmon.models.logs import Log
from spackmon.models.people import Person
from spackmon.models.steps import began
from spackmon.status import BuildStatus


class BuildEnvironment(Base):
    """The machine a build ran on. What a client left out is the empty string."""

    __tablename__ = "build_environment"
    __table_args__ = (
        UniqueConstraint("hostname", "platform", "operating_system", "target", "kernel_version"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    hostname: Mapped[str] = mapped_column(ByteOrderedText)
    platform: Mapped[str] = mapped_column(ByteOrderedText)
    operating_system: Mapped[str] = mapped_column(ByteOrderedText)
    target: Mapped[str] = mapped_column(ByteOrderedText)
    kernel_version: Mapped[str] = mapped_column(ByteOrderedText)


_HASHED = text("hash IS NOT NULL")
_WAITS = text("spec_id IS NULL")
# Who looks for what most builds have, finds it anywhere.
_STATUS = {"values": tuple(BuildStatus), "usual": BuildStatus.SUCCESS}
_IS_UNUSUAL = text("status <> 'SUCCESS'")
_OF_CI = text("ci_job_id IS NOT NULL")


def _counts(table: str) -> tuple[Index, ...]:
    """Indexes of the runs or builds that have errors, and of those that have warnings: most have none."""
    names = "error_count", "warning_count"
    return tuple(
        Index(f"ix_{table}_{name}_id", name, "id", sqlite_where=some, postgresql_where=some)
        for name, some in ((name, text(f"{name} > 0")) for name in names)
    )


class EnvironmentSet(Base):
    """The variables of an environment, by content; `digest` is the SHA-256 of their names and values."""

    __tablename__ = "environment_set"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)


class EnvironmentVariable(Base):
    """A variable of an environment."""

    __tablename__ = "environment_variable"
    __table_args__ = (Index(None, "name", "environment_set_id"), {"info": DETAIL})

    environment_set_id: Mapped[int] = mapped_column(ForeignKey(EnvironmentSet.id), primary_key=True)
    name: Mapped[str] = mapped_column(ByteOrderedText, primary_key=True)
    value: Mapped[str] = mapped_column(ByteOrderedText)


class ConfigureArguments(Base):
    """The arguments of a configure phase, by content; `digest` is the SHA-256 of `text`."""

    __tablename__ = "configure_arguments"

    id: Mapped[int] = mapped_column(NarrowId, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    text: Mapped[str] = mapped_column(ByteOrderedText)


# What follows a column without a foreign key goes there.
_OF_ARGUMENTS = {"refers": ConfigureArguments.__table__}


class Manifest(Base):
    """What an install left on disk, by content; `digest` is the SHA-256 of its files' rows."""

    __tablename__ = "manifest"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)


class InstallFile(Base):
    """A file, directory or link of a manifest; `mode`, `owner` and `group` as Spack's."""

    __tablename__ = "install_file"
    __table_args__ = (
        UniqueConstraint("manifest_id", "path"),
        Index("ix_install_file_hash", "hash", sqlite_where=_HASHED, postgresql_where=_HASHED),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    manifest_id: Mapped[int] = mapped_column(ForeignKey(Manifest.id))
    path: Mapped[str] = mapped_column(ByteOrderedText)
    type: Mapped[str | None] = mapped_column(ByteOrderedText)
    mode: Mapped[int | None]
    owner: Mapped[int | None] = mapped_column(RowId, info=DETAIL)
    group: Mapped[int | None] = mapped_column(RowId, info=DETAIL)
    hash: Mapped[str | None] = mapped_column(ByteOrderedText)
    size_bytes: Mapped[int | None] = mapped_column(RowId)
    modified_at_seconds: Mapped[float | None] = mapped_column(Float(53))
    destination: Mapped[str | None] = mapped_column(ByteOrderedText)


class Tag(Base):
    """A word that a client gave to runs."""

    __tablename__ = "tag"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(ByteOrderedText, unique=True)


class TagSet(Base):
    """The tags of a run, as a set by content; most runs share theirs with many others. None is empty.

    `names` is the sorted JSON list of its tags, `digest` the SHA-256 of that.
    """

    __tablename__ = "tag_set"

    id: Mapped[int] = mapped_column(NarrowId, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    names: Mapped[str] = mapped_column(JsonText)


class TagSetMember(Base):
    """A tag of a set. Derived in the transaction that writes the set, so without foreign keys."""

    __tablename__ = "tag_set_member"
    __table_args__ = (Index(None, "tag_id"), {"sqlite_with_rowid": False})

    tag_set_id: Mapped[int] = mapped_column(NarrowId, primary_key=True, autoincrement=False)
    tag_id: Mapped[int] = mapped_column(NarrowId, primary_key=True, autoincrement=False)


class Build(Base):
    """What the runs of one spec on one machine by one owner have in common, and the newest of them.

    `environment_id` is the machine as far as the runs together name it. A run whose spec nobody knows
    (CDash) is a build of its own: then `spec_id` is null. `package_id` is the spec's package, or without a
    spec what is built as far as that was reported. `newest_attempt_id` and what follows it repeat the
    newest run's facts, so that lists filter and sort by them; derived, as all of the row is
    (`spackmon.ingest.tables.builds`). `audience_id` is who may see it, null where everybody may: the
    narrowest audience of its claims. None is ever deleted: so it is without a foreign key.
    """

    __tablename__ = "build"
    __table_args__ = (
        UniqueConstraint("spec_id", "environment_id", "owner_id"),
        Index("ix_build_waiting", "package_id", sqlite_where=_WAITS, postgresql_where=_WAITS),
        # Builds of a status are told there without reading the rows of the others.
        Index(None, "package_id", "id", "status"),
        Index(
            "ix_build_unusual_status",
            "status",
            "id",
            sqlite_where=_IS_UNUSUAL,
            postgresql_where=_IS_UNUSUAL,
        ),
        Index(None, "environment_id", "id"),
        Index(None, "owner_id", "id"),
        # Few have the same moment: they are sorted by their ids as they are read.
        Index(None, "created_at"),
        Index(None, "updated_at"),
        *_counts("build"),
        # The number of a build that was merged into another is never given again.
        {"sqlite_autoincrement": True},
    )

    # The narrow before the wide and texts last: PostgreSQL pads what stands behind something shorter.
    id: Mapped[int] = mapped_column(NarrowId, primary_key=True)
    spec_id: Mapped[int | None] = mapped_column(NarrowId, ForeignKey(Spec.id))
    package_id: Mapped[int | None] = mapped_column(NarrowId, ForeignKey(Package.id))
    environment_id: Mapped[int] = mapped_column(NarrowId, ForeignKey(BuildEnvironment.id))
    owner_id: Mapped[int] = mapped_column(NarrowId, ForeignKey(Person.id))
    newest_attempt_id: Mapped[int | None] = mapped_column(NarrowId, index=True)
    # Of a claim that is counted to the run, which has the indexes: derived, so without foreign keys.
    environment_set_id: Mapped[int | None] = mapped_column(NarrowId)
    manifest_id: Mapped[int | None] = mapped_column(NarrowId)
    configure_arguments_id: Mapped[int | None] = mapped_column(NarrowId, info=_OF_ARGUMENTS)
    error_count: Mapped[int] = mapped_column(server_default="0", info=MOSTLY_0)
    warning_count: Mapped[int] = mapped_column(server_default="0", info=MOSTLY_0)
    first_error_group_id: Mapped[int | None] = mapped_column(NarrowId)
    # All builds of a set are few entries, which more columns would make one each.
    tag_set_id: Mapped[int | None] = mapped_column(NarrowId, index=True)
    facet_id: Mapped[int | None] = mapped_column(NarrowId)
    audience_id: Mapped[int | None] = mapped_column(NarrowId)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    duration_seconds: Mapped[float | None] = mapped_column(Float(53))
    cpu_seconds: Mapped[float | None] = mapped_column(Float(53))
    peak_memory_bytes: Mapped[int | None] = mapped_column(RowId)
    status: Mapped[str] = mapped_column(ByteOrderedText, info=_STATUS)
    installed_from: Mapped[str | None] = mapped_column(ByteOrderedText)
    prefix: Mapped[str | None] = mapped_column(ByteOrderedText)


# What was never started is last where the newest are first; in SQLite so without a word in an index. The
# newest are behind all others, as in the indexes by reports, where PostgreSQL fills its pages.
Index("ix_build_started_at", Build.started_at.asc().nulls_first())
Index("ix_build_finished_at", Build.finished_at.asc().nulls_first())
# Those without a moment may be many: they have the order of their ids from here.
for name in ("started_at", "finished_at"):
    none = text(f"{name} IS NULL")
    Index(f"ix_build_no_{name}", Build.id, sqlite_where=none, postgresql_where=none)
# As many as there are of a source that says whole seconds may have taken as long.
Index("ix_build_duration_seconds_id", Build.duration_seconds.desc().nulls_last(), Build.id.desc())
# The newest build of a facet.
Index("ix_build_facet_id_began", Build.facet_id, began(Build.started_at, Build.id))


BUILDS_OF_CHUNK = 256
"""So many builds, by their numbers, are a chunk."""

SEALED = -1
"""The place of a row that holds all builds of its chunk."""


class BuildContent(Base):
    """Which package versions a build's graph contains, below its root: one index range per question.

    A build's number is `chunk` * BUILDS_OF_CHUNK + its place in the chunk. It is written as rows of its own,
    with its `place`. In PostgreSQL `places` are those of a row's builds: of this one, or where `place` is
    SEALED of all that are in the row, which takes the room of the others (`ingest.tables.sealing`).

    Kept beside the closure because no plan over the closure is fast both for a version that nearly
    every build contains and for one that five contain (docs/decisions/0002-dependency-filter.md).
    Derived rows, so without foreign keys, as the closure.
    """

    __tablename__ = "build_content"
    __table_args__ = (
        Index(None, "package_id", "chunk", "place"),
        {"sqlite_with_rowid": False},
    )

    package_version_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    chunk: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    place: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    package_id: Mapped[int] = mapped_column(Integer)
    places: Mapped[Any | None] = mapped_column(Text().with_variant(ARRAY(SmallInteger), "postgresql"))


class Attempt(Base):
    """One run of a build, derived from the claims that speak of it (`spackmon.runs`).

    `number` counts the runs of a build by their beginnings, from 1. `started_at` is null where no source said
    when it ran. `end_is_inferred` tells that `finished_at` is when it was last heard of, not a reported end.
    `first_error_group_id` is the group of the first of its errors. `tag_set_id` are all tags that its claims
    have, null where they have none: derived, so without a foreign key. `cpu_seconds` are those of its phases
    together, `peak_memory_bytes` the most of any, as far as that is known.
    """

    __tablename__ = "attempt"
    __table_args__ = (
        UniqueConstraint("build_id", "number"),
        *_counts("attempt"),
        Index("ix_attempt_ci_job_id", "ci_job_id", sqlite_where=_OF_CI, postgresql_where=_OF_CI),
    )

    id: Mapped[int] = mapped_column(NarrowId, primary_key=True)
    build_id: Mapped[int] = mapped_column(NarrowId, ForeignKey(Build.id))
    number: Mapped[int]
    environment_id: Mapped[int] = mapped_column(NarrowId, ForeignKey(BuildEnvironment.id), index=True)
    # Of a claim that is counted to the run, which has the indexes: derived, so without foreign keys.
    environment_set_id: Mapped[int | None] = mapped_column(NarrowId)
    manifest_id: Mapped[int | None] = mapped_column(NarrowId)
    error_count: Mapped[int] = mapped_column(server_default="0", info=MOSTLY_0)
    warning_count: Mapped[int] = mapped_column(server_default="0", info=MOSTLY_0)
    first_error_group_id: Mapped[int | None] = mapped_column(NarrowId)
    ci_job_id: Mapped[int | None] = mapped_column(NarrowId, ForeignKey(CiJob.id))
    reported_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    duration_seconds: Mapped[float | None] = mapped_column(Float(53))
    cpu_seconds: Mapped[float | None] = mapped_column(Float(53))
    peak_memory_bytes: Mapped[int | None] = mapped_column(RowId)
    # Here the four bytes need no padding.
    tag_set_id: Mapped[int | None] = mapped_column(NarrowId, index=True)
    configure_arguments_id: Mapped[int | None] = mapped_column(NarrowId, info=_OF_ARGUMENTS)
    end_is_inferred: Mapped[bool] = mapped_column(Boolean)
    status: Mapped[str] = mapped_column(ByteOrderedText)
    spack_version: Mapped[str | None] = mapped_column(ByteOrderedText)
    spack_revision: Mapped[str | None] = mapped_column(ByteOrderedText)
    installed_from: Mapped[str | None] = mapped_column(ByteOrderedText)
    prefix: Mapped[str | None] = mapped_column(ByteOrderedText)


class PhaseKind(Base):
    """What phases of many runs have in common; `position` counts from 1 in the order in which they ran.

    Never changed: a phase that ends otherwise has another one.
    """

    __tablename__ = "phase_kind"
    __table_args__ = (UniqueConstraint("name", "position", "status"),)

    id: Mapped[int] = mapped_column(NarrowId, primary_key=True)
    position: Mapped[int]
    name: Mapped[str] = mapped_column(ByteOrderedText)
    status: Mapped[str] = mapped_column(ByteOrderedText)


class Phase(Base):
    """A phase of an attempt: `kind_id` says its name, its position among them and how it ended.

    `place` counts from 1 in the order in which they were first written, and stays: a phase's number is made
    of both (`places`). `cpu_seconds` are those of all processors, `peak_memory_bytes` is the resident memory
    of its largest process.
    """

    __tablename__ = "phase"
    __table_args__ = ({"info": {"places": ("attempt_id", "place")}, "sqlite_with_rowid": False},)

    # Eight columns: PostgreSQL would begin a row of more with eight bytes else, where any of them is null.
    # Without the place the entries of a run's phases are one: a third of the room. So PostgreSQL has no index
    # of both, and that they differ holds by who writes them: one at a time.
    attempt_id: Mapped[int] = mapped_column(NarrowId, ForeignKey(Attempt.id), primary_key=True, index=True)
    place: Mapped[int] = mapped_column(Integer, primary_key=True)
    log_id: Mapped[int | None] = mapped_column(NarrowId, ForeignKey(Log.id), index=True)
    kind_id: Mapped[int] = mapped_column(NarrowId, ForeignKey(PhaseKind.id))
    reported_at: Mapped[datetime] = mapped_column(UtcDateTime)
    duration_seconds: Mapped[float | None] = mapped_column(Float(53))
    cpu_seconds: Mapped[float | None] = mapped_column(Float(53))
    peak_memory_bytes: Mapped[int | None] = mapped_column(RowId)


class ConcretizationFailure(Base):
    """What could not be concretized, when and by whom.

    `document` is the abstract spec as it came, `abstract_spec` the same as somebody typed it, `message` what
    the solver said: each source tells one or two of them. `digest` is the SHA-1 of `document`, or of the two
    texts with a NUL between them. `version` to `target` are what it names of the spec that was asked for
    (`graph.requests`), null where it names none.
    """

    __tablename__ = "concretization_failure"
    __table_args__ = (UniqueConstraint("digest", "owner_id", "spack_version"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    package_id: Mapped[int | None] = mapped_column(ForeignKey(Package.id), index=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey(Person.id), index=True)
    spack_version: Mapped[str] = mapped_column(ByteOrderedText)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    document: Mapped[str | None] = mapped_column(JsonText)
    abstract_spec: Mapped[str | None] = mapped_column(ByteOrderedText)
    message: Mapped[str | None] = mapped_column(ByteOrderedText)
    version: Mapped[str | None] = mapped_column(ByteOrderedText)
    version_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    compiler: Mapped[str | None] = mapped_column(ByteOrderedText)
    compiler_name: Mapped[str | None] = mapped_column(ByteOrderedText)
    compiler_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    operating_system: Mapped[str | None] = mapped_column(ByteOrderedText)
    target: Mapped[str | None] = mapped_column(ByteOrderedText)
    audience_id: Mapped[int | None] = mapped_column(RowId)
    reported_at: Mapped[datetime] = mapped_column(UtcDateTime)
