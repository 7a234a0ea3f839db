"""What Spack 0.17 saved of a success and of a failure (tests/data/local-save)."""

from pathlib import Path

import pytest

from spackmon.errors import Refused
from spackmon.formats.installs.local_save import saved_runs
from spackmon.formats.installs.local_save_install import read_saved_run
from spackmon.submission import InstallReport

SAVED = Path(__file__).parent.parent / "data" / "local-save" / "0.17"
SUCCESS, FAILURE = sorted(SAVED.iterdir())


def test_phases_come_as_they_ran_also_those_that_printed_nothing() -> None:
    installs = [report for report in read_saved_run(SUCCESS) if isinstance(report, InstallReport)]
    assert sorted([phase.name for phase in install.phases] for install in installs) == [
        ["autoreconf", "configure", "build", "install"],
        ["cmake", "build", "install"],
        ["edit", "build", "install"],
        ["install"],
        ["install"],
    ]


def test_a_directory_is_a_run_or_has_several() -> None:
    assert saved_runs(SUCCESS) == [SUCCESS]
    assert saved_runs(SAVED) == [SUCCESS, FAILURE]


def test_a_directory_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="it holds nothing that spack install --monitor-save-local writes"):
        saved_runs(tmp_path)
    with pytest.raises(Refused, match="No such file or directory"):
        saved_runs(tmp_path / "nowhere")


def test_a_build_without_its_metadata_is_named(tmp_path: Path) -> None:
    (tmp_path / "build-a-status.json").write_text('{"status": "SUCCESS"}')
    with pytest.raises(Refused, match=r"build-metadata-a\.json is missing"):
        list(read_saved_run(tmp_path))
