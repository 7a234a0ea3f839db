"""In CI a skipped test is a failed one: a check that could not run has proved nothing.

At a desk a missing browser or database costs its own tests and no more.
"""

import os
from collections.abc import Generator

import pytest


def _refuse(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get("CI") != "true" or not report.skipped or hasattr(report, "wasxfail"):
        return
    report.outcome = "failed"
    where_and_why = report.longrepr
    reason = where_and_why[2] if isinstance(where_and_why, tuple) else where_and_why
    report.longrepr = f"CI skips nothing, and this could not run: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse(report)
    return report
