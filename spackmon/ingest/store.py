"""The only writer of build data: one submission, one transaction, and the same again is no change."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, DBAPIError

from spackmon.errors import Code, Refused
from spackmon.ingest.masked import masked_submission
from spackmon.ingest.receipts import PhaseReceipt, Receipt
from spackmon.ingest.reports import phases
from spackmon.ingest.reports.bills import apply_bill
from spackmon.ingest.reports.buildcaches import apply_buildcache
from spackmon.ingest.reports.concretization import apply_concretization_failure
from spackmon.ingest.reports.environments import apply_environment
from spackmon.ingest.reports.installs import apply_install
from spackmon.ingest.reports.ms1 import apply_analysis, apply_build, apply_status
from spackmon.ingest.specs.linking import apply_spec, apply_specs
from spackmon.masking.rules import of_site
from spackmon.models import utc_now
from spackmon.submission import (
    AnalysisReport,
    BillReport,
    BuildcacheReport,
    BuildReport,
    ConcretizationFailureReport,
    EnvironmentReport,
    InstallReport,
    PhaseReport,
    SpecReport,
    StatusReport,
    Submission,
)

_OTHERS = (
    SpecReport
    | EnvironmentReport
    | BuildcacheReport
    | ConcretizationFailureReport
    | BuildReport
    | PhaseReport
    | StatusReport
    | AnalysisReport
)

# PostgreSQL's class of limits that a value runs into: an index row of at most 2,704 bytes.
_PROGRAM_LIMIT_EXCEEDED = "54"


def apply(
    connection: Connection,
    submission: Submission,
    person_id: int,
    *,
    across_owners: bool = False,
    arrived_at: datetime | None = None,
) -> Receipt:
    """Write a submission, without secrets, in the caller's transaction, which is rolled back if this raises.

    `across_owners`: whose builds they are is not certain; for the site's operator, who imports what all have
    installed. `arrived_at` is when it came, where that was not now: what had to wait ran no later for it.

    Raises Refused: SPEC_UNKNOWN, BUILD_UNKNOWN, BUILD_NOT_YOURS, and VALUE_REFUSED for what the database
    cannot hold.
    """
    now = arrived_at or utc_now()
    submission = masked_submission(submission, of_site())
    with _values_refused():
        if isinstance(submission, InstallReport):
            return apply_install(connection, submission, person_id, now, across_owners=across_owners)
        if isinstance(submission, BillReport):
            return apply_bill(connection, submission, person_id, now, across_owners=across_owners)
        return _apply(connection, submission, person_id, now)


def apply_together(
    connection: Connection, reports: Sequence[SpecReport], person_id: int
) -> Sequence[Receipt]:
    """Write a person's reports that `together` gave, by one statement a table.

    Raises Refused where one of them is to be refused, and ChangesKnownSpecs where each has to be written by
    itself; the caller then rolls back.
    """
    with _values_refused():
        return apply_specs(connection, reports, person_id, utc_now())


def apply_phases(
    connection: Connection, sent: Sequence[tuple[PhaseReport, int]]
) -> list[PhaseReceipt | None]:
    """Write phases of builds of which none is twice there, by one statement a table; each with its person.

    None for a report that has to be written by `apply`. Raises what `apply` raises, and Apart, where each
    has to be; the caller then rolls back.
    """
    with _values_refused():
        return phases.apply_phases(connection, sent, utc_now())


@contextmanager
def _values_refused() -> Iterator[None]:
    try:
        yield
    except (UnicodeEncodeError, OverflowError) as error:
        raise _value_refused(error) from error
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None) or ""
        if isinstance(error, DataError) or state.startswith(_PROGRAM_LIMIT_EXCEEDED):
            raise _value_refused(error.orig) from error
        raise


def _apply(connection: Connection, submission: _OTHERS, person_id: int, now: datetime) -> Receipt:
    match submission:
        case SpecReport():
            return apply_spec(connection, submission, person_id, now)
        case EnvironmentReport():
            return apply_environment(connection, submission, person_id, now)
        case BuildcacheReport():
            return apply_buildcache(connection, submission, person_id, now)
        case ConcretizationFailureReport():
            return apply_concretization_failure(connection, submission, person_id, now)
        case BuildReport():
            return apply_build(connection, submission, person_id, now)
        case PhaseReport():
            return phases.apply_phase(connection, submission, person_id, now)
        case StatusReport():
            return apply_status(connection, submission, person_id, now)
        case AnalysisReport():
            return apply_analysis(connection, submission, person_id, now)


def _value_refused(error: BaseException | None) -> Refused:
    reason = str(error).strip().split("\n")[0]
    return Refused(Code.VALUE_REFUSED, f"a value cannot be stored: {reason}")
