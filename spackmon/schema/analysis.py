"""What analyzers found out about builds."""

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from spackmon import models
from spackmon.query.fields import column, connection, identity, predicate, relation, sorted_by
from spackmon.query.filters import compares, related, through
from spackmon.query.relations import refer_by
from spackmon.schema import later
from spackmon.schema.connection import Connection
from spackmon.schema.filters import DateTimeFilter, Direction, StringFilter
from spackmon.schema.inputs import Quantified, filter_input, order_input
from spackmon.schema.install_file import InstallFile, InstallFileFilter
from spackmon.schema.node import Node

_ANALYZER = models.Attribute.analysis_id, models.Analysis.analyzer
_RESULTS = refer_by(models.Attribute.analysis_id)


@filter_input
class AnalysisResultFilter:
    """Which findings of analyzers."""

    name: StringFilter | None = predicate(
        compares(models.Attribute.name), description="What was found, as `symbolator-json`."
    )
    analyzer: StringFilter | None = predicate(compares(*_ANALYZER), description="Who found it.")
    install_file: InstallFileFilter | None = predicate(
        through("InstallFileFilter", models.Attribute.install_file_id),
        description="The file it was found in; null if it is about the build, or not in the manifest.",
    )
    analysis: later.AnalysisFilter | None = predicate(
        through("AnalysisFilter", models.Attribute.analysis_id),
        description="The analyzer's run that found it.",
    )
    value: StringFilter | None = predicate(compares(models.Attribute.value), description="A text.")


@order_input
class AnalysisResultOrder:
    """What findings of analyzers are sorted by."""

    name: Direction | None = sorted_by(
        models.Attribute.name, description="What was found, as `symbolator-json`."
    )
    analyzer: Direction | None = sorted_by(*_ANALYZER, description="Who found it.")
    install_file: Direction | None = sorted_by(
        models.Attribute.install_file_id,
        models.InstallFile.path,
        description="The file it was found in; null if it is about the build, or not in the manifest.",
    )


@filter_input
class AnalysisFilter:
    """Which runs of analyzers."""

    analyzer: StringFilter | None = predicate(
        compares(models.Analysis.analyzer), description="The analyzer's name."
    )
    reported_at: DateTimeFilter | None = predicate(
        compares(models.Analysis.reported_at), description="When it was reported."
    )
    build: later.BuildFilter | None = predicate(
        through("BuildFilter", models.Analysis.attempt_id, models.Attempt.build_id),
        description="The build it ran over.",
    )
    attempt: later.AttemptFilter | None = predicate(
        through("AttemptFilter", models.Analysis.attempt_id),
        description="The run of the build that it ran over.",
    )
    results: Quantified[AnalysisResultFilter] | None = predicate(
        related("AnalysisResultFilter", models.Attribute, _RESULTS), description="What it found."
    )


@strawberry.type(description="One finding of an analyzer; one of the three values is set.")
class AnalysisResult(Node):
    """One finding of an analyzer; one of the three values is set."""

    id: strawberry.ID = identity(models.Attribute)
    name: str = column(models.Attribute.name, description="What was found, as `symbolator-json`.")
    analyzer: str = column(*_ANALYZER, description="Who found it.")
    install_file: InstallFile | None = relation(
        models.Attribute.install_file_id,
        description="The file it was found in; null if it is about the build, or not in the manifest.",
    )
    path: str | None = column(
        models.Attribute.path, description="The path of that file, as the analyzer named it."
    )
    analysis: "Analysis" = relation(
        models.Attribute.analysis_id, description="The analyzer's run that found it."
    )
    value: str | None = column(models.Attribute.value, description="A text.")
    binary_value: str | None = column(
        models.Attribute.binary_value, description="Bytes, as hexadecimal digits."
    )
    json_value: JSON | None = column(models.Attribute.json_value, description="JSON.")
    build: later.Build = relation(
        models.Attribute.attempt_id, models.Attempt.build_id, description="The build it is about."
    )
    attempt: later.Attempt = relation(
        models.Attribute.attempt_id, description="The run of the build that it is about."
    )


@strawberry.type(description="One analyzer's last run over a build.")
class Analysis(Node):
    """One analyzer's last run over a build."""

    id: strawberry.ID = identity(models.Analysis)
    analyzer: str = column(models.Analysis.analyzer, description="The analyzer's name.")
    reported_at: datetime = column(models.Analysis.reported_at, description="When it was reported.")
    build: later.Build = relation(
        models.Analysis.attempt_id, models.Attempt.build_id, description="The build it ran over."
    )
    attempt: later.Attempt = relation(
        models.Analysis.attempt_id, description="The run of the build that it ran over."
    )
    results: Connection[AnalysisResult] = connection(
        models.Attribute,
        belongs=_RESULTS,
        where=AnalysisResultFilter,
        order_by=AnalysisResultOrder,
        description="What it found.",
    )
