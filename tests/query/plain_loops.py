"""Groups and tables as a plain loop makes them, of specs and builds as answers show them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from spackmon.graph.versions import version_key

FINISHED = {"SUCCESS", "FAILED", "CANCELLED", "ERROR"}
LANGUAGES = ("c", "cxx", "fortran")

Row = Mapping[str, Any]
# A label, and before it what it is sorted by.
Label = tuple[Any, ...]

# Of a build whose spec is not known.
UNKNOWN: Mapping[str, Label] = {
    "VERSION": (None,) * 2, "COMPILER": (None,) * 3, "TARGET": (None,), "OS": (None,),
}  # fmt: skip


def spec_labels(one: Row) -> dict[str, Label]:
    """What a spec is grouped by."""
    architecture = one["architecture"]
    return {
        "PACKAGE": (one["name"],),
        "VERSION": (version_key(one["version"]), one["version"]),
        "COMPILER": compiler_label(one),
        "TARGET": (architecture["target"]["name"],),
        "OS": (architecture["operatingSystem"],),
    }


def compiler_label(one: Row) -> Label:
    """The compiler that a spec names, or else the dependency that is one."""
    found = one["compiler"] if one["namesCompiler"] else None
    for language in LANGUAGES:
        providers = [edge["child"] for edge in one["dependencies"]["nodes"] if language in edge["virtuals"]]
        if found is None and providers:
            found = min(providers, key=lambda child: (child["name"], child["version"]))
    if found is None:
        return (None,) * 3
    name, version = found["name"], found["version"]
    return name, version_key(version), f"{name}@{version}"


def build_labels(build: Row, tag: str | None) -> dict[str, Label]:
    """What a build is grouped by, under one of its tags."""
    began = None if build["startedAt"] is None else datetime.fromisoformat(build["startedAt"])
    year, week, _ = (None, None, None) if began is None else began.isocalendar()
    errors = [event["errorGroup"] for event in build["events"]["nodes"]]
    return {
        **(UNKNOWN if build["spec"] is None else spec_labels(build["spec"])),
        "PACKAGE": (None if build["package"] is None else build["package"]["name"],),
        "ERROR_GROUP": (errors[0]["fingerprint"], errors[0]["text"]) if errors else (None, None),
        "STATUS": (build["status"],), "TAG": (tag,),
        "OWNER": (build["owner"]["name"],), "DAY": (began and began.strftime("%Y-%m-%d"),),
        "MONTH": (began and began.strftime("%Y-%m"),), "WEEK": (began and f"{year}-W{week:02}",),
        "INSTALLED_FROM": (build["installedFrom"],), "HOSTNAME": (build["environment"]["hostname"],),
    }  # fmt: skip


def missing(key: str) -> Label:
    """The label of what has nothing of a key."""
    return (None,) * {"COMPILER": 3, "CHILD_VERSION": 2, "ERROR_GROUP": 2, "VERSION": 2}.get(key, 1)


def all_labels(build: Row) -> dict[str, list[Label]]:
    """What a build is grouped by, under all of its tags."""
    labels = {key: [label] for key, label in build_labels(build, None).items()}
    return labels | {"TAG": [(tag["name"],) for tag in build["tags"]["nodes"]]}


def tagged(builds: Iterable[Row], keys: Sequence[str]) -> Iterator[tuple[Row, dict[str, Label]]]:
    """Each build, once for every tag if that is among the keys."""
    for build in builds:
        tags = [tag["name"] for tag in build["tags"]["nodes"]] if "TAG" in keys else []
        for tag in tags or [None]:
            yield build, build_labels(build, tag)


def counted(builds: Iterable[Row], *, all_: bool) -> list[Row]:
    """The builds that statistics count: all, or those that are not known to come from elsewhere."""
    return [build for build in builds if all_ or build["installedFrom"] in (None, "SOURCE")]


def in_order(labels: Iterable[Label]) -> tuple[Any, ...]:
    """Sorts as groups are: what is missing comes last."""
    return tuple((part is None, 0 if part is None else part) for label in labels for part in label)


def grouped(
    rows: Iterable[tuple[Row, dict[str, Label]]], keys: Sequence[str], measure: Callable[[list[Row]], Row]
) -> list[Row]:
    """The groups of rows, by a plain loop."""
    groups: dict[tuple[Label, ...], list[Row]] = defaultdict(list)
    for row, labels in rows:
        groups[tuple(labels[key] for key in keys)].append(row)
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), in_order(group[0])))
    return [
        {
            "keys": {
                name: value
                for key, label in zip(keys, labels, strict=True)
                for name, value in zip(key_fields(key), label[-len(key_fields(key)) :], strict=True)
            },
            "count": len(members),
            **measure(members),
        }
        for labels, members in ordered
    ]


def key_fields(key: str) -> tuple[str, ...]:
    """The fields that show a key: the last parts of its label."""
    first, *others = key.lower().split("_")
    name = first + "".join(map(str.capitalize, others))
    return ("errorFingerprint", name) if key == "ERROR_GROUP" else (name,)


def measured(builds: list[Row]) -> Row:
    """The success rate and the durations of builds."""
    finished = [build["status"] == "SUCCESS" for build in builds if build["status"] in FINISHED]
    seconds = sorted(b["durationSeconds"] for b in builds if b["durationSeconds"] is not None)
    durations = None
    if seconds:
        microseconds = sum(round(one * 1_000_000) for one in seconds)
        durations = {
            "p50Seconds": _percentile(seconds, 50),
            "p95Seconds": _percentile(seconds, 95),
            "meanSeconds": microseconds / (len(seconds) * 1_000_000),
            "isRounded": False,
        }
    rate = sum(finished) / len(finished) if finished else None
    return {"successRate": rate, "durations": durations, **resources(builds)}


def resources(runs: list[Row]) -> Row:
    """The CPU times and the peak memory of runs."""
    seconds = sorted(run["cpuSeconds"] for run in runs if run["cpuSeconds"] is not None)
    peaks = sorted(run["peakMemoryBytes"] for run in runs if run["peakMemoryBytes"] is not None)
    microseconds = sum(round(one * 1_000_000) for one in seconds)
    return {
        "cpuTimes": {
            "p50Seconds": _percentile(seconds, 50),
            "p95Seconds": _percentile(seconds, 95),
            "meanSeconds": microseconds / (len(seconds) * 1_000_000),
            "totalSeconds": microseconds / 1_000_000,
        } if seconds else None,
        "peakMemory": {
            "p50Bytes": _percentile(peaks, 50), "p95Bytes": _percentile(peaks, 95),
            "maximumBytes": peaks[-1],
        } if peaks else None,
    }  # fmt: skip


def _percentile(values: list[Any], percent: int) -> Any:
    return values[-(-len(values) * percent // 100) - 1]


Labelled = Iterable[tuple[Row, Mapping[str, Sequence[Label]]]]


def table(labelled: Labelled, row: str, column: str, first: int, failures: Labelled | None = None) -> Row:
    """A table by a plain loop, of builds with all the labels that each has, and of what never became one."""
    cells = _cells(labelled, row, column)
    failed = _cells(failures or (), row, column)
    each = [key for of in (cells, failed) for key, found in of.items() for _ in found]
    rows, columns = (largest([key[axis] for key in each], first) for axis in (0, 1))
    found = [key for key in {**cells, **failed} if key[0] in rows and key[1] in columns]

    def more(key: tuple[Label, Label]) -> Row:
        count = None if failures is None else len(failed.get(key, ()))
        return {"failedToConcretize": count, "failures": failed.get(key, []), "all": cells.get(key, [])}

    return {
        "rows": names(key[0] for key in found),
        "columns": names(key[1] for key in found),
        "cells": [
            {"row": key[0][-1], "column": key[1][-1], **stand(cells.get(key, [])), **more(key)}
            for key in sorted(found, key=in_order)
        ],
    }


def _cells(labelled: Labelled, row: str, column: str) -> dict[tuple[Label, Label], list[Row]]:
    cells: dict[tuple[Label, Label], list[Row]] = defaultdict(list)
    for one, labels in labelled:
        for across in labels[row] or [missing(row)]:
            for down in labels[column] or [missing(column)]:
                cells[across, down].append(one)
    return dict(cells)


def names(labels: Iterable[Label]) -> list[Any]:
    return [label[-1] for label in sorted(set(labels), key=lambda label: in_order([label]))]


def largest(labels: Sequence[Label], first: int) -> list[Label]:
    return sorted(set(labels), key=lambda label: (-labels.count(label), in_order([label])))[:first]


def stand(builds: Sequence[Row]) -> Row:
    latest = max(builds, key=lambda build: (build["startedAt"] or "", int(build["id"])), default=None)
    statuses = [build["status"] for build in builds]
    ended = [status for status in statuses if status in FINISHED]
    return {
        "count": len(builds),
        "successRate": ended.count("SUCCESS") / len(ended) if ended else None,
        "succeeded": statuses.count("SUCCESS"),
        "failed": statuses.count("FAILED"),
        "latestStatus": None if latest is None else latest["status"],
    }
