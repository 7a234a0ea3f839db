"""Errors and warnings of builds, and errors that are the same in many of them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

from spackmon import models
from spackmon.query.groups.run_facts import MAXIMUM_SUSPECTS, suspects_of_runs
from spackmon.query.groups.suspects import COST, MAXIMUM_RUNS, facts_of_runs
from spackmon.query.meanings.fields import (
    By,
    argument,
    by,
    chosen,
    column,
    condition,
    connection,
    counted,
    embedded,
    identity,
    relation,
    value,
)
from spackmon.query.rows import events as of_events
from spackmon.query.rows.filters import compares_shared
from spackmon.query.rows.relations import refer_by
from spackmon.query.rows.searches import has_words
from spackmon.query.sql.scope import Attribute
from spackmon.schema.connection import Connection
from spackmon.schema.filters import StringFilter
from spackmon.schema.groups import BuildConnection, BuildEventConnection
from spackmon.schema.node import Node
from spackmon.schema.noun import noun, object_type
from spackmon.schema.searching import SEARCH, SnippetPart, snippet_of
from spackmon.schema.status import Blame, EventKind, EventRole, GroupAction
from spackmon.schema.suspects import Suspects

if TYPE_CHECKING:
    from spackmon.schema.attempt import Attempt, BuildPhase
    from spackmon.schema.person import Person

_Attempt = Annotated["Attempt", strawberry.lazy("spackmon.schema.attempt")]


_BuildPhase = Annotated["BuildPhase", strawberry.lazy("spackmon.schema.attempt")]
_Person = Annotated["Person", strawberry.lazy("spackmon.schema.person")]

_EVENTS = refer_by(models.BuildEvent.error_group_id)
_RULINGS = refer_by(models.ErrorGroupRuling.error_group_id)


def _by_context(lines: Attribute) -> By:
    return by(StringFilter, compares_shared(models.BuildEvent.context_id, lines))


@object_type
class WhyGrouped:
    """Why an error is in its group: the fingerprint is the hash of the normal form."""

    rule: str | None = column(
        models.BuildEvent.rule,
        description="The form of line that was recognised, of docs/logs.md; null if none was.",
    )
    normal_form: str | None = value(
        of_events.normal_form,
        cost=5,
        description="The version, the tool, the class, the source and the text that all errors of one "
        "fingerprint have in common.",
    )
    blanked: JSON | None = column(
        models.BuildEvent.blanked,
        description="What that leaves out of this one, `[{kind, text}]`; null where older rules read it.",
    )


@noun("errors and warnings")
class BuildEvent(Node):
    """An error or a warning of a build: as a source reported it, else as it was read in a log."""

    id: strawberry.ID = identity(models.BuildEvent)
    kind: EventKind = column(
        models.BuildEvent.kind, filters=True, sorts=True, description="Whether it is an error or a warning."
    )
    role: EventRole = column(
        models.BuildEvent.role,
        filters=True,
        description="Whether it only follows from another; those that do are listed where a source reported "
        "them.",
    )
    tool: str | None = column(
        models.BuildEvent.tool, filters=True, sorts=True, description="What printed it; null if unknown."
    )
    error_class: str | None = column(
        models.BuildEvent.error_class,
        filters=True,
        sorts=True,
        description="Why the build failed, a class of docs/logs.md; null for a warning.",
    )
    blame: Blame | None = column(
        models.BuildEvent.blame, filters=True, description="Whom the class concerns; null for a warning."
    )
    fingerprint: str | None = column(
        models.BuildEvent.fingerprint,
        filters=True,
        description="Equal for the same failure elsewhere; null for a warning.",
    )
    is_first: bool = column(
        models.BuildEvent.is_first, filters=True, description="Whether it is the run's error to read first."
    )
    occurrences: int = column(
        models.BuildEvent.occurrences,
        filters=True,
        sorts=True,
        description="How many equal ones it stands for: warnings of one text, errors of one text and place.",
    )
    text: str = column(
        models.BuildEvent.text,
        filters=True,
        description="What the log says: as it was reported, else the line that says it.",
    )
    message: str = value(of_events.message, filters=True, description="What it says, without its place.")
    position: int = column(
        models.BuildEvent.position,
        filters=True,
        sorts=True,
        description="Its place among the run's events, from 1.",
    )
    log_line: int | None = column(
        models.BuildEvent.log_line, filters=True, sorts=True, description="The line of the log, from 1."
    )
    source_file: str | None = column(
        models.BuildEvent.source_file,
        filters=True,
        sorts=True,
        description="The file of source code that it is about.",
    )
    source_line: int | None = column(
        models.BuildEvent.source_line, filters=True, sorts=True, description="The line of that file, from 1."
    )
    source_column: int | None = column(
        models.BuildEvent.source_column, description="The column of that line, from 1."
    )
    first_line: int | None = column(
        models.BuildEvent.first_line, description="The first line of the log that belongs to it."
    )
    last_line: int | None = column(
        models.BuildEvent.last_line, description="The last line of the log that belongs to it."
    )
    pre_context: str | None = column(
        models.BuildEvent.context_id,
        models.EventContext.pre_context,
        filters=_by_context(models.EventContext.pre_context),
        description="The lines of the log above it.",
    )
    post_context: str | None = column(
        models.BuildEvent.context_id,
        models.EventContext.post_context,
        filters=_by_context(models.EventContext.post_context),
        description="The lines of the log below it.",
    )
    error_group: "ErrorGroup | None" = relation(
        models.BuildEvent.error_group_id,
        filters=True,
        description="The same error in other builds; null for a warning.",
    )
    why_grouped: WhyGrouped | None = embedded(
        present=lambda event: event[models.BuildEvent.fingerprint].is_not(None),
        description="What its fingerprint was made of; null for a warning.",
    )
    phase: _BuildPhase | None = chosen(
        models.Phase,
        of_events.phase_of,
        filters=True,
        description="The phase whose log it was read in; null if a source reported it.",
    )
    attempt: _Attempt = relation(
        models.BuildEvent.attempt_id, filters=True, description="The run that it occurred in."
    )
    snippet: list[SnippetPart] = snippet_of("text")

    class Filter:
        """What is no field."""

        search = condition(str, has_words(models.BuildEvent.search_words), description=SEARCH)


@noun("groups of errors")
class ErrorGroup(Node):
    """The same failure wherever it occurs, and what people said of it."""

    id: strawberry.ID = identity(models.ErrorGroup)
    fingerprint: str = column(
        models.ErrorGroup.fingerprint,
        filters=True,
        sorts=True,
        description="The fingerprint that its errors share, a hash; those that people put there have others.",
    )
    version: int = column(
        models.ErrorGroup.version,
        filters=True,
        description="The version of the rules that made the fingerprint.",
    )
    tool: str | None = column(
        models.ErrorGroup.tool,
        filters=True,
        sorts=True,
        description="What prints it, the first of several names in byte order; null if unknown.",
    )
    error_class: str | None = column(
        models.ErrorGroup.error_class,
        filters=True,
        sorts=True,
        description="Why builds fail by it, a class of docs/logs.md.",
    )
    blame: Blame | None = column(
        models.ErrorGroup.blame, filters=True, description="Whom the class concerns."
    )
    normal_form: str = column(
        models.ErrorGroup.normal_form, filters=True, description="What the fingerprint is the hash of."
    )
    note: str | None = column(models.ErrorGroup.note, filters=True, description="What a person noted of it.")
    known_issue: str | None = column(
        models.ErrorGroup.known_issue, filters=True, description="Where it is known, as a link."
    )
    is_muted: bool = column(
        models.ErrorGroup.is_muted, filters=True, description="Whether a person said that it is no news."
    )
    merged_into: "ErrorGroup | None" = relation(
        models.ErrorGroup.merged_into_id,
        filters=True,
        description="The group that a person merged it into, which has its errors.",
    )
    rulings: Connection["ErrorGroupRuling"] = connection(
        models.ErrorGroupRuling,
        belongs=_RULINGS,
        order=[models.ErrorGroupRuling.reported_at],
        filters=True,
        description="What people said of it, in order.",
    )
    text: str = column(
        models.ErrorGroup.text,
        filters=True,
        sorts=True,
        description="The text of one of its errors, the first in byte order.",
    )
    first_seen: datetime | None = value(
        of_events.first_seen,
        filters=True,
        sorts=True,
        description="When the first run that had such an error began.",
    )
    last_seen: datetime | None = value(
        of_events.last_seen,
        filters=True,
        sorts=True,
        description="When the last run that had such an error began.",
    )
    event_count: int = value(
        of_events.counted("event_count"), filters=True, sorts=True, description="How many errors it has."
    )
    run_count: int = value(
        of_events.counted("run_count"),
        filters=True,
        sorts=True,
        description="In how many runs such an error occurred.",
    )
    build_count: int = value(
        of_events.counted("build_count"),
        filters=True,
        sorts=True,
        description="How many builds have such a run.",
    )
    events: BuildEventConnection = connection(
        models.BuildEvent,
        belongs=_EVENTS,
        counted=of_events.counted("event_count"),
        filters=True,
        description="Its errors.",
    )
    builds: BuildConnection = connection(
        models.Build,
        belongs=of_events.has_error_group,
        walk=of_events.walk_builds,
        counted=of_events.counted("build_count"),
        filters=True,
        description="The builds with a run that had it.",
    )
    suspects: Suspects = counted(
        facts_of_runs,
        suspects_of_runs,
        cost=COST,
        arguments=[argument("first", int, f"How many suspects at most, up to {MAXIMUM_SUSPECTS}.", 10)],
        description=f"What its newest {MAXIMUM_RUNS} runs, of as many builds, have that passing runs lack: "
        "those of the same packages that were reported next to them, up to 40 builds on each side.",
    )


@noun("what people said of groups of errors")
class ErrorGroupRuling(Node):
    """What a person said of a group of errors."""

    id: strawberry.ID = identity(models.ErrorGroupRuling)
    action: GroupAction = column(models.ErrorGroupRuling.action, filters=True, description="What was done.")
    value: str | None = column(
        models.ErrorGroupRuling.value,
        filters=True,
        description="The note, the link, the words of a split, or the fingerprint of the other group.",
    )
    person: _Person = relation(models.ErrorGroupRuling.person_id, filters=True, description="Who did it.")
    reported_at: datetime = column(
        models.ErrorGroupRuling.reported_at, filters=True, sorts=True, description="When."
    )
    error_group: ErrorGroup = relation(
        models.ErrorGroupRuling.error_group_id, filters=True, description="The group."
    )
