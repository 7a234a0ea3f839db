"""What an import did, or would do, as a table of a few lines."""

from collections import Counter

from spackmon.cli.console import print_table
from spackmon.ingest.receipts import (
    BillReceipt,
    BuildcacheReceipt,
    ConcretizationFailureReceipt,
    EnvironmentReceipt,
    InstallReceipt,
    Receipt,
    SpecReceipt,
)
from spackmon.submission import (
    BillReport,
    BuildcacheReport,
    ConcretizationFailureReport,
    EnvironmentReport,
    InstallReport,
    SpecReport,
    Submission,
)

_ROWS = (
    "specs", "builds", "phases", "events", "events not listed", "environments", "buildcaches",
    "bills of materials", "concretization failures",
)  # fmt: skip
_NEW, _COMPLETED, _KNOWN, _READ = "NEW", "COMPLETED", "KNOWN", "READ"
_OF_STORE = (_NEW, _COMPLETED, _KNOWN)
_COLUMNS = (*_OF_STORE, _READ)
_BY_STATUS = {"created": _NEW, "changed": _COMPLETED, "known": _KNOWN}


class Summary:
    """Counts: specs by their hashes, builds by their numbers or what their sources call them."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._specs: set[str] = set()
        self._specs_created = 0
        self._builds: dict[object, str] = {}
        self._is_stored = False
        self.reports = 0

    def stored(self, report: Submission, receipt: Receipt) -> None:
        """A report went into the database."""
        self._is_stored = True
        self._read_specs(report)
        match receipt:
            case SpecReceipt():
                self._specs_created += receipt.specs_created
            case ConcretizationFailureReceipt():
                self._add("concretization failures", _NEW if receipt.created else _KNOWN)
            case EnvironmentReceipt():
                self._add("environments", _NEW if receipt.created else _KNOWN)
            case BuildcacheReceipt():
                what = _NEW if receipt.created else _COMPLETED if receipt.changed else _KNOWN
                self._add("buildcaches", what)
            case BillReceipt():
                self._add("bills of materials", _NEW if receipt.changed else _KNOWN)
            case InstallReceipt():
                what = _NEW if receipt.build_created else _COMPLETED if receipt.changed else _KNOWN
                self._add_build(receipt.build_id, what)
                self._specs_created += receipt.specs_created
                self._add("phases", _NEW, receipt.phases_created)
                self._add("events", _NEW, receipt.events_created)
                self._add("events not listed", _NEW if receipt.changed else _KNOWN, receipt.events_unlisted)

    def sent(self, report: Submission, status: str) -> None:
        """A server took a report and answered with a status, which is that of the report as a whole."""
        self._read_specs(report)
        what = _BY_STATUS.get(status, _KNOWN)
        if isinstance(report, InstallReport):
            self._add_build(report.source, what)
        elif isinstance(report, EnvironmentReport):
            self._add("environments", what)
        elif isinstance(report, BuildcacheReport):
            self._add("buildcaches", what)
        elif isinstance(report, BillReport):
            self._add("bills of materials", _NEW if what == _COMPLETED else what)
        elif isinstance(report, ConcretizationFailureReport):
            self._add("concretization failures", what)

    def read(self, report: Submission) -> None:
        """A report was read, and no more than that."""
        self._read_specs(report)
        if isinstance(report, InstallReport):
            self._add_build(report.source, _READ)
            self._add("phases", _READ, len(report.phases))
            self._add("events", _READ, len(report.events))
        elif isinstance(report, EnvironmentReport):
            self._add("environments", _READ)
        elif isinstance(report, BuildcacheReport):
            self._add("buildcaches", _READ)
        elif isinstance(report, BillReport):
            self._add("bills of materials", _READ)
        elif isinstance(report, ConcretizationFailureReport):
            self._add("concretization failures", _READ)

    def print(self, *, dry_run: bool = False) -> None:
        """Print the nouns that there are."""
        counts = self._counts + Counter(("builds", what) for what in self._builds.values())
        if self._is_stored:
            counts["specs", _NEW] = self._specs_created
            counts["specs", _KNOWN] = max(0, len(self._specs) - self._specs_created)
        else:
            counts["specs", _READ] = len(self._specs)
        columns = (_READ,) if dry_run else _OF_STORE if self._is_stored else (*_OF_STORE, _READ)
        rows = [(noun, *(counts[noun, column] for column in columns)) for noun in _ROWS]
        print_table(("", *columns), [row for row in rows if any(row[1:])])

    def _read_specs(self, report: Submission) -> None:
        self.reports += 1
        if isinstance(report, SpecReport | InstallReport) and report.graph is not None:
            self._specs.update(report.graph.nodes)

    def _add_build(self, build: object, what: str) -> None:
        # One that came in by several reports is as new, or as changed, as the first made it.
        before = self._builds.get(build, what)
        self._builds[build] = min(before, what, key=_COLUMNS.index)

    def _add(self, noun: str, what: str, count: int = 1) -> None:
        self._counts[noun, what] += count
