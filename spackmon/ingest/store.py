"""The only writer of build data: one submission, one transaction, and the same again is no change."""

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, DBAPIError

from spackmon.errors import Refused
from spackmon.formats.submission import (
    AnalysisReport,
    BuildReport,
    ConcretizationFailureReport,
    InstallReport,
    PhaseReport,
    SpecReport,
    StatusReport,
    Submission,
)
from spackmon.ingest.concretization import apply_concretization_failure
from spackmon.ingest.installs import apply_install
from spackmon.ingest.linking import apply_spec
from spackmon.ingest.locks import share_graphs
from spackmon.ingest.ms1 import apply_analysis, apply_build, apply_phase, apply_status
from spackmon.ingest.receipts import Receipt

# PostgreSQL's class of limits that a value runs into: an index row of at most 2,704 bytes.
_PROGRAM_LIMIT_EXCEEDED = "54"


def apply(
    connection: Connection, submission: Submission, person_id: int, *, across_owners: bool = False
) -> Receipt:
    """Write a submission in the caller's transaction, which is rolled back if this raises.

    `across_owners`: whose builds they are is not certain; for the site's operator, who imports what all have
    installed.

    Raises Refused: SPEC_UNKNOWN, BUILD_UNKNOWN, BUILD_NOT_YOURS, and VALUE_REFUSED for what the database
    cannot hold.
    """
    try:
        return _apply(connection, submission, person_id, across_owners)
    except (UnicodeEncodeError, OverflowError) as error:
        raise _value_refused(error) from error
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None) or ""
        if isinstance(error, DataError) or state.startswith(_PROGRAM_LIMIT_EXCEEDED):
            raise _value_refused(error.orig) from error
        raise


def _apply(connection: Connection, submission: Submission, person_id: int, across_owners: bool) -> Receipt:
    match submission:
        case BuildReport(graph=None) | InstallReport(graph=None) | PhaseReport() | StatusReport():
            # What a build contains is written with it; a report that has a graph keeps them all itself.
            share_graphs(connection)
    match submission:
        case SpecReport():
            return apply_spec(connection, submission)
        case ConcretizationFailureReport():
            return apply_concretization_failure(connection, submission, person_id)
        case BuildReport():
            return apply_build(connection, submission, person_id)
        case PhaseReport():
            return apply_phase(connection, submission, person_id)
        case StatusReport():
            return apply_status(connection, submission, person_id)
        case AnalysisReport():
            return apply_analysis(connection, submission, person_id)
        case InstallReport():
            return apply_install(connection, submission, person_id, across_owners=across_owners)


def _value_refused(error: BaseException | None) -> Refused:
    reason = str(error).strip().split("\n")[0]
    return Refused("VALUE_REFUSED", 400, f"a value cannot be stored: {reason}")
