"""What an import did, or would do, as a table of a few lines."""

from collections import Counter

from spackmon.cli.console import print_table
from spackmon.formats.submission import (
    ConcretizationFailureReport,
    InstallReport,
    SpecReport,
    Submission,
)
from spackmon.ingest.receipts import ConcretizationFailureReceipt, InstallReceipt, Receipt, SpecReceipt

_ROWS = ("specs", "builds", "phases", "events", "concretization failures")
_NEW, _COMPLETED, _KNOWN, _READ = "NEW", "COMPLETED", "KNOWN", "READ"
_BY_STATUS = {"created": _NEW, "changed": _COMPLETED, "known": _KNOWN}


class Summary:
    """Counts, by noun and by what became of it."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self.reports = 0

    def stored(self, receipt: Receipt) -> None:
        """A report went into the database."""
        self.reports += 1
        match receipt:
            case SpecReceipt():
                self._add("specs", _NEW if receipt.created else _KNOWN)
            case ConcretizationFailureReceipt():
                self._add("concretization failures", _NEW if receipt.created else _KNOWN)
            case InstallReceipt():
                what = _NEW if receipt.build_created else _COMPLETED if receipt.changed else _KNOWN
                self._add("builds", what)
                self._add("specs", _NEW, receipt.specs_created)
                self._add("phases", _NEW, receipt.phases_created)
                self._add("events", _NEW, receipt.events_created)

    def sent(self, report: Submission, status: str) -> None:
        """A server took a report and answered with a status."""
        self.reports += 1
        self._add(_noun(report), _BY_STATUS.get(status, _KNOWN))

    def read(self, report: Submission) -> None:
        """A report was read, and no more than that."""
        self.reports += 1
        self._add(_noun(report), _READ)
        if isinstance(report, InstallReport):
            self._add("phases", _READ, len(report.phases))
            self._add("events", _READ, len(report.events))

    def print(self, *, dry_run: bool = False) -> None:
        """Print the nouns that there are."""
        columns = (_READ,) if dry_run else (_NEW, _COMPLETED, _KNOWN)
        print_table(
            ("", *columns),
            (
                (noun, *(self._counts[noun, column] for column in columns))
                for noun in _ROWS
                if any(self._counts[noun, column] for column in columns)
            ),
        )

    def _add(self, noun: str, what: str, count: int = 1) -> None:
        self._counts[noun, what] += count


def _noun(report: Submission) -> str:
    match report:
        case SpecReport():
            return "specs"
        case ConcretizationFailureReport():
            return "concretization failures"
    return "builds"
