"""What analyzers found out about builds."""

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from spackmon import models
from spackmon.query import expressions
from spackmon.query.fields import column, expression, listing, relation


@strawberry.type(description="A variable of a build's environment.")
class EnvironmentVariable:
    """A variable of a build's environment."""

    name: str = column(models.EnvironmentVariable.name, description="Its name.")
    value: str = column(models.EnvironmentVariable.value, description="Its value.")


@strawberry.type(description="A file, directory or link that a build installed.")
class InstallFile:
    """A file, directory or link that a build installed."""

    path: str = column(models.InstallFile.path, description="Its absolute path.")
    type: str | None = column(models.InstallFile.type, description="`file`, `dir` or `link`.")
    mode: int | None = column(models.InstallFile.mode, description="Its mode bits, with the file type's.")
    hash: str | None = column(models.InstallFile.hash, description="The hash of its content.")
    destination: str | None = column(models.InstallFile.destination, description="Where a link leads.")


@strawberry.type(description="One finding of an analyzer; one of the three values is set.")
class Attribute:
    """One finding of an analyzer; one of the three values is set."""

    id: strawberry.ID = expression(
        expressions.global_id("Attribute"), is_json=True, description="Its id in this schema."
    )
    name: str = column(models.Attribute.name, description="What was found, as `symbolator-json`.")
    analyzer: str = column(
        models.Attribute.analysis_id, models.Analysis.analyzer, description="Who found it."
    )
    install_file: InstallFile | None = relation(
        models.Attribute.install_file_id,
        description="The file it was found in; null if it is about the build.",
    )
    value: str | None = column(models.Attribute.value, description="A text.")
    binary_value: str | None = column(
        models.Attribute.binary_value, description="Bytes, as hexadecimal digits."
    )
    json_value: JSON | None = column(models.Attribute.json_value, description="JSON.")


@strawberry.type(description="One analyzer's last run over a build.")
class Analysis:
    """One analyzer's last run over a build."""

    analyzer: str = column(models.Analysis.analyzer, description="The analyzer's name.")
    reported_at: datetime = column(models.Analysis.reported_at, description="When it was reported.")
    attributes: list[Attribute] = listing(
        models.Attribute,
        belongs=lambda analysis, attribute: (
            attribute[models.Attribute.analysis_id] == analysis[models.Analysis.id]
        ),
        order=[models.Attribute.id],
        description="What it found.",
    )
