"""When a run ended: a log has local times of no named zone, files have times that a copy may have changed.

Only both together say more than either: a file that was written while the log was is not from a copy.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

# Zones lie between UTC-12 and UTC+14; what comes after the last command of a build takes less than an hour.
_EARLIEST_SECONDS = -14 * 3600
_LATEST_SECONDS = 13 * 3600

UNKNOWN_ZONE_SECONDS = 14 * 3600.0
"""How far a local time may be off that is taken for UTC."""

BESIDE_PACKAGES_SECONDS = 3600.0
"""How much longer a command of Spack may take than its packages: it concretizes and waits for locks, too."""

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


class Moment(NamedTuple):
    """When a run began or ended, and how far that may be off: None where the clock names its zone."""

    at: datetime | None = None
    uncertainty_seconds: float | None = None


def ended(file_seconds: Iterable[float], log_ended_at: datetime | None) -> Moment:
    """When a run ended: what `end_of_run` says of the files or, where none of them fits, the log alone."""
    at = end_of_run(file_seconds, log_ended_at)
    return local_moment(log_ended_at) if at is None else Moment(at)


def local_moment(moment: datetime | None) -> Moment:
    """A local time as the moment that it is in UTC, which may be that of any other zone."""
    if moment is None:
        return Moment()
    return Moment(moment.replace(tzinfo=UTC), UNKNOWN_ZONE_SECONDS)


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


def end_of_command(started_at: datetime | None, packages_seconds: float) -> datetime | None:
    """When a command ended as far as Spack's reports count: they add up the seconds of its packages."""
    if started_at is None:
        return None
    try:
        return started_at + timedelta(seconds=packages_seconds)
    except OverflowError:
        return None
