"""`spack monitor install` in fakes of four Spacks: what is reported, when, and that nobody notices."""

import json
import os
import re
import runpy
import signal
import time
from pathlib import Path

import pytest

from spackmon.formats.reports.report_json import read
from spackmon.submission import InstallReport
from tests.client.extension.spack import (
    EXTENSION,
    TOKEN,
    VARIANTS,
    Line,
    Spack,
    log_of,
    phases_of,
    recording,
)
from tests.waiting import GIVE_UP_SECONDS, until

VISIBLE = pytest.mark.parametrize("variant", VARIANTS)


@VISIBLE
def test_every_package_is_reported_as_it_starts_and_ends(variant: str, tmp_path: Path) -> None:
    with recording() as server:
        code, _, _ = Spack(tmp_path, variant, server.url)(
            "monitor", "install", "--monitor-tags", "a, b", "broken-user"
        )
    assert code == 1
    assert {line.get("package") for line in server.lines} - {None} == {
        "libgreet", "demo-base", "broken-app", "broken-user",
    }  # fmt: skip
    libgreet = server.of("libgreet")
    assert _statuses(libgreet) == ["RUNNING", "SUCCESS"]
    running = next(line for line in libgreet if line.get("status") == "RUNNING")
    assert running["environment"] == {
        "hostname": "build-host-1", "platform": "linux", "host_os": "debian12",
        "host_target": "x86_64_v4", "kernel_version": "#1 SMP",
    }  # fmt: skip
    assert running["tags"] == ["a", "b"]
    assert running["spack_revision"] == "9cf66332df3dd988248617fc93400045be59ebab"
    (report,) = read(running)
    assert isinstance(report, InstallReport)
    assert report.graph is not None
    assert report.graph.root == running["spec_hash"]
    assert report.spack_version == variant.partition("-")[0] + ".0"
    assert server.authorizations == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("variables", "job"),
    [
        ({"CI_PIPELINE_ID": "1"}, None),
        ({"CI_SERVER_URL": "https://g", "CI_PROJECT_PATH": "a/b", "CI_PIPELINE_ID": "1", "CI_JOB_ID": "",
          "SPACK_CI_STACK_NAME": "None"},
         {"provider": "GITLAB", "project": "https://g/a/b", "pipeline_id": "1"}),
        ({"GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ID": "7", "GITHUB_JOB": "build", "GITHUB_REF_NAME": "main",
          "GITHUB_SHA": "abc", "SPACK_CI_STACK_NAME": "e4s"},
         {"provider": "GITHUB", "project": "https://github.com/a/b", "pipeline_id": "7", "ref": "main",
          "commit": "abc", "pipeline_url": "https://github.com/a/b/actions/runs/7", "job_id": "build",
          "job_name": "build", "stack": "e4s"}),
    ],
)  # fmt: skip
def test_a_job_of_a_ci_system_is_known_by_its_variables(
    variables: dict[str, str], job: dict[str, str] | None
) -> None:
    assert runpy.run_path(str(EXTENSION / "monitor" / "ci.py"))["job_of"](variables) == job


@VISIBLE
def test_phases_come_with_their_logs_and_seconds(variant: str, tmp_path: Path) -> None:
    with recording() as server:
        began_at = time.time()
        Spack(tmp_path, variant, server.url)("monitor", "install", "libgreet")
        seconds = time.time() - began_at
    phases = phases_of(server.of("libgreet"))
    assert [name for name in phases if name not in ("stage", "post-install")] == ["edit", "build", "install"]
    assert all(phase["status"] == "SUCCESS" for phase in phases.values())
    assert 0 < sum(phases[name]["duration_seconds"] for name in ("edit", "build", "install")) < seconds
    assert _output(phases, "build").endswith("compiling greet.c\n")
    assert _output(phases, "install").endswith("copying libgreet\n")
    assert "copying" not in _output(phases, "build")


def test_a_phase_that_the_new_installer_names_in_its_log_begins_with_that_line(tmp_path: Path) -> None:
    with recording() as server:
        Spack(tmp_path, "1.2-new", server.url)("monitor", "install", "libgreet", FAKE_PHASE_LINES="1")
    phases = phases_of(server.of("libgreet"))
    assert {name: _output(phases, name) for name in phases} == {
        "stage": "==> No patches needed for libgreet\n",
        "edit": "==> libgreet: Executing phase: 'edit'\n",
        "build": "==> libgreet: Executing phase: 'build'\ncompiling greet.c\n",
        "install": "==> libgreet: Executing phase: 'install'\ncopying libgreet\n",
    }


@VISIBLE
def test_a_failure_says_where_and_how_and_cancels_what_depends_on_it(variant: str, tmp_path: Path) -> None:
    with recording() as server:
        Spack(tmp_path, variant, server.url)("monitor", "install", "broken-user")
    failed = server.of("broken-app")
    assert _statuses(failed) == ["RUNNING", "FAILED"]
    phases = phases_of(failed)
    ran = {name: phase["status"] for name, phase in phases.items() if name != "stage"}
    assert ran == {"autoreconf": "SUCCESS", "configure": "SUCCESS", "build": "ERROR"}
    assert "no member named nmae" in _output(phases, "build")
    assert "duration_seconds" in phases["build"]
    told = json.dumps(failed)
    assert "exited with status 2" in told
    (skipped,) = server.of("broken-user")
    assert skipped["status"] == "CANCELLED"
    (report,) = read(skipped)
    assert isinstance(report, InstallReport)
    assert report.graph is not None
    assert _statuses(server.of("demo-base")) == ["RUNNING", "SUCCESS"]


@pytest.mark.parametrize("variant", ["1.2-old", "1.2-new"])
def test_phases_say_what_they_needed_as_far_as_the_system_can_tell(variant: str, tmp_path: Path) -> None:
    with recording() as server:
        Spack(tmp_path, variant, server.url)("monitor", "install", "hungry")
    phases = phases_of(server.of("hungry"))
    del phases["stage"]
    mebibytes = {name: phase.get("peak_memory_bytes", 0) >> 20 for name, phase in phases.items()}
    assert 150 <= mebibytes["build"] < 200 <= mebibytes["install"] < 250
    assert mebibytes["check"] == 0 < mebibytes["edit"] < 100
    assert phases["install"]["status"] == "ERROR"
    assert all(0 < phase["cpu_seconds"] < 60 for phase in phases.values())


@pytest.mark.parametrize("variant", ["0.23", "1.2-old"])
def test_the_old_installers_changes_of_the_environment_are_reported_and_nothing_else_of_it(
    variant: str, tmp_path: Path
) -> None:
    with recording() as server:
        Spack(tmp_path, variant, server.url)("monitor", "install", "broken-user")
    for package in ("libgreet", "broken-app"):
        (end,) = [line for line in server.of(package) if "configure_arguments" in line]
        assert end["environment_variables"] == {"CC": "/usr/bin/gcc", "FLAGS": "-O2 -g"}
        assert end["configure_arguments"] == "--enable-demo"
    assert "hunter2" not in json.dumps(server.lines)


@VISIBLE
def test_what_is_installed_already_or_external_is_no_build(variant: str, tmp_path: Path) -> None:
    with recording() as server:
        spack = Spack(tmp_path, variant, server.url)
        spack("monitor", "install", "libgreet")
        server.lines.clear()
        code, _, _ = spack("monitor", "install", "libgreet", "demo-base")
    assert code == 0
    assert {line.get("package") for line in server.lines} - {None} == {"demo-base"}


@VISIBLE
@pytest.mark.parametrize("is_fast", [False, True], ids=["best-effort", "fail-fast"])
def test_nobody_notices(variant: str, is_fast: bool, tmp_path: Path) -> None:
    """Exit status, output and what is left on the disk are those of `spack install`, traceback and all."""
    words = ["install", "broken-user", *(["--fail-fast"] if is_fast else [])]
    with recording() as server:
        seen = []
        for name, monitor in (("plain", []), ("watched", ["monitor"])):
            spack = Spack(tmp_path / name, variant, server.url)
            spack.root.mkdir()
            code, output, complaints = spack(*monitor, *words)
            left = sorted(path for path in os.listdir(spack.root) if path != "home")
            logs = [path.read_text() for path in sorted(spack.root.glob("stage/**/*broken-app*/*out.txt"))]
            told = "\n".join([output, complaints, *logs]).replace(str(spack.root), "ROOT")
            seen.append((code, sorted(_without_names(told).splitlines()), left))
    assert seen[0] == seen[1]


def test_builds_that_are_not_forked_are_told_by_the_states_of_the_new_installer(tmp_path: Path) -> None:
    with recording() as server:
        spack = Spack(tmp_path, "1.2-new", server.url, environment={"FAKE_START_METHOD": "spawn"})
        spack("monitor", "install", "broken-user")
    assert _statuses(server.of("broken-app")) == ["RUNNING", "FAILED"]
    phases = phases_of(server.of("broken-app"))
    assert {name: phase["status"] for name, phase in phases.items()} == {
        "autoreconf": "SUCCESS", "configure": "SUCCESS", "build": "ERROR",
    }  # fmt: skip
    (failed,) = [line for line in server.of("broken-app") if line.get("status") == "FAILED"]
    assert "no member named nmae" in (log_of(failed, "log") or "")
    assert list(phases_of(server.of("libgreet"))) == ["edit", "build", "install"]


@pytest.mark.parametrize("variant", ["0.23", "1.2-old"])
def test_builds_that_are_not_forked_are_told_by_what_the_old_installer_leaves(
    variant: str, tmp_path: Path
) -> None:
    with recording() as server:
        spack = Spack(tmp_path, variant, server.url, environment={"FAKE_START_METHOD": "spawn"})
        spack("monitor", "install", "broken-user")
    assert "compiling" in _output(phases_of(server.of("libgreet")), "build")
    assert phases_of(server.of("broken-app"))["build"]["status"] == "ERROR"


@VISIBLE
def test_a_concretization_failure_is_reported(variant: str, tmp_path: Path) -> None:
    with recording() as server:
        code, _, complaints = Spack(tmp_path, variant, server.url)("monitor", "install", "libgreet@99")
    assert code == 1
    assert "Cannot satisfy" in complaints
    (line,) = server.lines
    assert line == {
        "type": "concretization_failure", "spec": "libgreet@99", "package": "libgreet",
        "message": "Cannot satisfy 'libgreet@99'", "spack_version": line["spack_version"],
    }  # fmt: skip
    assert list(read(line))


@VISIBLE
def test_a_concretization_failure_of_an_environment_is_reported(variant: str, tmp_path: Path) -> None:
    with recording() as server:
        spack = Spack(tmp_path, variant, server.url)
        code, _, _ = spack("monitor", "install", FAKE_ENVIRONMENT="demo-base libgreet@99")
    assert code == 1
    (line,) = server.lines
    assert (line["type"], line["spec"]) == ("concretization_failure", "demo-base libgreet@99")
    assert line["message"] == "Cannot satisfy 'libgreet@99'"


def test_a_spack_that_hands_a_context_to_its_commands_gets_it_back(tmp_path: Path) -> None:
    with recording() as server:
        spack = Spack(tmp_path, "1.2-new", server.url, environment={"FAKE_CONTEXT": "1"})
        assert spack("monitor", "install", "libgreet")[0] == 0
        assert spack("monitor", "install", "libgreet@99")[0] == 1
        assert spack("monitor", "push", "libgreet")[0] == 0
    assert _statuses(server.lines) == ["RUNNING", "SUCCESS", "SUCCESS"]
    assert [line["spec"] for line in server.lines if line["type"] != "install"] == ["libgreet@99"]


def test_an_environment_is_installed_as_a_whole(tmp_path: Path) -> None:
    with recording() as server:
        spack = Spack(tmp_path, "1.2-new", server.url)
        code, _, _ = spack("monitor", "install", FAKE_ENVIRONMENT="libgreet demo-base")
    assert code == 0
    assert {line.get("package") for line in server.lines} - {None} == {"libgreet", "demo-base"}


@pytest.mark.parametrize("variant", ["1.2-old", "1.2-new"])
def test_the_log_of_a_phase_comes_while_it_runs_and_whole_at_its_end(variant: str, tmp_path: Path) -> None:
    with recording() as server:
        spack = Spack(tmp_path, variant, server.url, environment={"SPACKMON_LOG_SECONDS": "0"})
        process = spack.start("monitor", "install", "slow")
        until(lambda: "building\\n" in json.dumps(server.lines), "a part of the log")
        running = phases_of(server.of("slow"))["build"]
        (tmp_path / "go").touch()
        assert process.wait(GIVE_UP_SECONDS) == 0
    parts = [
        phase for line in server.of("slow") for phase in line.get("phases", ()) if phase["name"] == "build"
    ]
    assert (running["status"], parts[-1]["status"]) == ("RUNNING", "SUCCESS")
    assert log_of(parts[-1], "output") == log_of(running, "output")
    assert "installed" not in json.dumps(parts)


@VISIBLE
def test_ctrl_c_cancels_what_was_not_done(variant: str, tmp_path: Path) -> None:
    with recording() as server:
        process = Spack(tmp_path, variant, server.url).start("monitor", "install", "slow")
        _wait_for(tmp_path / "building")
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=GIVE_UP_SECONDS)
        server.wait_for(2)
        until(lambda: _statuses(server.lines)[-1:] == ["CANCELLED"])
    assert process.returncode != 0
    assert _statuses(server.of("slow")) == ["RUNNING", "CANCELLED"]


@VISIBLE
def test_of_an_installer_that_is_not_known_what_it_left_is_reported(variant: str, tmp_path: Path) -> None:
    with recording() as server:
        spack = Spack(tmp_path, variant, server.url, environment={"FAKE_UNKNOWN": "installer"})
        code, _, complaints = spack("monitor", "install", "broken-user")
    assert code == 1
    assert "Traceback" not in complaints
    assert _statuses(server.of("libgreet")) == ["SUCCESS"]
    assert "compiling greet.c" in json.dumps(server.of("libgreet"))
    if not variant.endswith("-new"):
        assert _statuses(server.of("broken-app")) == ["FAILED"]
    assert not server.of("broken-user")


@pytest.mark.parametrize("variant", ["0.23", "1.2-old"])
def test_of_tasks_that_are_not_heard_of_what_they_left_is_reported(variant: str, tmp_path: Path) -> None:
    with recording() as server:
        spack = Spack(tmp_path, variant, server.url, environment={"FAKE_UNKNOWN": "tasks"})
        code, _, _ = spack("monitor", "install", "broken-user")
    assert code == 1
    assert _statuses(server.of("libgreet")) == ["RUNNING", "SUCCESS"]
    assert _statuses(server.of("broken-app")) == ["RUNNING", "FAILED"]
    assert "no member named nmae" in _output(phases_of(server.of("broken-app")), "build")
    assert not server.of("broken-user")


def test_a_log_is_sent_while_the_build_goes_on(tmp_path: Path) -> None:
    with recording() as server:
        process = Spack(tmp_path, "1.2-new", server.url).start("monitor", "install", "slow")
        _wait_for(tmp_path / "building")
        server.wait_for(2)
        assert "No patches needed" in _output(phases_of(server.lines), "stage")
        (tmp_path / "go").touch()
        process.communicate(timeout=GIVE_UP_SECONDS)
    assert _statuses(server.of("slow")) == ["RUNNING", "SUCCESS"]


def _statuses(lines: list[Line]) -> list[str]:
    return [line["status"] for line in lines if "status" in line]


def _output(phases: dict[str, Line], name: str) -> str:
    return log_of(phases[name], "output") or ""


def _without_names(text: str) -> str:
    """Text in which names of temporary files are the same each time."""
    return re.sub(r"-\w{8}\.log", ".log", text)


def _wait_for(path: Path) -> None:
    until(path.exists, path.name)
