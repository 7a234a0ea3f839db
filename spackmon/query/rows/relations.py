"""Which rows belong to a row: conditions that connections, lists and filters share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, literal_column, or_, select

from spackmon.models import (
    Attempt,
    Build,
    BuildcacheEntry,
    Claim,
    Closure,
    ClosureAbove,
    EnvironmentVariable,
    InstallFile,
    OtherCompiler,
    Spec,
    SpecHash,
)
from spackmon.query.sql.among import gathered
from spackmon.query.sql.conditions import Belongs
from spackmon.query.sql.scope import Attribute, Scope
from spackmon.status import BuildcacheDisagreement


@dataclass(frozen=True, slots=True)
class Shared:
    """The rows that have in a column, the last of a path, what the row has in `ours`, or its id."""

    theirs: tuple[Attribute, ...]
    ours: Attribute | None = None

    def __call__(self, row: Scope, other: Scope) -> ColumnElement[bool]:
        """`other` belongs to `row`."""
        return self.of_other(other) == self.of_row(row)

    def of_row(self, row: Scope) -> ColumnElement[Any]:
        """What the row has."""
        return row.row_id if self.ours is None else row[self.ours]

    def of_other(self, other: Scope) -> ColumnElement[Any]:
        """What those have that belong to it."""
        return other.along(self.theirs[:-1])[self.theirs[-1]]


def refer_by(*path: Attribute) -> Belongs:
    """The rows whose foreign key, or the last of several that are followed, refers to the row."""
    return Shared(path)


def share(ours: Attribute, theirs: Attribute) -> Belongs:
    """The rows that have the same value in a column."""
    return Shared((theirs,), ours)


@dataclass(frozen=True, slots=True)
class Reported:
    """What a row has of its run: the rows that have in `theirs` what it has in `ours`.

    An index of the claims that reported it, by their column `reported`, finds the runs; these have none.
    `run_id` is the id of the row's run.
    """

    ours: Attribute
    theirs: Attribute
    reported: Attribute
    run_id: Callable[[Scope], ColumnElement[Any]]

    def __call__(self, row: Scope, other: Scope) -> ColumnElement[bool]:
        """`other` belongs to `row`."""
        return other[self.theirs] == row[self.ours]

    def found(self, row: Scope, other: Scope) -> ColumnElement[bool]:
        """The same where `other` may be what is looked up first; it stands there once for each claim."""
        claim = other.attach(Claim.__table__, lambda claim: claim[self.reported] == other[self.theirs])
        return and_(self(row, other), claim[Claim.attempt_id] == self.run_id(row))

    def rows(self, other: Scope, row: Scope) -> ColumnElement[bool]:
        """The rows to which `other` belongs."""
        claim = Claim.__table__.alias()
        runs = select(claim.c.attempt_id).where(
            claim.c[self.reported.key] == other[self.theirs], claim.c.attempt_id.is_not(None)
        )
        return and_(self(row, other), self.run_id(row).in_(runs.correlate_except(claim)))


def is_compiled_by(compiler: Scope, spec: Scope) -> ColumnElement[bool]:
    """The specs of which a compiler compiles a language."""
    other = OtherCompiler.__table__.alias()
    mixed = select(other.c.spec_id).where(other.c.compiler_id == compiler.row_id)
    return or_(spec[Spec.compiler_id] == compiler.row_id, spec.row_id.in_(mixed.correlate_except(other)))


@dataclass(frozen=True, slots=True)
class Above:
    """The specs that depend on a spec, at any depth."""

    def __call__(self, spec: Scope, other: Scope) -> ColumnElement[bool]:
        """`other` does on `spec`."""
        above = ClosureAbove.__table__.alias()
        ancestors = select(above.c.ancestor_id).where(above.c.descendant_id == spec.row_id)
        return other.row_id.in_(ancestors.correlate_except(above))

    def has_one_of(self, spec: Scope, others: Select[Any]) -> ColumnElement[bool]:
        """One of these depends on `spec`: what is below them is gathered once, for all specs."""
        below = Closure.__table__.alias()
        found = select(below.c.descendant_id).where(below.c.ancestor_id.in_(others)).distinct()
        return gathered(spec.row_id, found.correlate_except(below))


depends_on = Above()


def build_spec_id(spec: Scope) -> ColumnElement[Any]:
    """The id of the spec that a spliced one was built as.

    Of several that its hash names, it is the one whose own it is, else the first by their hashes.
    """
    return _spec_named(spec[Spec.built_as])


def _spec_named(hash_: ColumnElement[Any]) -> ColumnElement[Any]:
    shown, named = SpecHash.__table__.alias(), Spec.__table__.alias()
    is_own = and_(named.c.hash == shown.c.value, named.c.hash_kind == shown.c.kind)
    found = select(named.c.id).where(shown.c.value == hash_, named.c.id == shown.c.spec_id)
    first = found.order_by(case((is_own, 0), else_=1), named.c.hash, named.c.hash_kind)
    return first.limit(literal_column("1")).correlate_except(shown, named).scalar_subquery()


def is_built_as(spec: Scope, other: Scope) -> ColumnElement[bool]:
    """The spliced specs that were built as a spec."""
    shown, spliced = SpecHash.__table__.alias(), Spec.__table__.alias()
    found = select(spliced.c.id).where(
        shown.c.spec_id == spec.row_id,
        spliced.c.built_as == shown.c.value,
        _spec_named(spliced.c.built_as) == spec.row_id,
    )
    return other.row_id.in_(found.correlate_except(shown, spliced))


def is_available_in(spec: Scope, entry: Scope) -> ColumnElement[bool]:
    """The entries of buildcaches from which a spec can be installed, as far as they could be seen."""
    disagreement = entry[BuildcacheEntry.disagreement]
    is_whole = or_(disagreement.is_(None), disagreement == BuildcacheDisagreement.NOT_IN_INDEX.value)
    return and_(entry[BuildcacheEntry.spec_id] == spec.row_id, is_whole)


def ancestor_id(connected: Scope) -> ColumnElement[Any]:
    """The id of the spec that depends on the other, of a row of the closure."""
    return connected[Closure.ancestor_id]


def descendant_id(connected: Scope) -> ColumnElement[Any]:
    """The id of the spec on which the other depends, of a row of the closure."""
    return connected[Closure.descendant_id]


def of_newest_attempt(foreign_key: Attribute) -> Belongs:
    """The rows that belong to a build's newest attempt."""
    return share(Build.newest_attempt_id, foreign_key)


def newest_attempt_id(build: Scope) -> ColumnElement[Any]:
    """The id of a build's newest attempt."""
    return build[Build.newest_attempt_id]


def attempt_id(attempt: Scope) -> ColumnElement[Any]:
    """An attempt's own id."""
    return attempt.row_id


def _reported(run: Any, shared: Attribute, run_id: Callable[[Scope], ColumnElement[Any]]) -> Reported:
    return Reported(getattr(run, shared.key), shared, getattr(Claim, shared.key), run_id)


files_of_build = _reported(Build, InstallFile.manifest_id, newest_attempt_id)
files_of_attempt = _reported(Attempt, InstallFile.manifest_id, attempt_id)
variables_of_build = _reported(Build, EnvironmentVariable.environment_set_id, newest_attempt_id)
variables_of_attempt = _reported(Attempt, EnvironmentVariable.environment_set_id, attempt_id)
