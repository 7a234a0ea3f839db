"""How a build stands: the words that reports, tables and the schema share."""

from enum import StrEnum


class BuildStatus(StrEnum):
    """How a build or an attempt stands."""

    NOTRUN = "NOTRUN"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


FINISHED = frozenset({BuildStatus.SUCCESS, BuildStatus.FAILED, BuildStatus.CANCELLED})
