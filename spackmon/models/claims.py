"""Claims: what each source reported of one run. Attempts and their facts are derived from these rows."""

from datetime import datetime

from sqlalchemy import Boolean, Float, ForeignKey, Index, Integer, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from spackmon.models.builds import Attempt, BuildEnvironment, EnvironmentSet, Manifest, TagSet
from spackmon.models.ci import CiJob
from spackmon.models.columns import Base, ByteOrderedText, JsonText, NarrowId, RowId, UtcDateTime
from spackmon.models.graph import Package, Spec
from spackmon.models.logs import Log
from spackmon.models.people import Person
from spackmon.models.steps import window_ends

NUMBERS_OF_CHUNK = 1_000
"""How many numbers a row of `EarlierPhase` is of."""
_UNTIMED = text("window_begins_at IS NULL")
# Most claims of clients that report as they build name none.
_HAS_PREFIX = text("prefix IS NOT NULL")
# What a hash means is asked of claims without a spec; those of a spec are found by that.
_NO_SPEC = text("spec_id IS NULL")
_HAS_VARIABLES, _HAS_FILES = text("environment_set_id IS NOT NULL"), text("manifest_id IS NOT NULL")
_OF_MS1 = text("client_build_id IS NOT NULL")
_NOT_RUN = text("status = 'NOTRUN'")
# Words for words what `spackmon.ingest.silence` asks for: SQLite takes no other for the same.
_OPEN = text("status IN ('RUNNING', 'NOTRUN') AND abandoned_at IS NULL AND cancelled_at IS NULL")


class Claim(Base):
    """What one source reported of one run (`spackmon.runs.claim`); `kind` is a word of `SourceKind`.

    `key` is the source's own name of the run (CDash's site, stamp and build name; a prefix; a run of the
    extension): whatever comes with the same key adds to the same claim. `attempt_id` is the run that it was
    found to speak of. `spec_hash` is the hash by which the source names its spec, `spec_hash_kind` of which
    kind that is where the source says it, `spec_id` the spec of that name, null while there is none. The
    window is the time within which another claim of the run must touch, null where the claim does not tell
    when it ran. `unlisted_event_count` is how many events the fullest of its reports had beyond those that
    are listed. `phases` are those that the source reported, packed (`runs.packed_phases`).

    Of ms1 alone: `client_build_id` is the build's number that the client was given; `next_run` is JSON of
    what it announced for the next one (`at`, `spack_version`, `tags`), which its next report begins.
    """

    __tablename__ = "claim"
    __table_args__ = (
        UniqueConstraint("owner_id", "kind", "key"),
        Index("ix_claim_package_id_window", "package_id", window_ends()),
        Index("ix_claim_spec_id_window", "spec_id", window_ends()),
        Index(
            "ix_claim_prefix",
            "package_id",
            "prefix",
            "window_ends_at",
            sqlite_where=_HAS_PREFIX,
            postgresql_where=_HAS_PREFIX,
        ),
        Index("ix_claim_untimed", "spec_id", "kind", "id", sqlite_where=_UNTIMED, postgresql_where=_UNTIMED),
        Index(
            "ix_claim_untimed_of_hash",
            "spec_hash",
            "kind",
            "id",
            sqlite_where=_UNTIMED,
            postgresql_where=_UNTIMED,
        ),
        Index(
            "ix_claim_untimed_at_prefix",
            "package_id",
            "prefix",
            "kind",
            "id",
            sqlite_where=_UNTIMED,
            postgresql_where=_UNTIMED,
        ),
        Index("ix_claim_client_build", "client_build_id", sqlite_where=_OF_MS1, postgresql_where=_OF_MS1),
        Index(
            "ix_claim_not_run", "owner_id", "environment_id", sqlite_where=_NOT_RUN, postgresql_where=_NOT_RUN
        ),
        Index("ix_claim_open", "last_reported_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index(None, "environment_id"),
        # Claims lie in the order of their reports: PostgreSQL notes the times of many pages as one.
        Index(None, "last_reported_at", postgresql_using="brin"),
        Index("ix_claim_unknown_spec", "spec_hash", sqlite_where=_NO_SPEC, postgresql_where=_NO_SPEC),
        Index(
            "ix_claim_environment_set_id",
            "environment_set_id",
            sqlite_where=_HAS_VARIABLES,
            postgresql_where=_HAS_VARIABLES,
        ),
        Index("ix_claim_manifest_id", "manifest_id", sqlite_where=_HAS_FILES, postgresql_where=_HAS_FILES),
    )

    # The narrow before the wide and texts last: PostgreSQL pads what stands behind something shorter.
    id: Mapped[int] = mapped_column(NarrowId, primary_key=True)
    attempt_id: Mapped[int | None] = mapped_column(NarrowId, ForeignKey(Attempt.id), index=True)
    owner_id: Mapped[int] = mapped_column(NarrowId, ForeignKey(Person.id))
    package_id: Mapped[int | None] = mapped_column(NarrowId, ForeignKey(Package.id))
    spec_id: Mapped[int | None] = mapped_column(NarrowId, ForeignKey(Spec.id))
    environment_id: Mapped[int] = mapped_column(NarrowId, ForeignKey(BuildEnvironment.id))
    environment_set_id: Mapped[int | None] = mapped_column(NarrowId, ForeignKey(EnvironmentSet.id))
    manifest_id: Mapped[int | None] = mapped_column(NarrowId, ForeignKey(Manifest.id))
    client_build_id: Mapped[int | None] = mapped_column(NarrowId)
    unlisted_event_count: Mapped[int] = mapped_column(server_default="0")
    ci_job_id: Mapped[int | None] = mapped_column(NarrowId, ForeignKey(CiJob.id))
    audience_id: Mapped[int | None] = mapped_column(NarrowId)
    first_reported_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_reported_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    duration_seconds: Mapped[float | None] = mapped_column(Float(53))
    time_uncertainty_seconds: Mapped[float] = mapped_column(Float(53))
    window_begins_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    window_ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    abandoned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Here the four bytes need no padding.
    tag_set_id: Mapped[int | None] = mapped_column(NarrowId, ForeignKey(TagSet.id))
    # Without a foreign key: who deletes one would look through all claims, which have no index of them.
    configure_arguments_id: Mapped[int | None] = mapped_column(NarrowId)
    owner_is_certain: Mapped[bool] = mapped_column(Boolean)
    is_live: Mapped[bool] = mapped_column(Boolean)
    times_enclose_run: Mapped[bool] = mapped_column(Boolean)
    kind: Mapped[str] = mapped_column(ByteOrderedText)
    key: Mapped[str] = mapped_column(ByteOrderedText)
    status: Mapped[str] = mapped_column(ByteOrderedText)
    spec_hash: Mapped[str | None] = mapped_column(ByteOrderedText)
    spec_hash_kind: Mapped[str | None] = mapped_column(ByteOrderedText)
    spack_version: Mapped[str | None] = mapped_column(ByteOrderedText)
    spack_revision: Mapped[str | None] = mapped_column(ByteOrderedText)
    prefix: Mapped[str | None] = mapped_column(ByteOrderedText)
    installed_from: Mapped[str | None] = mapped_column(ByteOrderedText)
    next_run: Mapped[str | None] = mapped_column(JsonText)
    phases: Mapped[bytes | None] = mapped_column(LargeBinary)


class ClaimLog(Base):
    """A log of a claim that no phase of its run shows, as another claim has a longer one."""

    __tablename__ = "claim_log"

    claim_id: Mapped[int] = mapped_column(RowId, ForeignKey(Claim.id), primary_key=True)
    log_id: Mapped[int] = mapped_column(ForeignKey(Log.id), primary_key=True, index=True)


class Ruling(Base):
    """What a person said of two claims: `is_one_run`, or two. `claim_id` is the lower number."""

    __tablename__ = "ruling"

    claim_id: Mapped[int] = mapped_column(RowId, ForeignKey(Claim.id), primary_key=True)
    other_claim_id: Mapped[int] = mapped_column(RowId, ForeignKey(Claim.id), primary_key=True, index=True)
    is_one_run: Mapped[bool] = mapped_column(Boolean)
    person_id: Mapped[int] = mapped_column(ForeignKey(Person.id))
    reported_at: Mapped[datetime] = mapped_column(UtcDateTime)


class MergedBuild(Base):
    """A build's number that clients hold since before it turned out to be another build, `build_id`."""

    __tablename__ = "merged_build"

    id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)
    build_id: Mapped[int] = mapped_column(RowId, ForeignKey("build.id"), index=True)


class EarlierPhase(Base):
    """Where the numbers lead to that phases had before they were places: people have noted addresses.

    A row is of NUMBERS_OF_CHUNK numbers, from `chunk` times so many and one on, and has two lists in JSON:
    each one's run, null where no phase had the number, and its place. Nothing is added any longer.
    """

    __tablename__ = "earlier_phase"

    chunk: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    attempt_ids: Mapped[str] = mapped_column(JsonText)
    places: Mapped[str] = mapped_column(JsonText)
