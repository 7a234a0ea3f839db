"""Failed stages of both installers of 1.2, whole and damaged."""

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spackmon.errors import Refused
from spackmon.formats.installs.failed_stage import is_stage, is_stage_log, read_stage, read_stage_log
from spackmon.status import BuildStatus, SourceKind
from spackmon.submission import InstallReport
from tests.formats.installs import STAGE, STAGE_LOG, copied

HASH = "tabaer7znictybiq6r4nctz3zwwbpepv"


def report_of(stage: Path) -> InstallReport:
    (report,) = read_stage(stage)
    return report


def test_a_stage_tells_which_phase_failed() -> None:
    report = report_of(STAGE)
    assert report.status is BuildStatus.FAILED
    assert (report.package_name, report.spec_hash, report.graph) == ("broken-app", HASH, None)
    assert [(phase.name, phase.status) for phase in report.phases] == [
        ("autoreconf", "SUCCESS"),
        ("configure", "SUCCESS"),
        ("build", "ERROR"),
    ]
    logs = b"".join(phase.output or b"" for phase in report.phases)
    assert logs == (STAGE / "spack-build-out.txt").read_bytes()
    assert report.configure_arguments == (STAGE / "spack-configure-args.txt").read_text()
    assert report.source.kind is SourceKind.STAGE


def test_the_whole_environment_of_the_process_is_never_read(tmp_path: Path) -> None:
    stage = copied(STAGE, tmp_path)
    (stage / "spack-build-env.txt").write_text(
        "export AWS_SECRET=hunter2;\nCI_TOKEN=hunter2; export CI_TOKEN\n"
    )
    report = report_of(stage)
    assert report == report_of(STAGE) or report.finished_at != report_of(STAGE).finished_at
    assert "hunter2" not in repr(report)
    assert report.environment_variables is not None
    assert report.environment_variables["SPACK_CC"] == "/usr/bin/gcc"
    (stage / "spack-build-env-mods.txt").unlink()
    assert report_of(stage).environment_variables is None


def test_a_log_of_the_new_installer_is_a_failed_build() -> None:
    (report,) = read_stage_log(STAGE_LOG)
    assert report.status is BuildStatus.FAILED
    assert (report.package_name, report.spec_hash) == ("broken-app", HASH)
    assert (report.log, report.phases) == (STAGE_LOG.read_bytes(), ())


def test_a_stage_of_the_new_installer_that_links_to_its_log_tells_nothing_by_itself(tmp_path: Path) -> None:
    stage = tmp_path / STAGE.name
    stage.mkdir()
    (stage / "spack-build-out.txt").symlink_to(STAGE_LOG)
    assert list(read_stage(stage)) == []


def test_a_log_that_was_copied_into_its_stage_is_the_same_failure(tmp_path: Path) -> None:
    stage = tmp_path / STAGE.name
    stage.mkdir()
    (stage / "spack-build-out.txt").write_bytes(STAGE_LOG.read_bytes())
    (beside,) = read_stage_log(STAGE_LOG)
    assert report_of(stage).source == beside.source


def test_the_next_failure_of_the_same_spec_is_another(tmp_path: Path) -> None:
    stage = copied(STAGE, tmp_path)
    assert report_of(stage).source == report_of(STAGE).source
    for log in ("spack-build-03-build-out.txt", "spack-build-out.txt"):
        (stage / log).write_bytes((stage / log).read_bytes().replace(b"09:34:18.57", b"09:38:18.57"))
    assert report_of(stage).source != report_of(STAGE).source


def test_a_failure_ended_when_its_log_was_last_written_unless_that_is_a_copy(tmp_path: Path) -> None:
    stage = copied(STAGE, tmp_path)
    ended_at = datetime(2026, 11, 22, 8, 34, 19, tzinfo=UTC)  # an hour before the log's local time
    os.utime(stage / "spack-build-out.txt", (ended_at.timestamp(), ended_at.timestamp()))
    assert report_of(stage).finished_at == ended_at
    os.utime(stage / "spack-build-out.txt", (ended_at.timestamp() + 1e6, ended_at.timestamp() + 1e6))
    copied_later = report_of(stage)
    assert copied_later.finished_at == datetime(2026, 11, 22, 9, 34, 18, 572607, tzinfo=UTC)
    assert copied_later.time_uncertainty_seconds == 14 * 3600


@pytest.mark.parametrize(
    ("name", "is_directory", "is_log"),
    [
        (STAGE.name, True, False),
        (STAGE_LOG.name, False, True),
        ("spack-stage-zlib-1.3.1", False, False),
        (f"spack-stage-py-numpy-2.0-rc1-{HASH}", True, False),
        (f"spack-stage-{HASH}-jmowis9n.log", False, False),
        (f"zlib-1.3.1-{HASH}", False, False),
    ],
)
def test_stages_and_their_logs_are_known_by_their_names(name: str, is_directory: bool, is_log: bool) -> None:
    assert (is_stage(name), is_stage_log(name)) == (is_directory, is_log)


@given(st.data())
def test_a_mutilated_stage_gives_reports_and_refusals_only(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory:
        stage = copied(STAGE, Path(directory))
        for path in sorted(stage.iterdir()):
            content = path.read_bytes()
            at = data.draw(st.integers(0, len(content)))
            path.write_bytes(content[:at] + data.draw(st.binary(max_size=8)) + content[at + 3 :])
            if data.draw(st.booleans()):
                path.unlink()
        try:
            for report in read_stage(stage):
                assert report.status is BuildStatus.FAILED
        except Refused as refused:
            assert refused.sentence  # noqa: PT017 -- either outcome is right
