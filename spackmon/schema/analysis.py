"""What analyzers found out about builds."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

from spackmon import models
from spackmon.query.abi import elf_results
from spackmon.query.meanings import bill_components
from spackmon.query.meanings.fields import column, connection, counted, identity, relation
from spackmon.query.rows.relations import refer_by
from spackmon.schema.bill import BillOfMaterials
from spackmon.schema.connection import Connection
from spackmon.schema.install_file import InstallFile
from spackmon.schema.node import Node
from spackmon.schema.noun import noun
from spackmon.schema.person import Person
from spackmon.schema.scalars import Long
from spackmon.schema.status import ResultKind

if TYPE_CHECKING:
    from spackmon.schema.attempt import Attempt
    from spackmon.schema.build import Build

_Attempt = Annotated["Attempt", strawberry.lazy("spackmon.schema.attempt")]
_Build = Annotated["Build", strawberry.lazy("spackmon.schema.build")]


_ANALYZER = models.Attribute.analysis_id, models.Analysis.analyzer
_RESULTS = refer_by(models.Attribute.analysis_id)
_EARLIER = refer_by(models.EarlierAttribute.analysis_id)


@noun("findings of analyzers")
class AnalysisResult(Node):
    """A finding of an analyzer; exactly one of the three values is set, or `elf` instead.

    A value of any size is downloaded from `/analysis-results/` and its id.
    """

    id: strawberry.ID = identity(models.Attribute)
    name: str = column(
        models.Attribute.name, filters=True, sorts=True, description="What was found, as `symbolator-json`."
    )
    analyzer: str = column(*_ANALYZER, filters=True, sorts=True, description="The analyzer that found it.")
    install_file: InstallFile | None = relation(
        models.Attribute.install_file_id,
        filters=True,
        sorts=models.InstallFile.path,
        description="The file it was found in; null if it is about the build, or not in the manifest.",
    )
    path: str | None = column(
        models.Attribute.path, filters=True, description="The path of that file, as the analyzer named it."
    )
    analysis: "Analysis" = relation(
        models.Attribute.analysis_id, filters=True, description="The analyzer's run that found it."
    )
    kind: ResultKind = column(
        models.Attribute.kind, filters=True, description="Which of the three values it has."
    )
    size_bytes: Long = column(
        models.Attribute.size_bytes, filters=True, sorts=True, description="The size of its value."
    )
    sha256: str = column(models.Attribute.digest, description="The SHA-256 of its value's bytes.")
    reported_at: datetime = column(
        models.Attribute.reported_at,
        filters=True,
        sorts=True,
        description="When this value was first reported.",
    )
    value: str | None = column(models.Attribute.value, filters=True, description="A text.")
    binary_value: str | None = column(
        models.Attribute.binary_value, description="Bytes, as hexadecimal digits."
    )
    json_value: JSON | None = column(models.Attribute.json_value, filters=True, description="JSON.")
    elf: JSON | None = counted(
        elf_results.stored_file,
        elf_results.file_as_json,
        description="What the loader reads of the file, as `spackmon abi extract` prints it: of results of "
        "the analyzer `elf`, instead of a value.",
    )
    bill_of_materials: BillOfMaterials | None = counted(
        bill_components.stored_bill,
        bill_components.bill_as_listed,
        description="What the document lists, of results of the analyzers `spdx` and `cyclonedx` of up to "
        "8 MiB; null of others.",
    )
    reported_by: Person = relation(
        models.Attribute.analysis_id,
        models.Analysis.claim_id,
        models.Claim.owner_id,
        filters=True,
        description="Who reported it.",
    )
    build: _Build = relation(
        models.Attribute.attempt_id,
        models.Attempt.build_id,
        filters=True,
        description="The build it is about.",
    )
    attempt: _Attempt = relation(
        models.Attribute.attempt_id, filters=True, description="The run of the build that it is about."
    )


@noun("earlier findings of analyzers")
class EarlierResult(Node):
    """A finding of an analyzer that a later run of it replaced; exactly one of the three values is set."""

    id: strawberry.ID = identity(models.EarlierAttribute)
    name: str = column(models.EarlierAttribute.name, filters=True, sorts=True, description="What was found.")
    path: str | None = column(
        models.EarlierAttribute.path, filters=True, description="The path of the file it was found in."
    )
    replaced_at: datetime = column(
        models.EarlierAttribute.replaced_at, filters=True, sorts=True, description="When it was replaced."
    )
    kind: ResultKind = column(
        models.EarlierAttribute.kind, filters=True, description="Which of the three values it has."
    )
    size_bytes: Long = column(
        models.EarlierAttribute.size_bytes, filters=True, sorts=True, description="The size of its value."
    )
    sha256: str = column(models.EarlierAttribute.digest, description="The SHA-256 of its value's bytes.")
    reported_at: datetime = column(
        models.EarlierAttribute.reported_at,
        filters=True,
        sorts=True,
        description="When this value was first reported.",
    )
    value: str | None = column(models.EarlierAttribute.value, filters=True, description="A text.")
    binary_value: str | None = column(
        models.EarlierAttribute.binary_value, description="Bytes, as hexadecimal digits."
    )
    json_value: JSON | None = column(models.EarlierAttribute.json_value, filters=True, description="JSON.")


@noun("runs of analyzers")
class Analysis(Node):
    """One analyzer's last run over a build."""

    id: strawberry.ID = identity(models.Analysis)
    analyzer: str = column(models.Analysis.analyzer, filters=True, description="The analyzer's name.")
    reported_at: datetime = column(
        models.Analysis.reported_at, filters=True, description="When it was reported."
    )
    build: _Build = relation(
        models.Analysis.attempt_id,
        models.Attempt.build_id,
        filters=True,
        description="The build it ran over.",
    )
    attempt: _Attempt = relation(
        models.Analysis.attempt_id, filters=True, description="The run of the build that it ran over."
    )
    results: Connection[AnalysisResult] = connection(
        models.Attribute, belongs=_RESULTS, filters=True, description="What it found."
    )
    earlier_results: Connection[EarlierResult] = connection(
        models.EarlierAttribute,
        belongs=_EARLIER,
        filters=True,
        description="What it had found before, and a later run of it by the same source replaced.",
    )
