"""The scalars beside those of GraphQL itself."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, NewType

import strawberry
from strawberry.schema.types.base_scalars import DateTimeDefinition
from strawberry.types.scalar import ScalarDefinition

Long = NewType("Long", int)

_LIMIT = 2**63


def _read(value: Any) -> int:
    """A whole number of 64 bits, also if it is written as `3e9`. Raises ValueError."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or value != value // 1 or not -_LIMIT <= value < _LIMIT:
        raise ValueError(f"Long cannot represent {value!r}: it must be a whole number of 64 bits.")
    return int(value)


SCALARS: Mapping[object, ScalarDefinition] = {
    Long: strawberry.scalar(
        name="Long",
        description="A whole number of 64 bits, as sizes are: JSON has it as a number.",
        serialize=int,
        parse_value=_read,
    ),
    datetime: replace(
        DateTimeDefinition,
        description="A moment, as `2026-03-01T12:00:00Z`; one without an offset is in UTC.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
    ),
}
