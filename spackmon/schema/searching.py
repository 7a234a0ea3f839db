"""What is the same wherever words are searched: what may be sought, and how it is shown."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from spackmon.logs.words import SNIPPET_CHARACTERS, snippet
from spackmon.query.meanings.fields import argument, computed
from spackmon.query.rows.searches import search_terms
from spackmon.schema.scalars import Long

if TYPE_CHECKING:
    from spackmon.schema.attempt import BuildPhase

SEARCH = (
    "Has these words, whatever their case: all that stand between white space, side by side what stands in "
    "quotation marks; `MPI_*` is a beginning, and in `-lfoo` or `a::b<c>` signs count."
)


@strawberry.type(description="Some of a text, and whether it is what was sought.")
class SnippetPart:
    """Some of a text, and whether it is what was sought."""

    text: str = strawberry.field(description="The text.")
    is_match: bool = strawberry.field(description="Whether it is a term that was sought.")


@strawberry.type(description="A line of a log that has what was sought.")
class FoundLine:
    """A line of a log that has what was sought."""

    line: int = strawberry.field(description="Its number, from 1.")
    text: str = strawberry.field(description="What a person sees of it, 2,000 characters at most.")
    snippet: list[SnippetPart] = strawberry.field(description="Some of it around what was sought.")
    before: list[str] = strawberry.field(description="The lines above it.")
    after: list[str] = strawberry.field(description="The lines below it.")


@strawberry.type(description="What was found in one log, and how much of it was looked through.")
class LineSearch:
    """What was found in one log, and how much of it was looked through."""

    lines: list[FoundLine] = strawberry.field(description="The lines that have it.")
    size_bytes: Long = strawberry.field(description="How many bytes were looked through.")
    next_line: int | None = strawberry.field(
        description="Where to go on, as `fromLine`; null if the log was looked through to its end."
    )


@strawberry.type(description="A log that has what was sought.")
class FoundLog:
    """A log that has what was sought."""

    phase: Annotated["BuildPhase", strawberry.lazy("spackmon.schema.attempt")] = strawberry.field(
        description="The phase that printed it."
    )
    lines: list[FoundLine] = strawberry.field(description="The first lines that have it.")


@strawberry.type(description="What was found in logs, and how much was looked through.")
class LogSearch:
    """What was found in logs, and how much was looked through."""

    found: list[FoundLog] = strawberry.field(description="The logs that have it, the latest first.")
    log_count: int = strawberry.field(description="How many logs were looked through.")
    size_bytes: Long = strawberry.field(description="How many bytes of logs were looked through.")
    end_cursor: str | None = strawberry.field(
        description="Where to go on, as `after`; null if every log was looked through."
    )


def snippet_of(text: str) -> Any:
    """The field with some of a text around what is sought; `text` names the field that has all of it."""

    def make(facts: Any, arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
        pieces = snippet(facts[text], search_terms(arguments["search"]))
        return [{"text": piece, "isMatch": is_match} for piece, is_match in pieces]

    return computed(
        f"{{ {text} }}",
        make,
        arguments=[argument("search", str, "What is sought, as a filter's `search`.")],
        description=f"Its text around what is sought, {SNIPPET_CHARACTERS} characters of it at most.",
    )
