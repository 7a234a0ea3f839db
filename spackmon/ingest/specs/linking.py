"""Claims whose spec becomes known, or turns out to be another one of those that their hash may mean."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from spackmon.ingest.locks import lock_packages
from spackmon.ingest.receipts import SpecReceipt
from spackmon.ingest.runs.resolution import rewrite
from spackmon.ingest.specs.finding import find_spec
from spackmon.ingest.specs.specs import StoredSpec, store_graph, store_graphs
from spackmon.ingest.tables import claims
from spackmon.ingest.tables.audiences import may_see
from spackmon.submission import SpecReport


def apply_spec(connection: Connection, report: SpecReport, person_id: int, now: datetime) -> SpecReceipt:
    """Store a graph; one that is known to the last document costs two statements."""
    stored = store_graph(connection, report.graph, report.spack_version, person_id, keeps_graphs=False)
    link(connection, stored.waiting, (), now)
    return _receipt(report, stored)


def apply_specs(
    connection: Connection, reports: Sequence[SpecReport], person_id: int, now: datetime
) -> list[SpecReceipt]:
    """Store graphs of one format and Spack by one statement a table. Raises what `store_graphs` does."""
    stored = store_graphs(
        connection, [report.graph for report in reports], reports[0].spack_version, person_id
    )
    link(connection, stored[0].waiting, (), now)
    return [_receipt(report, one) for report, one in zip(reports, stored, strict=True)]


def _receipt(report: SpecReport, stored: StoredSpec) -> SpecReceipt:
    root = report.graph.nodes[report.graph.root]
    return SpecReceipt(
        stored.spec_id, stored.created, root.hash, root.hash_kind, root.name, root.version,
        stored.created_count,
    )  # fmt: skip


def link(
    connection: Connection, claim_ids: Collection[int], packages: Iterable[int | None], now: datetime
) -> int:
    """Lock packages, and count claims to the specs that they name, as far as these are known.

    Which one a hash means may depend on all that show it: a claim that may mean another one now is of the
    runs of others. How many claims were of another spec.
    """
    loaded = claims.load_claims(connection, claim_ids)
    names = {
        claim_id: (one.claim.spec_hash, one.claim.spec_hash_kind)
        for claim_id, one in loaded.items()
        if one.claim.spec_hash is not None
    }
    specs = {name: find_spec(connection, *name) for name in set(names.values())}
    # Also those that the claims were of: the runs that they leave are derived anew.
    were = {loaded[claim_id].claim.package_id for claim_id in names}
    now_of = {spec.package_id for spec in specs.values() if spec is not None}
    lock_packages(connection, {*packages, *were, *now_of})
    linked = 0
    for claim_id, name in sorted(names.items()):
        spec = specs.get(name)
        if spec is None or not may_see(connection, loaded[claim_id].claim.owner_id, spec):
            continue
        stored = claims.load_claims(connection, [claim_id])[claim_id]
        claim = replace(stored.claim, spec_id=spec.id, package_id=spec.package_id)
        if claim.spec_id == stored.claim.spec_id and not claim.is_weak_spec:
            continue
        linked += claim.spec_id != stored.claim.spec_id
        rewrite(connection, stored, replace(stored, claim=claim), now)
    return linked
