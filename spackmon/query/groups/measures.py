"""What groups measure of their rows: how many there are, shares, percentiles, sums.

Percentiles are by nearest rank and sums are of whole microseconds, so that both databases give equal
numbers. A row may stand for several, by its column `weight`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    FromClause,
    Integer,
    Select,
    case,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy import cast as sql_cast

from spackmon.query.sql.conditions import ValueOf
from spackmon.query.sql.json_text import constant
from spackmon.status import FINISHED, BuildStatus

DOUBLE = Float(53)
_PERCENTS = (50, 95)


def ranked(rows: FromClause, names: Sequence[str], facts: Sequence[str]) -> Select[Any]:
    """The rows with their places by some facts in their groups; those without one are last."""
    by = [rows.c[name] for name in names]
    places = []
    for fact in facts:
        value = rows.c[fact]
        place = func.row_number().over(partition_by=by, order_by=value.nulls_last())
        known = func.count(value, type_=Integer()).over(partition_by=by)
        places += [place.label(f"{fact}_rank"), known.label(f"{fact}_known")]
    return select(rows, *places)


def _percentiles(rows: FromClause, fact: str, unit: str) -> list[ColumnElement[Any]]:
    """How many rows have a fact, and by nearest rank which value so many percent of them are up to."""
    value = rows.c[fact]
    if f"{fact}_rank" not in rows.c:
        # Of PostgreSQL, which sorts each group once. It multiplies doubles, and finds the same places.
        ordered: list[ColumnElement[Any]] = []
        for percent in _PERCENTS:
            share: ColumnElement[float] = literal_column(str(percent / 100))
            at_share = func.percentile_disc(share, type_=value.type).within_group(value)
            ordered.append(at_share.label(f"p{percent}_{unit}"))
        return [_known(rows, value).label(f"{fact}_count"), *ordered]
    rank, known = rows.c[f"{fact}_rank"], rows.c[f"{fact}_known"]
    alike = rows.c.get("alike")
    # The last of those that are rounded alike has this rank.
    first = rank if alike is None else rank - alike + whole_number(1)

    def at(percent: int) -> ColumnElement[Any]:
        sought = (known * whole_number(percent) + whole_number(99)) // whole_number(100)
        return func.max(case((sought.between(first, rank), value)), type_=value.type)

    found = [at(percent).label(f"p{percent}_{unit}") for percent in _PERCENTS]
    return [_known(rows, value).label(f"{fact}_count"), *found]


def _known(rows: FromClause, value: ColumnElement[Any]) -> ColumnElement[int]:
    """How many have a value; of rows that stand for several, each for those that are rounded `alike`."""
    alike = rows.c.get("alike")
    return func.count(value) if alike is None else _sum_of(alike)


def _sum_of(numbers: ColumnElement[int]) -> ColumnElement[int]:
    return sql_cast(func.coalesce(func.sum(numbers), whole_number(0)), BigInteger)


def microseconds(duration: ColumnElement[Any]) -> ColumnElement[int]:
    """A duration as it is summed up: sums of doubles depend on the order they are added in."""
    return sql_cast(func.round(duration * whole_number(1_000_000)), BigInteger)


def _total_and_mean(
    rows: FromClause, fact: str, unit: str
) -> tuple[ColumnElement[float], ColumnElement[float]]:
    value, summed = rows.c[fact], rows.c.get("microseconds")
    total = sql_cast(func.sum(microseconds(value) if summed is None else summed), DOUBLE)
    mean = (total / (func.nullif(_known(rows, value), whole_number(0)) * whole_number(1_000_000))).cast(
        DOUBLE
    )
    return (total / whole_number(1_000_000)).cast(DOUBLE).label(f"total_{unit}"), mean.label(f"mean_{unit}")


def _durations(rows: FromClause) -> list[ColumnElement[Any]]:
    _, mean = _total_and_mean(rows, "duration_seconds", "seconds")
    marked = rows.c.get("is_rounded")
    is_rounded = (whole_number(0) if marked is None else func.max(marked)) == whole_number(1)
    return [*_percentiles(rows, "duration_seconds", "seconds"), mean, is_rounded.label("is_rounded")]


def _cpu_times(rows: FromClause) -> list[ColumnElement[Any]]:
    both = _total_and_mean(rows, "cpu_seconds", "cpu_seconds")
    return [*_percentiles(rows, "cpu_seconds", "cpu_seconds"), *both]


def _peak_memory(rows: FromClause) -> list[ColumnElement[Any]]:
    most = func.max(rows.c["peak_memory_bytes"]).label("maximum_memory_bytes")
    return [*_percentiles(rows, "peak_memory_bytes", "memory_bytes"), most]


def success_rate(rows: FromClause) -> list[ColumnElement[Any]]:
    """Of builds, runs and phases: a phase that failed is an ERROR."""
    status = rows.c["status"]
    # SUCCESS is the first of them: of what has it, as most have, no more is asked.
    ended = (*sorted(FINISHED, reverse=True), "ERROR")
    has_ended = or_(*(status == constant(one) for one in ended))
    finished = number_of(rows, has_ended)
    succeeded = sql_cast(number_of(rows, status == constant(BuildStatus.SUCCESS)), DOUBLE)
    return [(succeeded / func.nullif(finished, whole_number(0))).cast(DOUBLE).label("success_rate")]


def _total_bytes(rows: FromClause) -> list[ColumnElement[Any]]:
    total = sql_cast(func.coalesce(func.sum(rows.c["size_bytes"]), whole_number(0)), BigInteger)
    return [total.label("total_bytes")]


def _parameter_sets(rows: FromClause) -> list[ColumnElement[Any]]:
    return [func.count(rows.c["parameter_set_id"].distinct(), type_=BigInteger()).label("parameter_sets")]


def _owners(rows: FromClause) -> list[ColumnElement[Any]]:
    return [func.count(rows.c["owner_id"].distinct(), type_=BigInteger()).label("owners")]


_MEASURES: Mapping[str, Callable[[FromClause], list[ColumnElement[Any]]]] = {
    "successRate": success_rate,
    "durations": _durations,
    "cpuTimes": _cpu_times,
    "peakMemory": _peak_memory,
    "totalBytes": _total_bytes,
    "parameterSets": _parameter_sets,
    "owners": _owners,
}
# What each of them needs to know of a row.
NEEDED = {
    "successRate": "status", "durations": "duration_seconds", "cpuTimes": "cpu_seconds",
    "peakMemory": "peak_memory_bytes", "totalBytes": "size_bytes", "parameterSets": "parameter_set_id",
    "owners": "owner_id",
}  # fmt: skip
# Those that are computed of places, and what groups are compared by where that is not the measure itself.
OF_PLACES = {
    "durations": {"p50Seconds", "p95Seconds", "meanSeconds"},
    "cpuTimes": {"p50CpuSeconds", "p95CpuSeconds", "meanCpuSeconds", "totalCpuSeconds"},
    "peakMemory": {"p50MemoryBytes", "p95MemoryBytes", "maximumMemoryBytes"},
}


def measures_of(facts: Mapping[str, ValueOf], names: Collection[str]) -> list[str]:
    """What is measured of rows with these facts where fields, filters and orders have these names."""
    return [
        name
        for name, fact in NEEDED.items()
        if fact in facts and not OF_PLACES.get(name, {name}).union({name}).isdisjoint(names)
    ]


def number_of(rows: FromClause, condition: ColumnElement[bool] | None = None) -> ColumnElement[int]:
    """How many there are that fulfil a condition, where a row stands for its `weight` if it has one."""
    weight = rows.c.get("weight")
    if weight is None:
        return func.count(type_=BigInteger()) if condition is None else _count_of(condition)
    total = func.sum(weight) if condition is None else func.sum(weight).filter(condition)
    return sql_cast(func.coalesce(total, whole_number(0)), BigInteger)


def _count_of(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(type_=BigInteger()).filter(condition)


def whole_number(value: int) -> ColumnElement[int]:
    """A number in the statement itself: parameters would make PostgreSQL plan anew on every run."""
    return literal_column(str(value), Integer())


def all_measured(source: FromClause, measured: Sequence[str]) -> list[ColumnElement[Any]]:
    """How many rows a group has, and what is measured of them."""
    measures = [column for name in measured for column in _MEASURES[name](source)]
    return [number_of(source).label("count"), *measures]
