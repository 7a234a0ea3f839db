"""What logs say went wrong, as the rules of `spackmon.logs` read it."""

import strawberry

from spackmon import models
from spackmon.query.meanings.fields import column, condition, connection, identity
from spackmon.query.rows.relations import share
from spackmon.query.rows.searches import has_words
from spackmon.schema.groups import BuildPhaseConnection
from spackmon.schema.node import Node
from spackmon.schema.noun import noun
from spackmon.schema.searching import SEARCH, SnippetPart, snippet_of
from spackmon.schema.status import Blame, EventKind, EventRole

_PHASES = share(models.LogEvent.log_id, models.Phase.log_id)


@noun("errors and warnings in logs")
class LogEvent(Node):
    """An error or a warning that was found in the log of a phase when it was stored."""

    id: strawberry.ID = identity(models.LogEvent)
    kind: EventKind = column(
        models.LogEvent.kind, filters=True, description="Whether it is an error or a warning."
    )
    role: EventRole = column(
        models.LogEvent.role, filters=True, description="Whether it only follows from another."
    )
    position: int = column(
        models.LogEvent.position, sorts=True, description="Its place in the log's events, from 1."
    )
    tool: str | None = column(
        models.LogEvent.tool, filters=True, description="What printed it; null if unknown."
    )
    error_class: str | None = column(
        models.LogEvent.error_class,
        filters=True,
        description="Why the build failed, a class of docs/logs.md; null for a warning.",
    )
    blame: Blame | None = column(
        models.LogEvent.blame, filters=True, description="Whom the class concerns; null for a warning."
    )
    fingerprint: str | None = column(
        models.LogEvent.fingerprint,
        filters=True,
        description="Equal for the same failure elsewhere; null for a warning.",
    )
    is_first: bool = column(
        models.LogEvent.is_first, filters=True, description="Whether it is the log's error to read first."
    )
    occurrences: int = column(
        models.LogEvent.occurrences,
        filters=True,
        sorts=True,
        description="How many equal ones it stands for: warnings of one text, errors of one text and place.",
    )
    message: str = column(models.LogEvent.message, filters=True, description="What it says.")
    line: int = column(
        models.LogEvent.line, filters=True, sorts=True, description="The log's line that says it, from 1."
    )
    first_line: int = column(models.LogEvent.first_line, description="The first line that belongs to it.")
    last_line: int = column(models.LogEvent.last_line, description="The last line that belongs to it.")
    source_file: str | None = column(
        models.LogEvent.source_file, filters=True, description="The file of source code that it is about."
    )
    source_line: int | None = column(
        models.LogEvent.source_line, description="The line of that file, from 1."
    )
    phases: BuildPhaseConnection = connection(
        models.Phase, belongs=_PHASES, filters=True, description="The phases that printed this log."
    )
    source_column: int | None = column(
        models.LogEvent.source_column, description="The column of that line, from 1."
    )
    snippet: list[SnippetPart] = snippet_of("message")

    class Filter:
        """What is no field."""

        search = condition(str, has_words(models.LogEvent.search_words), description=SEARCH)
