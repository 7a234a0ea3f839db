"""Bills of materials that others wrote: an analyzer's results of the newest builds of what they describe."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from spackmon.errors import Code, Refused
from spackmon.ingest.locks import own_graphs, share_graphs
from spackmon.ingest.receipts import BillReceipt
from spackmon.ingest.reports.ms1 import apply_analysis
from spackmon.ingest.rows import Statement
from spackmon.ingest.specs.finding import find_spec
from spackmon.ingest.tables.audiences import may_see
from spackmon.submission import AnalysisReport, BillReport

_NEWEST_BUILD = Statement(
    """
    SELECT id, owner_id FROM build
    WHERE spec_id = :spec_id AND (owner_id = :owner_id OR :of_anyone = 1)
    ORDER BY CASE WHEN id = :build_id THEN 0 ELSE 1 END, id DESC
    LIMIT 1
    """
)
_HAS = Statement(
    """
    SELECT 1 FROM attempt r
    JOIN analysis a ON a.attempt_id = r.id AND a.analyzer = :analyzer
    JOIN attribute t ON t.analysis_id = a.id AND t.digest = :digest
    WHERE r.build_id = :build_id
    LIMIT 1
    """
)


def apply_bill(
    connection: Connection, report: BillReport, person_id: int, now: datetime, *, across_owners: bool
) -> BillReceipt:
    """Keep a bill with the newest build of each spec that it names, or with the build that it names.

    They are this person's builds, `across_owners` anyone's, in whose name it is kept. Raises Refused
    SPEC_UNKNOWN and BUILD_UNKNOWN where it names none.
    """
    # Who writes of several packages in one transaction does it alone.
    (own_graphs if len(report.spec_hashes) > 1 else share_graphs)(connection)
    builds = list(_builds(connection, report, person_id, of_anyone=across_owners))
    receipts = [_kept(connection, report, build, now) for build in builds]
    first = receipts[0]
    return BillReceipt(first.build_id, first.spec_hash, any(one.changed for one in receipts))


def _builds(
    connection: Connection, report: BillReport, person_id: int, *, of_anyone: bool
) -> Iterator[tuple[Any, str]]:
    """The builds with the hashes of their specs. Raises as `apply_bill`."""
    named = ", ".join(report.spec_hashes[:3]) + (", …" if len(report.spec_hashes) > 3 else "")
    specs = {
        found.id: found.hash
        for hash_ in report.spec_hashes
        if (found := find_spec(connection, hash_)) is not None and may_see(connection, person_id, found)
    }
    if not specs:
        raise Refused(Code.SPEC_UNKNOWN, f"no spec has a hash that the bill names ({named}): report it first")
    is_none = True
    for spec_id, hash_ in specs.items():
        for build in _NEWEST_BUILD.run(
            connection, spec_id=spec_id, owner_id=person_id, of_anyone=int(of_anyone),
            build_id=report.build_id or 0,
        ):  # fmt: skip
            is_none = False
            yield build, hash_
    if is_none:
        whose = "" if of_anyone else " of yours"
        sentence = f"no build{whose} is of a spec that the bill names ({named}): report the build first"
        raise Refused(Code.BUILD_UNKNOWN, sentence)


def _kept(
    connection: Connection, report: BillReport, build_of: tuple[Any, str], now: datetime
) -> BillReceipt:
    build, spec_hash = build_of
    digest = hashlib.sha256(report.document.encode()).digest()
    if _HAS.run(connection, build_id=build.id, analyzer=report.analyzer, digest=digest):
        return BillReceipt(build.id, spec_hash, False)
    analysis = AnalysisReport(build.id, attributes={report.analyzer: (report.finding(None),)})
    return BillReceipt(apply_analysis(connection, analysis, build.owner_id, now).build_id, spec_hash, True)
