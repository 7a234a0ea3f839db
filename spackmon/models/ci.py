"""Runs of a CI system and their jobs."""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from spackmon.models.columns import Base, ByteOrderedText, RowId, UtcDateTime


class CiRun(Base):
    """A pipeline of GitLab, or a workflow run of GitHub Actions; of one with several stacks, that of one.

    `provider` is a word of `CiProvider`, `project` the project's address or path. `stack` is the empty string
    where there is none. `url`, `ref` and `commit_sha` are what its jobs say of it.
    """

    __tablename__ = "ci_run"
    __table_args__ = (UniqueConstraint("provider", "project", "pipeline_id", "stack"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    provider: Mapped[str] = mapped_column(ByteOrderedText)
    project: Mapped[str] = mapped_column(ByteOrderedText)
    pipeline_id: Mapped[str] = mapped_column(ByteOrderedText)
    stack: Mapped[str] = mapped_column(ByteOrderedText, index=True)
    url: Mapped[str | None] = mapped_column(ByteOrderedText)
    ref: Mapped[str | None] = mapped_column(ByteOrderedText)
    commit_sha: Mapped[str | None] = mapped_column(ByteOrderedText)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CiJob(Base):
    """A job of a CI run; `job_id` is the empty string where a source does not say it."""

    __tablename__ = "ci_job"
    __table_args__ = (UniqueConstraint("ci_run_id", "job_id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    ci_run_id: Mapped[int] = mapped_column(ForeignKey(CiRun.id))
    job_id: Mapped[str] = mapped_column(ByteOrderedText)
    name: Mapped[str | None] = mapped_column(ByteOrderedText)
    url: Mapped[str | None] = mapped_column(ByteOrderedText)
