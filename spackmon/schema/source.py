"""Who told about builds: one install seen live, by CDash and by an import is one build of three sources."""

from datetime import datetime
from enum import Enum

import strawberry

from spackmon import models
from spackmon.query.fields import column, identity, predicate, relation
from spackmon.query.filters import compares, through
from spackmon.schema import later
from spackmon.schema.filters import IN, DateTimeFilter, StringFilter
from spackmon.schema.inputs import filter_input
from spackmon.schema.node import Node
from spackmon.schema.person import Person, PersonFilter


@strawberry.enum(description="Where something about a build came from.")
class SourceKind(Enum):
    """Where something about a build came from: `spackmon.status`, each with what it means."""

    MS1 = strawberry.enum_value("MS1", description="`spack install --monitor` of Spack 0.16 to 0.18.")
    EXTENSION = strawberry.enum_value("EXTENSION", description="`spack monitor` of today's Spack.")
    PREFIX = strawberry.enum_value("PREFIX", description="What Spack left in the prefix it installed to.")
    STAGE = strawberry.enum_value("STAGE", description="What a failed build left in its stage.")
    FAILURE_MARKER = strawberry.enum_value(
        "FAILURE_MARKER", description="A mark of an installation tree's database that a build failed."
    )
    INSTALL_DATABASE = strawberry.enum_value(
        "INSTALL_DATABASE", description="The database of an installation tree."
    )
    CDASH = strawberry.enum_value("CDASH", description="Reports that Spack sent as to a CDash server.")
    JUNIT = strawberry.enum_value("JUNIT", description="JUnit reports that Spack wrote.")


@strawberry.input(description="Which kind of source it must be; all that is given must hold.")
class SourceKindFilter:
    """Which kind of source it must be; all that is given must hold."""

    eq: SourceKind | None = strawberry.field(default=strawberry.UNSET, description="This one.")
    ne: SourceKind | None = strawberry.field(default=strawberry.UNSET, description="Not this one.")
    in_: list[SourceKind] | None = strawberry.field(name="in", default=strawberry.UNSET, description=IN)


@filter_input
class BuildSourceFilter:
    """Which sources of builds."""

    kind: SourceKindFilter | None = predicate(
        compares(models.BuildSource.kind), description="What kind of source it is."
    )
    key: StringFilter | None = predicate(
        compares(models.BuildSource.key), description="The source's own name of the run."
    )
    spec_hash: StringFilter | None = predicate(
        compares(models.BuildSource.spec_hash),
        description="The hash that it named before such a spec was known.",
    )
    first_reported_at: DateTimeFilter | None = predicate(
        compares(models.BuildSource.first_reported_at), description="When it told something first."
    )
    last_reported_at: DateTimeFilter | None = predicate(
        compares(models.BuildSource.last_reported_at), description="When it told something last."
    )
    owner: PersonFilter | None = predicate(
        through("PersonFilter", models.BuildSource.owner_id), description="Who reported it."
    )
    build: later.BuildFilter | None = predicate(
        through("BuildFilter", models.BuildSource.build_id), description="The build it tells about."
    )
    attempt: later.AttemptFilter | None = predicate(
        through("AttemptFilter", models.BuildSource.attempt_id), description="The run it tells about."
    )


@strawberry.type(description="One source of what is known about a run of a build.")
class BuildSource(Node):
    """One source of what is known about a run of a build."""

    id: strawberry.ID = identity(models.BuildSource)
    kind: SourceKind = column(models.BuildSource.kind, description="What kind of source it is.")
    key: str = column(
        models.BuildSource.key,
        description="The source's own name of the run, as CDash's `site/stamp/build name`.",
    )
    spec_hash: str | None = column(
        models.BuildSource.spec_hash,
        description="The hash that it named before such a spec was known.",
    )
    first_reported_at: datetime = column(
        models.BuildSource.first_reported_at, description="When it told something first."
    )
    last_reported_at: datetime = column(
        models.BuildSource.last_reported_at, description="When it told something last."
    )
    owner: Person = relation(models.BuildSource.owner_id, description="Who reported it.")
    build: later.Build = relation(models.BuildSource.build_id, description="The build it tells about.")
    attempt: later.Attempt = relation(models.BuildSource.attempt_id, description="The run it tells about.")
