"""How a connection groups its rows: each key is said once, its enum value and its field are made of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

import strawberry

from spackmon.query.groups.aggregates import aggregate, key_value, knows, measure
from spackmon.query.groups.counting import grouped
from spackmon.query.groups.group_keys import Key, KeyColumns
from spackmon.query.meanings.fields import condition, embedded, sorted_by_value
from spackmon.query.rows.filters import compares_value
from spackmon.query.sql.conditions import ValueOf
from spackmon.schema.filters import FloatFilter, LongFilter
from spackmon.schema.noun import input_of, noun, noun_of, object_type
from spackmon.schema.scalars import Long

Declared = TypeVar("Declared", bound=type)


@dataclass(frozen=True, slots=True)
class GroupKey:
    """Something to group by: its columns, what it says of a group, and the type of that.

    `details` are more fields that show it: of each the name, the column's suffix and the description.
    """

    columns: KeyColumns
    description: str
    type_: Any = str
    details: tuple[tuple[str, str, str], ...] = ()


@object_type
class Durations:
    """Their durations, where known."""

    p50_seconds: float = aggregate("p50_seconds", description="The median.")
    p95_seconds: float = aggregate("p95_seconds", description="The 95th percentile.")
    mean_seconds: float = aggregate("mean_seconds", description="The mean, exactly.")
    is_rounded: bool = aggregate(
        "is_rounded",
        description="Whether percentiles are rounded, by at most 6 %: they are where a list of more than "
        "100,000 builds is filtered and grouped by nothing but what is counted of builds.",
    )


@object_type
class CpuTimes:
    """Their CPU times, where known."""

    p50_seconds: float = aggregate("p50_cpu_seconds", description="The median.")
    p95_seconds: float = aggregate("p95_cpu_seconds", description="The 95th percentile.")
    mean_seconds: float = aggregate("mean_cpu_seconds", description="The mean.")
    total_seconds: float = aggregate("total_cpu_seconds", description="All of them together.")


@object_type
class PeakMemory:
    """The most memory that each of them had, where known."""

    p50_bytes: Long = aggregate("p50_memory_bytes", description="The median.")
    p95_bytes: Long = aggregate("p95_memory_bytes", description="The 95th percentile.")
    maximum_bytes: Long = aggregate("maximum_memory_bytes", description="The most of all.")


# What groups are filtered and ordered by besides their fields, by the fact that it is measured of.
_COMPARED: dict[str, tuple[Any, dict[str, str]]] = {
    "duration_seconds": (FloatFilter, {
        "p50_seconds": "The median.", "p95_seconds": "The 95th percentile.", "mean_seconds": "The mean.",
    }),
    "cpu_seconds": (FloatFilter, {
        "p50_cpu_seconds": "The median of CPU times.",
        "p95_cpu_seconds": "The 95th percentile of CPU times.",
        "mean_cpu_seconds": "The mean of CPU times.",
        "total_cpu_seconds": "All CPU times together.",
    }),
    "peak_memory_bytes": (LongFilter, {
        "p50_memory_bytes": "The median of peak memories.",
        "p95_memory_bytes": "The 95th percentile of peak memories.",
        "maximum_memory_bytes": "The most of all peak memories.",
    }),
}  # fmt: skip


def key_enum(name: str, plural: str, keys: Mapping[str, GroupKey]) -> Any:
    """The enum of what rows are grouped by."""
    values = {
        key: strawberry.enum_value(Key(key.lower(), one.columns), description=one.description)
        for key, one in keys.items()
    }
    return strawberry.enum(Enum(name, values), description=f"What {plural} are grouped by.")  # type: ignore[call-overload]


def groups(
    plural: str,
    keys: Mapping[str, GroupKey],
    *,
    key_type: Any = None,
    facts: Mapping[str, ValueOf] | None = None,
    installed_from: ValueOf | None = None,
    faceted: bool = False,
) -> Callable[[Declared], Declared]:
    """Makes a connection one whose rows are counted by groups, in its field `groupBy`.

    `facts` are what groups measure of a row (`query.groups.measures`). `key_type` is the enum of the keys,
    where it is used elsewhere, too. `faceted` rows are builds (`query.groups.facets`).
    """

    def declare(declared: Declared) -> Declared:
        name = noun_of(declared)
        group = noun(f"groups of {plural}")(_group(name, plural, keys, facts or {}))
        field = grouped(
            key_type or key_enum(f"{name}GroupKey", plural, keys),
            input_of(f"{name}GroupFilter"),
            input_of(f"{name}GroupOrder"),
            facts=facts or {},
            installed_from=installed_from,
            faceted=faceted,
            description="The whole list by groups.",
        )
        declared.__annotations__["group_by"] = list[group]  # type: ignore[valid-type]
        declared.group_by = field  # type: ignore[attr-defined]
        return object_type(declared)

    return declare


def _group(name: str, plural: str, keys: Mapping[str, GroupKey], facts: Mapping[str, ValueOf]) -> type:
    fields: dict[str, tuple[Any, Any]] = {
        "keys": (_keys(name, plural, keys), embedded(description="The values that they share.")),
        "count": (int, aggregate("count", description="How many there are.", compared=True)),
    }
    if "status" in facts:
        sentence = "The share of SUCCESS, from 0 to 1, among those that have ended; null if there are none."
        fields["success_rate"] = (
            float | None, aggregate("success_rate", description=sentence, compared=True),
        )  # fmt: skip
    if "duration_seconds" in facts:
        sentence = "Statistics of their durations; null if none is known."
        fields["durations"] = (
            Durations | None,
            embedded(present=knows("duration_seconds"), description=sentence),
        )
    if "cpu_seconds" in facts:
        sentence = "Statistics of their CPU times; null if none is known."
        fields["cpu_times"] = CpuTimes | None, embedded(present=knows("cpu_seconds"), description=sentence)
    if "peak_memory_bytes" in facts:
        sentence = "Statistics of the most memory that each had; null if none is known."
        fields["peak_memory"] = (
            PeakMemory | None, embedded(present=knows("peak_memory_bytes"), description=sentence),
        )  # fmt: skip
    if "size_bytes" in facts:
        sentence = "Their total size."
        fields["total_bytes"] = Long, aggregate("total_bytes", description=sentence, compared=True)
    if "parameter_set_id" in facts:
        sentence = "How many different sets of parameters they have."
        fields["parameter_sets"] = int, aggregate("parameter_sets", description=sentence, compared=True)
    if "owner_id" in facts:
        sentence = "How many different people report them."
        fields["owners"] = int, aggregate("owners", description=sentence, compared=True)
    return _class(f"{name}Group", f"A group of {plural}.", fields, _compared(facts))


def _compared(facts: Mapping[str, ValueOf]) -> dict[str, type]:
    """What groups are filtered and ordered by besides their fields: statistics of these facts."""
    filters: dict[str, Any] = {}
    orders: dict[str, Any] = {}
    for fact in (fact for fact in _COMPARED if fact in facts):
        type_, sentences = _COMPARED[fact]
        for name, sentence in sentences.items():
            filters[name] = condition(type_, compares_value(measure(name)), description=sentence)
            orders[name] = sorted_by_value(measure(name), description=sentence)
    return {"Filter": type("Filter", (), filters), "Order": type("Order", (), orders)} if filters else {}


def _keys(name: str, plural: str, keys: Mapping[str, GroupKey]) -> type:
    fields: dict[str, tuple[Any, Any]] = {}
    for key, one in keys.items():
        fields[key.lower()] = one.type_ | None, key_value(key.lower(), description=one.description)
        for detail, column, description in one.details:
            fields[detail] = str | None, key_value(f"{key.lower()}_{column}", description=description)
    sentence = f"The values that the {plural} of a group share; null where they are not grouped by it."
    return object_type(_class(f"{name}GroupKeys", sentence, fields))


def _class(
    name: str, sentence: str, fields: Mapping[str, tuple[Any, Any]], inner: Mapping[str, type] | None = None
) -> type:
    annotations = {field: type_ for field, (type_, _) in fields.items()}
    body = {field: one for field, (_, one) in fields.items()}
    own = {"__doc__": sentence, "__annotations__": annotations, "__module__": __name__}
    return type(name, (), {**body, **(inner or {}), **own})
