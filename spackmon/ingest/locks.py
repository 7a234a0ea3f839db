"""Rows that a transaction locks, always in the order of their ids.

What many transactions share is locked in one order, too: all graphs, the revision of specs, what specs are
made of, contents (logs, sets of variables, manifests, ELF files, lines around events), groups of errors,
packages, environments, sets of tags (of a claim before that of its run, which has no fewer), arguments of
configure. Two that took them otherwise would wait for each other. What hangs on a package (claims, runs,
builds) is of whoever locked that. Who owns all graphs is alone: one that writes many reports, and one that
changes a known graph.
"""

from collections.abc import Iterable

from sqlalchemy import Connection

from spackmon.ingest.rows import Statement, over_rows

# Eight clients that sent the same 60 lines in eight orders undid each other until seven had to give up. The
# number is any that no other program takes in this database.
_TURN = Statement("SELECT 1 {lock}", lock=", pg_advisory_xact_lock(7311450829166301)")

# Whoever writes what follows from a graph (specs above known ones, builds) must not meet somebody who changes
# that graph: each would compute without what the other is about to commit. So many may write beside each
# other as long as none changes a known graph; who does, does it alone. It is a transaction's first lock.
_SHARE_GRAPHS = Statement("SELECT 1 {lock}", lock=", pg_advisory_xact_lock_shared(7311450829166302)")
_OWN_GRAPHS = Statement("SELECT 1 {lock}", lock=", pg_advisory_xact_lock(7311450829166302)")

_PACKAGES = over_rows(
    "id bigint",
    "SELECT p.id FROM package p WHERE p.id IN (SELECT i.id FROM {input} i) ORDER BY p.id {lock}",
    lock="FOR NO KEY UPDATE OF p",
)


def take_turn(connection: Connection) -> None:
    """Wait for whoever else writes many reports in one transaction, before anything else is locked.

    Any of the reports may change a known graph, and what the others lock may be what such a writer waits for.
    """
    _TURN.run(connection)
    own_graphs(connection)


def share_graphs(connection: Connection) -> None:
    """Lock all graphs against changes until the transaction ends; others may share the lock."""
    _SHARE_GRAPHS.run(connection)


def own_graphs(connection: Connection) -> None:
    """Lock all graphs for this transaction alone, once nobody else writes what follows from them."""
    _OWN_GRAPHS.run(connection)


def lock_packages(connection: Connection, package_ids: Iterable[int | None]) -> None:
    """Lock packages: who looks for the build that a report is about looks at all builds of a package."""
    _PACKAGES.run(connection, sorted({(package_id,) for package_id in package_ids if package_id is not None}))
