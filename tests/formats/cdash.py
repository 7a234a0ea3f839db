"""A report that a CDash document makes, read without a server."""

from spackmon.formats.reports.cdash import Address, read_cdash
from spackmon.submission import InstallReport
from tests.uploads import SPACK, document

AT = Address(project="demo")


def read(part: str, build: str = "nightly", generator: str = SPACK) -> InstallReport:
    """What a document with this part in Spack's frame reports."""
    report = read_cdash(document(part, build, generator), AT)
    assert isinstance(report, InstallReport)
    return report
