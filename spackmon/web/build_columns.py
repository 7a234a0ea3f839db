"""The columns that a table of builds may have."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table of builds; `field` is that of a BuildOrder by which it sorts, if it can."""

    name: str
    title: str
    field: str | None = None
    is_usual: bool = False


COLUMNS = {
    column.name: column
    for column in (
        Column("status", "Status", "status", is_usual=True),
        Column("phase", "Failed phase", is_usual=True),
        Column("cause", "What broke"),
        Column("updated", "Last report", "updatedAt", is_usual=True),
        Column("began", "Began", "startedAt"),
        Column("ended", "Ended", "finishedAt"),
        Column("took", "Took", "durationSeconds"),
        Column("cpu", "CPU time", "cpuSeconds"),
        Column("memory", "Memory", "peakMemoryBytes"),
        Column("size", "Installed", "installedBytes"),
        Column("hash", "Hash"),
        Column("compiler", "Compiler"),
        Column("variants", "Variants"),
        Column("environment", "Environment", "hostname", is_usual=True),
        Column("owner", "Owner", "owner", is_usual=True),
        Column("tags", "Tags", is_usual=True),
    )
}
USUAL_COLUMNS = [column for column in COLUMNS.values() if column.is_usual]
