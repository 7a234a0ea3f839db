"""Operations that took long, in the log: which, what the time went into, the document without its values."""

import structlog
from graphql import (
    BooleanValueNode,
    EnumValueNode,
    FloatValueNode,
    GraphQLError,
    IntValueNode,
    ListValueNode,
    StringValueNode,
    Visitor,
    parse,
    print_ast,
    strip_ignored_characters,
    visit,
)

from spackmon.query.serve.executed import Executed

_MOST_CHARACTERS = 4_000
_VALUES = (BooleanValueNode, EnumValueNode, FloatValueNode, IntValueNode, ListValueNode, StringValueNode)

log = structlog.get_logger()


class SlowOperations:
    """Writes a line for each that took longer than a number of seconds; 0: none."""

    def __init__(self, slow_seconds: float) -> None:
        self._slow_seconds = slow_seconds

    def executed(self, executed: Executed) -> None:
        """Look at one that was answered or refused."""
        if not 0 < self._slow_seconds <= executed.seconds:
            return
        log.warning(
            "slow_operation",
            operation=executed.name,
            seconds=round(executed.seconds, 3),
            database_seconds=round(executed.database_seconds, 3),
            cost=executed.cost,
            code=executed.code,
            document_sha256=executed.request.document_key.hex(),
            document=without_values(executed.request.text),
        )


def without_values(document: str) -> str:
    """A document with each value in it as `…`, at most 4,000 characters; empty where it is none.

    Values may be names of people and machines, which have no place in a log; variables are not in it at all.
    """
    try:
        # A longer one is a machine's, and printing it would be slow, too.
        read = parse(document[: 10 * _MOST_CHARACTERS], no_location=True, max_tokens=_MOST_CHARACTERS)
    except (GraphQLError, RecursionError):
        return ""
    return strip_ignored_characters(print_ast(visit(read, _Values()))).replace('"…"', "…")[:_MOST_CHARACTERS]


class _Values(Visitor):
    def enter(self, node: object, *_: object) -> StringValueNode | None:
        return StringValueNode(value="…") if isinstance(node, _VALUES) else None
