"""When a run ended: a log has local times of no named zone, files have times that a copy may have changed.

Only both together say more than either: a file that was written while the log was is not from a copy.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

# Zones lie between UTC-12 and UTC+14; what comes after the last command of a build takes less than an hour.
_EARLIEST = timedelta(hours=-14)
_LATEST = timedelta(hours=13)

# Archives with times of their own (0, the release of a source) are older than anything that reports here.
_BEFORE_SPACK_SECONDS = 1_262_304_000
_AFTER_SPACK_SECONDS = 4_102_444_800


def end_of_run(file_seconds: Iterable[float], log_ended_at: datetime | None) -> datetime | None:
    """The latest of the files' moments (seconds since 1970) that can belong to a log that ended then."""
    latest = None
    for seconds in file_seconds:
        if not _BEFORE_SPACK_SECONDS < seconds < _AFTER_SPACK_SECONDS:
            continue
        moment = datetime.fromtimestamp(seconds, UTC)
        if log_ended_at is not None:
            after = moment - log_ended_at.replace(tzinfo=UTC)
            if not _EARLIEST <= after <= _LATEST:
                continue
        latest = moment if latest is None or moment > latest else latest
    return latest


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
