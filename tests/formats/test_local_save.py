"""What Spack 0.17 saved of a success and of a failure (tests/data/local-save)."""

import json
from pathlib import Path

import pytest

from spackmon.errors import Refused
from spackmon.formats import ms1
from spackmon.formats.local_save import SavedKind, SavedReport, read_saved

SAVED = Path(__file__).parent.parent / "data" / "local-save" / "0.17"
SUCCESS, FAILURE = sorted(SAVED.iterdir())


def phases(reports: list[SavedReport]) -> list[tuple[str, str]]:
    found = [report for report in reports if report.kind == SavedKind.PHASE]
    return [(str(report.build_name)[:4], report.body["phase_name"]) for report in found]


def test_phases_come_as_they_ran_also_those_that_printed_nothing():
    assert phases(list(read_saved(SUCCESS))) == [
        ("42fb", "edit"),
        ("42fb", "build"),
        ("42fb", "install"),
        ("14e0", "install"),
        ("5185", "autoreconf"),
        ("5185", "configure"),
        ("5185", "build"),
        ("5185", "install"),
        ("8ab9", "cmake"),
        ("8ab9", "build"),
        ("8ab9", "install"),
        ("9c03", "install"),
    ]


def test_specs_come_before_builds_before_phases_before_statuses_failures_last():
    reports = list(read_saved(FAILURE))
    order = [SavedKind.SPEC, SavedKind.BUILD, SavedKind.PHASE, SavedKind.STATUS]
    kinds = [report.kind for report in reports]
    assert kinds == sorted(kinds, key=order.index)
    statuses = [report.body["status"] for report in reports if report.kind == SavedKind.STATUS]
    assert statuses == ["SUCCESS", "SUCCESS", "FAILED"]


def test_what_was_saved_is_what_a_client_posts():
    readers = {
        SavedKind.SPEC: ms1.read_spec,
        SavedKind.BUILD: ms1.read_build,
        SavedKind.PHASE: ms1.read_phase,
        SavedKind.STATUS: ms1.read_status,
    }
    ids: dict[str | None, int] = {}
    for report in read_saved(FAILURE):
        if report.kind == SavedKind.BUILD:
            ids[report.build_name] = len(ids) + 1
        body = report.body
        if "build_id" in body:
            assert body["build_id"] == report.build_name
            body = {**body, "build_id": ids[report.build_name]}
        readers[report.kind](body)
    assert len(ids) == 4


def test_the_directory_above_several_runs_gives_one_after_the_other():
    both = [report.path for report in read_saved(SAVED)]
    assert both == [report.path for run in (SUCCESS, FAILURE) for report in read_saved(run)]


def test_a_long_log_is_posted_as_json_again(tmp_path):
    output = "‘x’\n" * 100_000
    phase = {"build_id": "a", "status": "SUCCESS", "output": output, "phase_name": "build"}
    (tmp_path / "build-metadata-a.json").write_text("{}")
    (tmp_path / "build-a-phase-build.json").write_text(json.dumps(phase))
    assert [json.loads(json.dumps(report.body)) for report in read_saved(tmp_path)] == [{}, phase]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "it holds nothing that spack install --monitor-save-local writes"),
        ({"build-a-status.json": "{}"}, r"build-metadata-a\.json is missing beside it"),
        ({"build-metadata-a.json": "{"}, r"build-metadata-a\.json cannot be read: the body must be"),
        ({"build-metadata-a.json/x": ""}, "Is a directory"),
    ],
)
def test_a_directory_that_cannot_be_read_is_refused_with_the_file(tmp_path, files, sentence):
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    with pytest.raises(Refused, match=sentence):
        list(read_saved(tmp_path))


def test_no_directory_is_refused(tmp_path):
    with pytest.raises(Refused, match="No such file or directory"):
        list(read_saved(tmp_path / "nowhere"))
