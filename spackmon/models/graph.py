"""Specs, what they are made of, and how they depend on each other."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, SmallInteger, UniqueConstraint, text, true
from sqlalchemy.orm import Mapped, mapped_column

from spackmon.models.columns import (
    Base,
    ByteOrderedText,
    ByteOrderedWord,
    JsonText,
    NarrowId,
    RowId,
    UtcDateTime,
    View,
)


class Package(Base):
    """A package by its name, whatever its namespace."""

    __tablename__ = "package"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(ByteOrderedText, unique=True)


class PackageVersion(Base):
    """A version of a package; `version_key` sorts as Spack sorts versions."""

    __tablename__ = "package_version"
    __table_args__ = (
        UniqueConstraint("package_id", "version"),
        Index(None, "package_id", "version_key"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    package_id: Mapped[int] = mapped_column(ForeignKey(Package.id))
    version: Mapped[str] = mapped_column(ByteOrderedText)
    version_key: Mapped[bytes] = mapped_column(LargeBinary)


class Compiler(Base):
    """A compiler: by the name that a document gives it, or from format v5 on that of its package."""

    __tablename__ = "compiler"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(ByteOrderedText)
    version: Mapped[str] = mapped_column(ByteOrderedText)
    version_key: Mapped[bytes] = mapped_column(LargeBinary)


class Target(Base):
    """A microarchitecture as one Spack described it; a generic one is only a name.

    `digest` is the SHA-1 of its compact JSON: archspec's descriptions of one name change over time.
    """

    __tablename__ = "target"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    name: Mapped[str] = mapped_column(ByteOrderedText, index=True)
    vendor: Mapped[str | None] = mapped_column(ByteOrderedText)
    generation: Mapped[int | None]
    features: Mapped[str] = mapped_column(JsonText)
    parents: Mapped[str] = mapped_column(JsonText)


class Architecture(Base):
    """Platform, operating system and target together."""

    __tablename__ = "architecture"
    __table_args__ = (UniqueConstraint("platform", "operating_system", "target_id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    platform: Mapped[str] = mapped_column(ByteOrderedText)
    operating_system: Mapped[str] = mapped_column(ByteOrderedText)
    target_id: Mapped[int] = mapped_column(ForeignKey(Target.id))


class ParameterSet(Base):
    """The variants and flags of a spec, as their JSON came; most specs share theirs with many others.

    `digest` is the SHA-1 of `document`.
    """

    __tablename__ = "parameter_set"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    document: Mapped[str] = mapped_column(JsonText)


class Parameter(Base):
    """One element of one variant or kind of flags, as `graph.parameters` writes it.

    Derived from the set's document in the transaction that writes it, so without a foreign key, as the
    closure: to check twenty references would cost a new set as much as its rows.
    """

    __tablename__ = "parameter"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 -- SQLAlchemy's own form

    name: Mapped[str] = mapped_column(ByteOrderedText, primary_key=True)
    value: Mapped[str] = mapped_column(ByteOrderedText, primary_key=True)
    parameter_set_id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)


class PackageSet(Base):
    """The packages that stand below a spec, as a set; most specs share theirs with many others.

    `digest` is the SHA-1 of their names.
    """

    __tablename__ = "package_set"

    id: Mapped[int] = mapped_column(NarrowId, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)


class PackageSetMember(Base):
    """A package of a set. Derived in the transaction that writes the set, so without foreign keys."""

    __tablename__ = "package_set_member"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 -- SQLAlchemy's own form

    package_id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)
    package_set_id: Mapped[int] = mapped_column(NarrowId, primary_key=True, autoincrement=False)


class PackageHash(Base):
    """The hash of a package's recipe, which all specs that are built by that recipe share."""

    __tablename__ = "package_hash"

    id: Mapped[int] = mapped_column(NarrowId, primary_key=True)
    value: Mapped[str] = mapped_column(ByteOrderedText, unique=True)


class Spec(Base):
    """A concrete spec: what its documents state together.

    `hash` is its identity and `hash_kind` says which of Spack's hashes that is: the strongest that a document
    in format v1 or v2 states (`full_hash`, `build_hash`, `hash`), the DAG `hash` from v3 on
    (`graph.identity`). Where documents differ, the values are those of the oldest format's longest document.
    `compiler_id` is the compiler that a document names (`names_compiler`), as formats before v5 do,
    otherwise that of C, without one that of C++, else that of Fortran; `compiler_languages` are those that
    it compiles (`graph.compilers.LANGUAGE_BITS`), and OtherCompiler has what compiles others. `built_as` is a
    hash of the spec that a spliced one was built as; that spec need not be here. `external_path` is the path
    in `external`.
    `is_public`: somebody reported it for everybody; else SpecAudience says who may see it.
    `package_set_id` are the packages below it, as the closure says; null until a service has looked at a
    spec that an older version stored. Derived, so without a foreign key.
    """

    __tablename__ = "spec"
    __table_args__ = (
        UniqueConstraint("hash", "hash_kind"),
        Index(None, "compiler_id", "names_compiler"),
        Index(None, "package_version_id", "id"),
        Index(
            "ix_spec_built_as", "built_as",
            sqlite_where=text("built_as IS NOT NULL"), postgresql_where=text("built_as IS NOT NULL"),
        ),
        Index(
            "ix_spec_not_public", "id",
            sqlite_where=text("is_public = 0"), postgresql_where=text("NOT is_public"),
        ),
    )  # fmt: skip

    # The narrow before the wide and texts last: PostgreSQL pads what stands behind something shorter.
    id: Mapped[int] = mapped_column(NarrowId, primary_key=True)
    package_version_id: Mapped[int] = mapped_column(NarrowId, ForeignKey(PackageVersion.id))
    compiler_id: Mapped[int | None] = mapped_column(NarrowId, ForeignKey(Compiler.id))
    architecture_id: Mapped[int] = mapped_column(NarrowId, ForeignKey(Architecture.id), index=True)
    parameter_set_id: Mapped[int] = mapped_column(NarrowId, ForeignKey(ParameterSet.id), index=True)
    package_hash_id: Mapped[int | None] = mapped_column(NarrowId, ForeignKey(PackageHash.id))
    package_set_id: Mapped[int | None] = mapped_column(NarrowId, index=True)
    format_version: Mapped[int] = mapped_column(SmallInteger)
    compiler_languages: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    names_compiler: Mapped[bool]
    is_public: Mapped[bool] = mapped_column(server_default=true())
    hash: Mapped[str] = mapped_column(ByteOrderedWord)
    hash_kind: Mapped[str] = mapped_column(ByteOrderedWord)
    namespace: Mapped[str | None] = mapped_column(ByteOrderedText)
    spack_version: Mapped[str | None] = mapped_column(ByteOrderedText)
    external: Mapped[str | None] = mapped_column(JsonText)
    external_path: Mapped[str | None] = mapped_column(ByteOrderedText)
    built_as: Mapped[str | None] = mapped_column(ByteOrderedWord)


class SpecRevision(Base):
    """How often transactions changed what is stored of specs; the sum of `number` is the state of all specs.

    A writer has a row of its own: those that change specs beside each other do not wait for one another.
    """

    __tablename__ = "spec_revision"

    writer: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger)


class SpecHash(Base):
    """Every hash under which a client showed a spec, with its kind; one value may name several specs.

    In PostgreSQL it is a view: a spec's own hash is stored with the spec alone (`ingest.tables.spec_hashes`).
    """

    __tablename__ = "spec_hash"

    value: Mapped[str] = mapped_column(ByteOrderedWord, primary_key=True)
    kind: Mapped[str] = mapped_column(ByteOrderedWord, primary_key=True)
    spec_id: Mapped[int] = mapped_column(NarrowId, ForeignKey(Spec.id), primary_key=True, index=True)


class SpecDocument(Base):
    """A node's JSON as it came in, and what it claims of its spec; a spec has one for each way of stating it.

    `digest` is the SHA-1 of `document`, and of `hashes` and `edges` where they depend on more than it
    states. `hashes` is a JSON list of [kind, hash], the strongest first, which names the spec; `edges` one of
    [kind of the child's hash, the hash, deptypes, virtuals]. `states_all_edges`: the spec has no others.
    `packed` are `document`, of so many `characters`, `edges`, `hashes` and `package_hash` by that version of
    the `dictionary` (`graph.packed_claims`); older rows have the texts themselves until a service packs them.
    The other columns are as those of Spec, and `spack_version` is the oldest that reported it.
    """

    __tablename__ = "spec_document"
    __table_args__ = (
        UniqueConstraint("spec_id", "digest"),
        Index(
            "ix_spec_document_not_packed", "id",
            sqlite_where=text("packed IS NULL"), postgresql_where=text("packed IS NULL"),
        ),
    )  # fmt: skip

    # The narrow before the wide and texts last: PostgreSQL pads what stands behind something shorter.
    id: Mapped[int] = mapped_column(NarrowId, primary_key=True)
    spec_id: Mapped[int] = mapped_column(NarrowId, ForeignKey(Spec.id))
    package_version_id: Mapped[int] = mapped_column(NarrowId, ForeignKey(PackageVersion.id))
    compiler_id: Mapped[int | None] = mapped_column(NarrowId, ForeignKey(Compiler.id))
    architecture_id: Mapped[int] = mapped_column(NarrowId, ForeignKey(Architecture.id))
    parameter_set_id: Mapped[int] = mapped_column(NarrowId, ForeignKey(ParameterSet.id))
    characters: Mapped[int | None]
    format_version: Mapped[int] = mapped_column(SmallInteger)
    dictionary: Mapped[int | None] = mapped_column(SmallInteger)
    states_all_edges: Mapped[bool]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    packed: Mapped[bytes | None] = mapped_column(LargeBinary)
    namespace: Mapped[str | None] = mapped_column(ByteOrderedText)
    package_hash: Mapped[str | None] = mapped_column(ByteOrderedText)
    spack_version: Mapped[str | None] = mapped_column(ByteOrderedText)
    document: Mapped[str | None] = mapped_column(JsonText)
    hashes: Mapped[str | None] = mapped_column(JsonText)
    edges: Mapped[str | None] = mapped_column(JsonText)
    external: Mapped[str | None] = mapped_column(JsonText)
    built_as: Mapped[str | None] = mapped_column(ByteOrderedWord)


class OtherCompiler(Base):
    """A compiler of a spec that is not its own `compiler_id`, and a language that it compiles for it.

    Specs of mixed toolchains alone have some.
    """

    __tablename__ = "other_compiler"
    __table_args__ = (Index(None, "compiler_id", "spec_id"), {"sqlite_with_rowid": False})

    spec_id: Mapped[int] = mapped_column(NarrowId, ForeignKey(Spec.id), primary_key=True)
    language: Mapped[str] = mapped_column(ByteOrderedWord, primary_key=True)
    compiler_id: Mapped[int] = mapped_column(NarrowId, ForeignKey(Compiler.id), primary_key=True)


class SpecCompiler(View):
    """A compiler of a spec and a language (c, cxx, fortran) that it compiles for it: its own one and others.

    One that a document of before format v5 names is that of all three. Who looks for the specs of a compiler
    reads Spec and OtherCompiler, which have indexes.
    """

    __tablename__ = "spec_compiler"

    spec_id: Mapped[int] = mapped_column(NarrowId, primary_key=True)
    language: Mapped[str] = mapped_column(ByteOrderedWord, primary_key=True)
    compiler_id: Mapped[int] = mapped_column(NarrowId, ForeignKey(Compiler.id), primary_key=True)


class Dependency(Base):
    """An edge of the graph. `virtuals` is a JSON list; `deptypes` is the sum of DEPTYPE_BITS."""

    __tablename__ = "dependency"
    __table_args__ = (Index(None, "child_id", "parent_id"),)

    parent_id: Mapped[int] = mapped_column(NarrowId, ForeignKey(Spec.id), primary_key=True)
    child_id: Mapped[int] = mapped_column(NarrowId, ForeignKey(Spec.id), primary_key=True)
    virtuals: Mapped[str] = mapped_column(JsonText, primary_key=True)
    deptypes: Mapped[int] = mapped_column(SmallInteger)


class ProvidedVirtual(Base):
    """A virtual that `child_id` provides to a spec or to what the spec depends on.

    `deptypes` are those of the spec's own edge that provides it, 0 if it has none; `by_caret` tells that
    the spec language's `^` sees the edge (see Closure).
    """

    __tablename__ = "provided_virtual"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 -- SQLAlchemy's own form

    virtual: Mapped[str] = mapped_column(ByteOrderedText, primary_key=True)
    spec_id: Mapped[int] = mapped_column(NarrowId, ForeignKey(Spec.id), primary_key=True)
    child_id: Mapped[int] = mapped_column(NarrowId, ForeignKey(Spec.id), primary_key=True)
    deptypes: Mapped[int] = mapped_column(SmallInteger)
    by_caret: Mapped[bool]


class _Pair:
    """Two specs, one of which is below the other."""

    ancestor_id: Mapped[int] = mapped_column(NarrowId, primary_key=True, autoincrement=False)
    descendant_id: Mapped[int] = mapped_column(NarrowId, primary_key=True, autoincrement=False)
    by_caret: Mapped[bool]
    by_link_run: Mapped[bool]
    by_build: Mapped[bool]
    depth: Mapped[int] = mapped_column(SmallInteger)


class Closure(_Pair, Base):
    """Every spec below a spec, by any path of any deptype; a spec is not below itself.

    `by_caret` tells that the spec language's `^` sees it: a path of link and run edges alone leads there,
    or the spec itself needs it to build. `by_link_run`: such a path alone leads there; `by_build`: a path on
    which at least one edge is of deptype build does. `depth` is how many edges the shortest path has.

    Who knows the spec above reads this one, who knows the spec below `closure_above`, which has the same
    rows. In PostgreSQL both are views over lists of numbers (docs/decisions/0017-closures.md).

    Without foreign keys: the rows are derived in the transaction that writes the specs, and checking
    two references for each of them would cost more than all the rest of an ingest.
    """

    __tablename__ = "closure"
    __table_args__ = (
        Index(
            "ix_closure_above", "descendant_id", "ancestor_id", "by_caret", "by_link_run", "by_build", "depth"
        ),
        {"sqlite_with_rowid": False},
    )


class ClosureAbove(_Pair, View):
    """The same pairs, to be read by the spec that is below the others."""

    __tablename__ = "closure_above"


class ClosureAboveCount(View):
    """How many pairs of a spec that is below others there are, in parts to be added up."""

    __tablename__ = "closure_above_count"

    descendant_id: Mapped[int] = mapped_column(NarrowId, primary_key=True, autoincrement=False)
    number: Mapped[int]


ANCESTORS_OF_CHUNK = 256
"""So many ancestors, by their numbers, are in one row of PostgreSQL's lists of what is above a spec."""


SPEC_TABLES = frozenset(
    model.__tablename__
    for model in (
        Package, PackageVersion, Compiler, Target, Architecture, ParameterSet, Parameter, PackageSet,
        PackageSetMember, PackageHash, Spec, SpecHash,
        SpecDocument, OtherCompiler, Dependency, ProvidedVirtual, Closure, SpecRevision,
    )
)  # fmt: skip
"""Where specs are: a transaction that changes one of these adds to SpecRevision."""
