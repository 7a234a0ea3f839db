"""Predictions against what happens: each case is built by gcc, and its programs are started."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from spackmon.abi.disk import DiskFiles, this_system
from spackmon.abi.many import Builds, Dependent
from spackmon.abi.reader.apart import ReaderApart
from spackmon.abi.splice import Prediction, Verdict, predict
from spackmon.abi.stored import UNKNOWN_SYSTEM
from spackmon.abi.trials import Packages
from tests.abi.cases import CASES
from tests.abi.splicing import Site, build, run
from tests.abi.stored import stored

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")


@pytest.fixture(scope="module")
def reader() -> Iterator[ReaderApart]:
    """One process reads for all cases."""
    with ReaderApart() as reader:
        yield reader


def _predicted(site: Site, reader: ReaderApart) -> Prediction:
    packages = Packages(
        (str(site.consumer),), (str(site.before),), str(site.after), tuple(map(str, site.others))
    )
    return predict(DiskFiles(reader), this_system(), packages)


def _assert_many_are_judged_as_one(site: Site) -> None:
    """Judged beside others of what is stored, each build gets the answer that it gets alone."""
    files = stored(site)
    others = tuple(map(str, site.others))
    today = Packages((str(site.consumer),), (str(site.before),), str(site.before), others)
    dependent = Dependent(Builds(files, UNKNOWN_SYSTEM), today)
    for prefix in map(str, (site.before, site.after)):
        alone = predict(files, UNKNOWN_SYSTEM, replace(today, replacement=prefix))
        found = dependent.with_build(prefix)
        for answer in ("verdict", "missing", "missing_libraries", "missing_versions", "undecided"):
            assert getattr(found, answer) == getattr(alone, answer), answer


@pytest.mark.parametrize("name", CASES)
def test_a_program_starts_as_predicted(name: str, tmp_path: Path, reader: ReaderApart) -> None:
    case = CASES[name]
    site = build(case, tmp_path)
    assert run(case, site, is_after=False).return_code == 0
    ran = run(case, site, is_after=True)
    prediction = _predicted(site, reader)
    _assert_many_are_judged_as_one(site)
    if case.is_unknown:
        assert prediction.verdict == Verdict.UNKNOWN
        return
    is_broken = ran.return_code != 0
    assert prediction.verdict == (Verdict.BREAKS if is_broken else Verdict.WORKS), (ran, prediction)
    if is_broken:
        # The loader says the first.
        names = {finding.symbol for finding in prediction.missing}
        names |= {finding.library for finding in prediction.missing_libraries}
        names |= {finding.version for finding in prediction.missing_versions}
        assert any(os.path.basename(name) in ran.said for name in names), (ran, prediction)
