"""Claims: what each source reported of a run."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from spackmon import models
from spackmon.query.meanings.fields import column, identity, relation
from spackmon.schema.environment import BuildEnvironment
from spackmon.schema.node import Node
from spackmon.schema.noun import noun
from spackmon.schema.person import Person
from spackmon.schema.status import BuildStatus

if TYPE_CHECKING:
    from spackmon.schema.attempt import Attempt
    from spackmon.schema.build import Build

_Attempt = Annotated["Attempt", strawberry.lazy("spackmon.schema.attempt")]
_Build = Annotated["Build", strawberry.lazy("spackmon.schema.build")]


@strawberry.enum(description="The kind of a source.")
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


@noun("claims")
class Claim(Node):
    """What one source reported of a run; the run's own facts are derived from all of its claims."""

    id: strawberry.ID = identity(models.Claim)
    kind: SourceKind = column(models.Claim.kind, filters=True, description="What kind of source it is.")
    key: str = column(
        models.Claim.key,
        filters=True,
        description="The source's own name of the run, as CDash's `site/stamp/build name`.",
    )
    spec_hash: str | None = column(
        models.Claim.spec_hash, filters=True, description="The hash by which the source names the spec."
    )
    status: BuildStatus = column(
        models.Claim.status, filters=True, description="The run's status according to this source."
    )
    started_at: datetime | None = column(
        models.Claim.started_at, filters=True, description="When the run began according to this source."
    )
    finished_at: datetime | None = column(
        models.Claim.finished_at, filters=True, description="When the run ended according to this source."
    )
    duration_seconds: float | None = column(
        models.Claim.duration_seconds,
        filters=True,
        description="How long the run took according to this source.",
    )
    time_uncertainty_seconds: float = column(
        models.Claim.time_uncertainty_seconds, filters=True, description="By how much its times may be off."
    )
    environment: BuildEnvironment = relation(
        models.Claim.environment_id, filters=True, description="The machine, as far as this source names it."
    )
    spack_version: str | None = column(
        models.Claim.spack_version, filters=True, description="The Spack that ran it."
    )
    prefix: str | None = column(models.Claim.prefix, filters=True, description="Where it was installed.")
    first_reported_at: datetime = column(
        models.Claim.first_reported_at, filters=True, description="When its first report came."
    )
    last_reported_at: datetime = column(
        models.Claim.last_reported_at, filters=True, description="When its last report with news came."
    )
    unlisted_event_count: int = column(
        models.Claim.unlisted_event_count,
        filters=True,
        description="How many errors and warnings it reported beyond the 1,000 of each kind that are listed.",
    )
    owner: Person = relation(models.Claim.owner_id, filters=True, description="Who reported it.")
    build: _Build = relation(
        models.Claim.attempt_id,
        models.Attempt.build_id,
        filters=True,
        description="The build that it belongs to.",
    )
    attempt: _Attempt = relation(
        models.Claim.attempt_id, filters=True, description="The run that it is about."
    )
