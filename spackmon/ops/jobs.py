"""What a serving process does beside its requests, and how each of it went the last time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from spackmon.database.undone import note_undone
from spackmon.models import utc_now


class Job(StrEnum):
    """One of them, by what it does."""

    SPOOL = "apply reports that came while the database was away"
    USES = "note when tokens and sessions were used"
    KEYS = "learn of new keys of access tokens"
    COUNTS = "bring the counts of builds and errors up to date"
    SILENCE = "cancel runs whose clients are gone"
    CONTENTS = "put lists of what builds contain together"
    RETENTION = "remove what the rules of RETENTION say is old"
    QUOTAS = "remove the oldest beyond QUOTAS"
    LOGS = "move texts of logs to the bucket"
    DOCUMENTS = "pack documents that an older version stored"
    PACKAGES = "see which packages are below specs that an older version stored"


@dataclass(frozen=True, slots=True)
class JobRecord:
    """When a job last ended well, and when it last failed; None where it has not yet."""

    job: str
    done_at: datetime | None
    failed_at: datetime | None


class Jobs:
    """Those of one process."""

    def __init__(self) -> None:
        self._done: dict[Job, datetime] = {}
        self._failed: dict[Job, datetime] = {}

    @contextmanager
    def doing(self, job: Job, failure: str) -> Iterator[None]:
        """Do it in this block; what is raised is logged as the event `failure`, since the next time comes."""
        try:
            yield
        except Exception as error:
            note_undone(failure, error)
            self._failed[job] = utc_now()
        else:
            self._done[job] = utc_now()

    def records(self) -> Sequence[JobRecord]:
        """Of every job."""
        return [JobRecord(job, self._done.get(job), self._failed.get(job)) for job in Job]
