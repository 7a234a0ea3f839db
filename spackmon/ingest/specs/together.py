"""Which reports that follow each other can be written by the same statements.

A statement costs as much as the rows of several specs, and an index takes rows in its own order at half the
price.
"""

from collections.abc import Hashable, Iterable, Iterator
from itertools import groupby

from spackmon.ingest.tables.spec_claims import have_one_hash
from spackmon.submission import SpecReport, Submission

# What lies below specs is held in memory for all of them: 500 specs have 125,000 pairs at most, in a chain.
_MOST_SPECS_OF_ONE = 500
_MOST_SPECS = 5_000


def together(reports: Iterable[Submission]) -> Iterator[list[Submission]]:
    """The reports in their order; several at once are specs of one format and Spack, of one hash each."""
    for kind, following in groupby(reports, key=_kind):
        if kind is None:
            yield from ([report] for report in following)
        else:
            yield from _of_some_size(following)


def _kind(report: Submission) -> Hashable | None:
    if not isinstance(report, SpecReport) or len(report.graph.nodes) > _MOST_SPECS_OF_ONE:
        return None
    # Which specs documents of several hashes are about, may depend on all of them: they come one by one.
    if not have_one_hash(report.graph.nodes.values()):
        return None
    return report.graph.format_version, report.spack_version


def _of_some_size(reports: Iterable[Submission]) -> Iterator[list[Submission]]:
    some: list[Submission] = []
    specs = 0
    for report in reports:
        some.append(report)
        specs += len(report.graph.nodes) if isinstance(report, SpecReport) else 0
        if specs >= _MOST_SPECS:
            yield some
            some, specs = [], 0
    if some:
        yield some
