"""What differs between two findings of analyzers."""

from enum import Enum

import strawberry

value = strawberry.enum_value


@strawberry.enum(description="By what two findings of analyzers are compared.")
class ComparedBy(Enum):
    """By what two findings of analyzers are compared: `spackmon.history.results`, each with what it means."""

    STRUCTURE = value(
        "STRUCTURE", description="Two JSON documents; what lists have in common counts wherever it stands."
    )
    LINES = value("LINES", description="Two texts, or bytes that are texts, by their lines in order.")
    UNORDERED_LINES = value(
        "UNORDERED_LINES", description="As LINES, but so many differ that their order is not looked at."
    )
    DIGEST = value(
        "DIGEST",
        description="Only whether they are the same: bytes that are no text, what is nested too deeply, or "
        "more than 2 MB.",
    )


@strawberry.type(description="A place at which two findings differ.")
class ResultChange:
    """A place at which two findings differ."""

    pointer: str | None = strawberry.field(
        description="The place in a JSON document, a JSON pointer; what was removed is where it was."
    )
    line_before: int | None = strawberry.field(description="The line of the first, from 1.")
    line_after: int | None = strawberry.field(description="The line of the second, from 1.")
    before: str | None = strawberry.field(
        description="What the first has there, a line or JSON, at most 1,000 characters; null: nothing."
    )
    after: str | None = strawberry.field(description="What the second has there, as `before`.")


@strawberry.type(description="What differs between two findings of analyzers.")
class ResultDifference:
    """What differs between two findings of analyzers."""

    are_same: bool = strawberry.field(description="Whether their values are the same, byte for byte.")
    compared_by: ComparedBy = strawberry.field(description="By what they are compared.")
    change_count: int | None = strawberry.field(
        description="At how many places they differ, 10,000 at most; null where only that is known."
    )
    changes: list[ResultChange] = strawberry.field(description="The first of these places.")
