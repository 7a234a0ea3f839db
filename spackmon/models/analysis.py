"""What analyzers found out about runs and the files they installed."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from spackmon.models.builds import Attempt, InstallFile
from spackmon.models.claims import Claim
from spackmon.models.columns import COUNTED, Base, ByteOrderedText, JsonText, RowId, UtcDateTime


class Analysis(Base):
    """One analyzer's last report by one source; a re-run replaces its attributes.

    `attempt_id` is the run that it is an analysis of, null where another source's stands for that analyzer.
    """

    __tablename__ = "analysis"
    __table_args__ = (UniqueConstraint("claim_id", "analyzer"), COUNTED)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    claim_id: Mapped[int] = mapped_column(RowId, ForeignKey(Claim.id))
    attempt_id: Mapped[int | None] = mapped_column(RowId, ForeignKey(Attempt.id), index=True)
    analyzer: Mapped[str] = mapped_column(ByteOrderedText)
    reported_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SymbolSet(Base):
    """The symbols of an ELF file, packed (spackmon.abi.reader.packed); `digest` is the SHA-256 of `content`.

    Builds of the same code have the same ones, whatever their prefixes.
    """

    __tablename__ = "symbol_set"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class ElfFile(Base):
    """What the loader reads of an ELF file, packed: all but the symbols in `head`.

    `digest` is the SHA-256 of both. Equal files are one row, whoever installed them.
    """

    __tablename__ = "elf_file"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    symbol_set_id: Mapped[int] = mapped_column(ForeignKey(SymbolSet.id), index=True)
    head: Mapped[bytes] = mapped_column(LargeBinary)


class SystemLibrary(Base):
    """A library of some system; `digest` is the SHA-256 of the file.

    `elf_file_id` is what the loader reads of it, null until a report has that.
    """

    __tablename__ = "system_library"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    elf_file_id: Mapped[int | None] = mapped_column(ForeignKey(ElfFile.id), index=True)


class HostImage(Base):
    """A machine by its os-release and those libraries of its system that some files need.

    `digest` is the SHA-256 of all that: files that need the same of equal machines have one image.
    """

    __tablename__ = "host_image"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    os: Mapped[str] = mapped_column(ByteOrderedText)
    os_version: Mapped[str] = mapped_column(ByteOrderedText)
    architecture: Mapped[str] = mapped_column(ByteOrderedText)


class HostLibrary(Base):
    """Where an image has a library; `name` is what files need it as, null where a path leads to it."""

    __tablename__ = "host_library"
    __table_args__ = (UniqueConstraint("host_image_id", "path"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    host_image_id: Mapped[int] = mapped_column(ForeignKey(HostImage.id))
    path: Mapped[str] = mapped_column(ByteOrderedText)
    name: Mapped[str | None] = mapped_column(ByteOrderedText)
    system_library_id: Mapped[int] = mapped_column(ForeignKey(SystemLibrary.id), index=True)


class AnalysisHost(Base):
    """The image of the machine on which an analyzer read files that are at home there."""

    __tablename__ = "analysis_host"

    analysis_id: Mapped[int] = mapped_column(ForeignKey(Analysis.id), primary_key=True)
    host_image_id: Mapped[int] = mapped_column(ForeignKey(HostImage.id), index=True)


class _Value:
    """What an analyzer reported; `kind` (TEXT, JSON, BINARY) says which of the three values is set.

    `path` is the file as the analyzer named it. `size_bytes` and `digest`, a SHA-256, are of the value's
    bytes, in UTF-8 if it is a text or JSON.
    """

    path: Mapped[str | None] = mapped_column(ByteOrderedText)
    name: Mapped[str] = mapped_column(ByteOrderedText)
    kind: Mapped[str] = mapped_column(ByteOrderedText)
    value: Mapped[str | None] = mapped_column(ByteOrderedText)
    binary_value: Mapped[bytes | None] = mapped_column(LargeBinary)
    json_value: Mapped[str | None] = mapped_column(JsonText)
    size_bytes: Mapped[int] = mapped_column(RowId)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    reported_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Attribute(_Value, Base):
    """A value that an analyzer gave to a run or to one of its files.

    Instead of a value that of an ELF file which could be read (`kind` ELF) has `elf_file_id`.

    `attempt_id` is its analysis's. `install_file_id` is the row of the run's manifest that has the file.
    """

    __tablename__ = "attribute"
    __table_args__ = COUNTED

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    analysis_id: Mapped[int] = mapped_column(ForeignKey(Analysis.id), index=True)
    attempt_id: Mapped[int | None] = mapped_column(RowId, ForeignKey(Attempt.id), index=True)
    install_file_id: Mapped[int | None] = mapped_column(ForeignKey(InstallFile.id), index=True)
    elf_file_id: Mapped[int | None] = mapped_column(ForeignKey(ElfFile.id), index=True)


class EarlierAttribute(_Value, Base):
    """A value that an analyzer had given before a later run of it by the same source, at `replaced_at`."""

    __tablename__ = "earlier_attribute"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    analysis_id: Mapped[int] = mapped_column(ForeignKey(Analysis.id), index=True)
    replaced_at: Mapped[datetime] = mapped_column(UtcDateTime)
