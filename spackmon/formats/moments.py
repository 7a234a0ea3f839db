"""When a run ended: a log has local times of no named zone, files have times that a copy may have changed.

Only both together say more than either: a file that was written while the log was is not from a copy.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

# Zones lie between UTC-12 and UTC+14; what comes after the last command of a build takes less than an hour.
_EARLIEST_SECONDS = -14 * 3600
_LATEST_SECONDS = 13 * 3600

# Archives with times of their own (0, the release of a source) are older than anything that reports here.
_BEFORE_SPACK_SECONDS = 1_262_304_000
_AFTER_SPACK_SECONDS = 4_102_444_800


def end_of_run(file_seconds: Iterable[float], log_ended_at: datetime | None) -> datetime | None:
    """The latest of the files' moments (seconds since 1970) that can belong to a log that ended then."""
    earliest, latest = float(_BEFORE_SPACK_SECONDS), float(_AFTER_SPACK_SECONDS)
    if log_ended_at is not None:
        log_seconds = log_ended_at.replace(tzinfo=UTC).timestamp()
        earliest = max(earliest, log_seconds + _EARLIEST_SECONDS)
        latest = min(latest, log_seconds + _LATEST_SECONDS)
    fitting = max((seconds for seconds in file_seconds if earliest <= seconds <= latest), default=None)
    return None if fitting is None else datetime.fromtimestamp(fitting, UTC)


def start_of_run(ended_at: datetime | None, duration_seconds: float | None) -> datetime | None:
    """When a run began that ended then and took so long.

    The log would not tell: how long its last command ran stands nowhere.
    """
    if ended_at is None or duration_seconds is None:
        return None
    try:
        return ended_at - timedelta(seconds=duration_seconds)
    except OverflowError:
        return None
