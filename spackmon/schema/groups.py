"""Counting and grouping: connections that group their rows, and tables of counts."""

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from spackmon import models
from spackmon.query import group_keys as keys
from spackmon.query.aggregates import aggregate, cells, grouped, is_timed, key_value, labels
from spackmon.query.fields import embedded
from spackmon.query.group_keys import group_key, of_spec, value_of
from spackmon.schema.connection import Connection
from spackmon.schema.status import BuildStatus, InstalledFrom

if TYPE_CHECKING:
    from spackmon.schema.attempt import Attempt
    from spackmon.schema.build import Build
    from spackmon.schema.spec import Spec

_Attempt = Annotated["Attempt", strawberry.lazy("spackmon.schema.attempt")]
_Build = Annotated["Build", strawberry.lazy("spackmon.schema.build")]
_Spec = Annotated["Spec", strawberry.lazy("spackmon.schema.spec")]

_TARGET = value_of(models.Spec.architecture_id, models.Architecture.target_id, models.Target.name)
_OS = value_of(models.Spec.architecture_id, models.Architecture.operating_system)

_PACKAGE_IS = "The package's name."
_VERSION_IS = "The package's version."
_COMPILER_IS = (
    "The compiler, as `gcc@12.2.0`: the one that a document names (before spec format v5), otherwise that "
    "of C, without one that of C++, else that of Fortran."
)
_TARGET_IS = "The microarchitecture that the spec is built for."
_OS_IS = "The operating system that the spec is built for."
_STATUS_IS = "How the build stands."
_TAG_IS = "A tag of the newest attempt; a build counts once for each."
_OWNER_IS = "Who reports the build."
_DAY_IS = "The day (UTC) on which the newest attempt began, as `2026-03-01`."
_MONTH_IS = "The month (UTC) in which the newest attempt began, as `2026-03`."
_WEEK_IS = "The ISO week (UTC) in which the newest attempt began, as `2026-W09`."
_INSTALLED_FROM_IS = "Where what the newest attempt installed came from."
_HOSTNAME_IS = "The machine's name."
_ERROR_IS = "The newest attempt's first error: the text of its group."


@strawberry.enum(description="What specs are grouped by.")
class SpecGroupKey(Enum):
    """What specs are grouped by."""

    PACKAGE = group_key("package", keys.package_name, description=_PACKAGE_IS)
    VERSION = group_key("version", keys.version, description=_VERSION_IS)
    COMPILER = group_key("compiler", keys.compiler, description=_COMPILER_IS)
    TARGET = group_key("target", _TARGET, description=_TARGET_IS)
    OS = group_key("os", _OS, description=_OS_IS)


@strawberry.enum(description="What builds are grouped by.")
class BuildGroupKey(Enum):
    """What builds are grouped by."""

    PACKAGE = group_key(
        "package", value_of(models.Build.package_id, models.Package.name), description=_PACKAGE_IS
    )
    VERSION = group_key("version", of_spec(keys.version), description=_VERSION_IS)
    COMPILER = group_key("compiler", of_spec(keys.compiler), description=_COMPILER_IS)
    TARGET = group_key("target", of_spec(_TARGET), description=_TARGET_IS)
    OS = group_key("os", of_spec(_OS), description=_OS_IS)
    STATUS = group_key("status", value_of(models.Build.status), description=_STATUS_IS)
    TAG = group_key("tag", keys.tag, description=_TAG_IS)
    OWNER = group_key("owner", value_of(models.Build.owner_id, models.Person.name), description=_OWNER_IS)
    DAY = group_key("day", keys.day, description=_DAY_IS)
    WEEK = group_key("week", keys.week, description=_WEEK_IS)
    MONTH = group_key("month", keys.month, description=_MONTH_IS)
    INSTALLED_FROM = group_key(
        "installed_from", value_of(models.Build.installed_from), description=_INSTALLED_FROM_IS
    )
    HOSTNAME = group_key(
        "hostname",
        value_of(models.Build.environment_id, models.BuildEnvironment.hostname),
        description=_HOSTNAME_IS,
    )
    ERROR_GROUP = group_key("error_group", keys.error_group, description=_ERROR_IS)


@strawberry.type(description="What the specs of a group have in common; null if they are not grouped by it.")
class SpecGroupKeys:
    """What the specs of a group have in common."""

    package: str | None = key_value("package", description=_PACKAGE_IS)
    version: str | None = key_value("version", description=_VERSION_IS)
    compiler: str | None = key_value("compiler", description=_COMPILER_IS)
    target: str | None = key_value("target", description=_TARGET_IS)
    os: str | None = key_value("os", description=_OS_IS)


@strawberry.type(description="What the builds of a group have in common; null if they are not grouped by it.")
class BuildGroupKeys(SpecGroupKeys):
    """What the builds of a group have in common."""

    status: BuildStatus | None = key_value("status", description=_STATUS_IS)
    tag: str | None = key_value("tag", description=_TAG_IS)
    owner: str | None = key_value("owner", description=_OWNER_IS)
    day: str | None = key_value("day", description=_DAY_IS)
    week: str | None = key_value("week", description=_WEEK_IS)
    month: str | None = key_value("month", description=_MONTH_IS)
    installed_from: InstalledFrom | None = key_value("installed_from", description=_INSTALLED_FROM_IS)
    hostname: str | None = key_value("hostname", description=_HOSTNAME_IS)
    error_group: str | None = key_value("error_group", description=_ERROR_IS)
    error_fingerprint: str | None = key_value(
        "error_group_0", description="The fingerprint of that group, to ask `errorGroup` for."
    )


@strawberry.type(description="How long the newest attempts of builds took, of those that it is known of.")
class Durations:
    """How long the newest attempts of builds took, of those that it is known of."""

    p50_seconds: float = aggregate("p50_seconds", description="Half of them took at most so long.")
    p95_seconds: float = aggregate("p95_seconds", description="95 of 100 took at most so long.")
    mean_seconds: float = aggregate("mean_seconds", description="The mean.")


@strawberry.type(description="Specs that have something in common.")
class SpecGroup:
    """Specs that have something in common."""

    keys: SpecGroupKeys = embedded(description="What they have in common.")
    count: int = aggregate("count", description="How many they are.")


@strawberry.type(description="Builds that have something in common.")
class BuildGroup:
    """Builds that have something in common."""

    keys: BuildGroupKeys = embedded(description="What they have in common.")
    count: int = aggregate("count", description="How many they are.")
    success_rate: float | None = aggregate(
        "success_rate",
        description="The share of SUCCESS, from 0 to 1, among those that are SUCCESS, FAILED or CANCELLED; "
        "null if there are none.",
    )
    durations: Durations | None = embedded(
        present=is_timed, description="How long they took; null if it is not known of any."
    )


@strawberry.type(description="A page of a list of specs, newest first unless ordered.")
class SpecConnection(Connection[_Spec]):
    """A page of a list of specs."""

    group_by: list[SpecGroup] = grouped(
        SpecGroupKey, is_of_builds=False, description="The whole list by groups, the largest first."
    )


@strawberry.type(description="A page of a list of runs, newest first unless ordered.")
class AttemptConnection(Connection[_Attempt]):
    """A page of a list of runs."""


@strawberry.type(description="A page of a list of builds, newest first unless ordered.")
class BuildConnection(Connection[_Build]):
    """A page of a list of builds."""

    group_by: list[BuildGroup] = grouped(
        BuildGroupKey, is_of_builds=True, description="The whole list by groups, the largest first."
    )


@strawberry.type(description="The builds where a row and a column of a table meet.")
class MatrixCell:
    """The builds where a row and a column of a table meet."""

    row: str | None = aggregate("row", description="The row's label.")
    column: str | None = aggregate("column", description="The column's label.")
    count: int = aggregate("count", description="How many they are.")
    succeeded: int = aggregate("succeeded", description="How many of them are SUCCESS.")
    failed: int = aggregate("failed", description="How many of them are FAILED.")
    latest_status: BuildStatus = aggregate(
        "latest_status", description="The status of the one that ran last."
    )


@strawberry.type(description="Builds counted in rows and columns.")
class Matrix:
    """Builds counted in rows and columns."""

    rows: list[str | None] = labels("row", description="The rows' labels in their order.")
    columns: list[str | None] = labels("column", description="The columns' labels in their order.")
    cells: list[MatrixCell] = cells(description="The cells that have builds, row by row.")
