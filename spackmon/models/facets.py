"""Builds counted by what they are of and by the day they ran: what groups of all builds are added up from."""

from sqlalchemy import BigInteger, Float, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from spackmon.models.columns import Base, ByteOrderedText, RowId


class BuildFacet(Base):
    """Builds of one package version, compiler and architecture, with the same packages below, that ended
    alike, and how many there are.

    What a build has not got, or is not known yet, is 0 or the empty text here: so a facet is there once. The
    count is right together with the facet's rows of `build_facet_change`. Derived rows, so without foreign
    keys.
    """

    __tablename__ = "build_facet"
    __table_args__ = (
        UniqueConstraint(
            "package_id",
            "package_version_id",
            "compiler_id",
            "architecture_id",
            "status",
            "installed_from",
            "package_set_id",
            name="uq_build_facet",
        ),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    package_id: Mapped[int] = mapped_column(RowId)
    package_version_id: Mapped[int] = mapped_column(RowId)
    compiler_id: Mapped[int] = mapped_column(RowId)
    architecture_id: Mapped[int] = mapped_column(RowId)
    status: Mapped[str] = mapped_column(ByteOrderedText)
    installed_from: Mapped[str] = mapped_column(ByteOrderedText)
    build_count: Mapped[int] = mapped_column(server_default="0")
    package_set_id: Mapped[int] = mapped_column(RowId, server_default="0")


class BuildFacetDuration(Base):
    """Builds of a facet whose durations are rounded alike (`history.rounded_durations`), and their sum.

    Right together with `build_facet_change`, as the facet's count.
    """

    __tablename__ = "build_facet_duration"
    __table_args__ = ({"sqlite_with_rowid": False},)

    facet_id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)
    rounded_seconds: Mapped[float] = mapped_column(Float(53), primary_key=True)
    build_count: Mapped[int]
    microseconds: Mapped[int] = mapped_column(BigInteger)


class BuildDay(Base):
    """Builds that began on one day of UTC, written as `2026-03-01`, and ended alike, and how many there are.

    The empty text is there for what has no day, or nothing that says where it was installed from. The count
    is right together with `build_facet_change`, as a facet's.
    """

    __tablename__ = "build_day"

    day: Mapped[str] = mapped_column(ByteOrderedText, primary_key=True)
    status: Mapped[str] = mapped_column(ByteOrderedText, primary_key=True)
    installed_from: Mapped[str] = mapped_column(ByteOrderedText, primary_key=True)
    build_count: Mapped[int]


class BuildTotal(Base):
    """Builds of one owner, or whose newest run has one tag, the same first error, or so many errors or
    warnings, that ended alike, and how many there are.

    `kind` is a word of `spackmon.status.TotalOf`, `key_id` the id of what they have in common, or the number;
    what has no error or no warning is not counted by it. The empty text is there where nothing says what they
    were installed from. Right together with `build_total_change`.
    """

    __tablename__ = "build_total"

    kind: Mapped[str] = mapped_column(ByteOrderedText, primary_key=True)
    key_id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)
    status: Mapped[str] = mapped_column(ByteOrderedText, primary_key=True)
    installed_from: Mapped[str] = mapped_column(ByteOrderedText, primary_key=True)
    build_count: Mapped[int]


class BuildFacetTotal(Base):
    """Builds of one facet that a total counts together, and how many there are; as BuildTotal."""

    __tablename__ = "build_facet_total"
    __table_args__ = ({"sqlite_with_rowid": False},)

    kind: Mapped[str] = mapped_column(ByteOrderedText, primary_key=True)
    key_id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)
    facet_id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)
    build_count: Mapped[int]


class BuildTotalChange(Base):
    """How many builds a report made more or less of a total and a facet; as BuildFacetChange."""

    __tablename__ = "build_total_change"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    kind: Mapped[str] = mapped_column(ByteOrderedText)
    key_id: Mapped[int] = mapped_column(RowId)
    facet_id: Mapped[int] = mapped_column(RowId)
    build_count: Mapped[int]


class BuildFacetChange(Base):
    """How many builds a report made more or less of a facet, a day and a rounded duration, and by how much it
    changed the sum of durations; in no count yet, as ErrorGroupChange.
    """

    __tablename__ = "build_facet_change"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    facet_id: Mapped[int] = mapped_column(RowId)
    day: Mapped[str] = mapped_column(ByteOrderedText)
    build_count: Mapped[int]
    rounded_seconds: Mapped[float | None] = mapped_column(Float(53))
    microseconds: Mapped[int] = mapped_column(BigInteger)
