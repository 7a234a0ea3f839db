"""Claims that named a spec which was not known, and becomes known."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from spackmon.formats.submission import SpecReport
from spackmon.ingest import claims
from spackmon.ingest.locks import lock_packages
from spackmon.ingest.receipts import SpecReceipt
from spackmon.ingest.resolution import rewrite
from spackmon.ingest.specs import find_spec, store_graph


def apply_spec(connection: Connection, report: SpecReport, now: datetime) -> SpecReceipt:
    """Store a graph; one that is known to the last document costs one statement."""
    stored = store_graph(connection, report.graph, report.spack_version, keeps_graphs=False)
    link_waiting(connection, stored.waiting, (), now)
    root = report.graph.nodes[report.graph.root]
    return SpecReceipt(
        stored.spec_id, stored.created, root.hash, root.hash_kind, root.name, root.version,
        stored.created_count,
    )  # fmt: skip


def link_waiting(
    connection: Connection, waiting: Sequence[tuple[int, str]], packages: Iterable[int | None], now: datetime
) -> None:
    """Lock packages, and give their spec to the claims that waited for it, given with its hash."""
    specs = {spec_hash: find_spec(connection, spec_hash) for _, spec_hash in waiting}
    lock_packages(connection, {*packages, *(spec.package_id for spec in specs.values() if spec is not None)})
    stored = claims.load_claims(connection, [claim_id for claim_id, _ in waiting])
    for claim_id, spec_hash in waiting:
        spec, claim = specs[spec_hash], stored[claim_id].claim
        if spec is None or claim.spec_id is not None:
            continue
        linked = replace(claim, spec_id=spec.id, package_id=spec.package_id, spec_hash=None)
        rewrite(connection, stored[claim_id], replace(stored[claim_id], claim=linked), now)
