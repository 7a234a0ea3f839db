"""What ends before a build or within it: a failed fetch, `--until`, a recipe that cannot be imported."""

import os
import time
from pathlib import Path

import pytest

from tests.client.extension.spack import VARIANTS, Line, Spack, log_of, phases_of, recording

EVERY = pytest.mark.parametrize("variant", [*VARIANTS, "1.3-new"])


@EVERY
def test_a_failed_fetch_is_a_failed_phase_that_says_why(variant: str, tmp_path: Path) -> None:
    with recording() as server:
        assert Spack(tmp_path, variant, server.url)("monitor", "install", "unfetched")[0] == 1
    end = _end(server.of("unfetched"))
    (phase,) = end["phases"]
    assert (phase["name"], phase["status"]) == ("stage", "ERROR")
    assert (end["status"], end["installed_from"]) == ("FAILED", "SOURCE")
    texts = [log_of(phase, "output") or "", *(event["text"] for event in end.get("events", []))]
    assert any("All fetchers failed for spack-stage-unfetched" in text for text in texts)


@pytest.mark.parametrize("variant", ["0.23", "1.2-old"])
def test_a_log_that_an_earlier_run_left_in_the_stage_is_not_of_this_one(variant: str, tmp_path: Path) -> None:
    with recording() as server:
        spack = Spack(tmp_path, variant, server.url)
        (stage,) = _stages_after(spack, "unfetched")
        log = stage / "spack-build-out.txt"
        log.write_text("==> unfetched: Executing phase: 'install'\nof yesterday\n")
        yesterday = log.stat().st_mtime - 86400
        os.utime(log, (yesterday, yesterday))
        server.lines.clear()
        spack("monitor", "install", "unfetched", FAKE_KEEPS_STAGE="1")
    assert list(phases_of(server.lines)) == ["stage"]
    assert "yesterday" not in str(server.lines)


def test_what_until_stops_keeps_its_log_and_its_seconds(tmp_path: Path) -> None:
    with recording() as server:
        spack = Spack(tmp_path, "1.3-new", server.url)
        began_at = time.time()
        assert spack("monitor", "install", "--until", "build", "libgreet")[0] == 0
        seconds = time.time() - began_at
    end = _end(server.of("libgreet"))
    assert (end["status"], end["installed_from"]) == ("CANCELLED", "SOURCE")
    assert 0 < end["duration_seconds"] < seconds
    assert end["finished_at"] >= end["started_at"]
    phases = phases_of(server.of("libgreet"))
    assert {name: phase["status"] for name, phase in phases.items()} == {
        "stage": "SUCCESS", "edit": "SUCCESS", "build": "SUCCESS",
    }  # fmt: skip
    assert "compiling greet.c" in (log_of(phases["build"], "output") or "")
    assert [path for path in spack.spool.iterdir() if path.is_dir()] == []


@EVERY
@pytest.mark.parametrize("kind", ["typed", "of an environment"])
def test_a_recipe_that_cannot_be_imported_is_no_concretization_failure(
    kind: str, variant: str, tmp_path: Path
) -> None:
    with recording() as server:
        spack = Spack(tmp_path, variant, server.url)
        if kind == "typed":
            code, _, complaints = spack("monitor", "install", "unimportable")
        else:
            code, _, complaints = spack("monitor", "install", FAKE_ENVIRONMENT="demo-base unimportable")
    assert code == 1
    assert "cannot load package 'unimportable'" in complaints
    assert server.lines == []


def _end(lines: list[Line]) -> Line:
    return next(line for line in lines if line.get("status") not in (None, "RUNNING"))


def _stages_after(spack: Spack, package: str) -> list[Path]:
    spack("install", package)
    return list((spack.root / "stage").glob(f"spack-stage-{package}-*"))
