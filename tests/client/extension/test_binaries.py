"""Installed is not built: of a binary from a cache nothing is reported that another build did."""

import json
import os
from pathlib import Path

import pytest

from tests.client.extension.spack import VARIANTS, Spack, phases_of, recording

BINARIES = pytest.mark.parametrize("variant", [*VARIANTS, "1.3-new"])
OF_A_BUILD = {"phases", "log", "log_base64", "configure_arguments", "environment_variables"}


@BINARIES
def test_a_binary_from_a_cache_says_so_and_brings_nothing_of_the_build_that_made_it(
    variant: str, tmp_path: Path
) -> None:
    with recording() as server:
        built, unpacked = _built_and_unpacking(tmp_path, variant, server.url)
        built("monitor", "install", "libgreet")
        (source,) = [line for line in server.lines if line.get("status") == "SUCCESS"]
        server.lines.clear()
        assert unpacked("monitor", "install", "--cache-only", "libgreet")[0] == 0
    assert source["installed_from"] == "SOURCE"
    begin, end = server.lines
    assert (begin["status"], end["status"], end["installed_from"]) == ("RUNNING", "SUCCESS", "BUILD_CACHE")
    assert not OF_A_BUILD & (set(begin) | set(end))
    assert end["environment"]["hostname"] == "build-host-1"
    assert _is_below(end["prefix"], unpacked)
    assert {path for path in end["install_files"] if not _is_below(path, unpacked)} == set()
    assert len(end["install_files"]) == len(source["install_files"])


@BINARIES
@pytest.mark.parametrize("command", ["push", "analyze"])
def test_what_was_unpacked_is_pushed_as_what_it_is_and_is_no_other_prefix(
    command: str, variant: str, tmp_path: Path
) -> None:
    with recording() as server:
        built, unpacked = _built_and_unpacking(tmp_path, variant, server.url)
        built("install", "libgreet")
        unpacked("install", "libgreet")
        for spack in (built, unpacked):
            assert spack("monitor", command, "libgreet")[0] == 0
    source, binary = server.lines
    assert [line["installed_from"] for line in server.lines] == ["SOURCE", "BUILD_CACHE"]
    assert not (OF_A_BUILD | {"environment", "spack_version"}) & set(binary)
    # The old installer measures the unpacking.
    assert binary.get("duration_seconds") in (None, 0.25)
    assert binary["source"]["key"].startswith(f"{binary['prefix']}#")
    assert binary["source"] != source["source"]


@BINARIES
def test_a_binary_that_no_cache_has_is_a_failed_fetch(variant: str, tmp_path: Path) -> None:
    with recording() as server:
        spack = Spack(tmp_path, variant, server.url)
        # What this leaves in the stage is not of the next run.
        spack("install", "broken-app")
        spack.environment = {"FAKE_MIRROR": str(tmp_path / "empty")}
        _age(tmp_path / "stage")
        assert spack("monitor", "install", "--cache-only", "broken-app")[0] == 1
    end = next(line for line in server.of("broken-app") if line.get("status") == "FAILED")
    assert end["installed_from"] == "BUILD_CACHE"
    (phase,) = end["phases"]
    assert (phase["name"], phase["status"]) == ("fetch", "ERROR")
    assert "o binary" in json.dumps([phase, end.get("events")])
    assert "nmae" not in json.dumps(server.lines)


def test_a_build_whose_installer_is_not_known_is_told_from_a_binary_by_what_it_left(tmp_path: Path) -> None:
    with recording() as server:
        built, unpacked = _built_and_unpacking(tmp_path, "1.2-new", server.url)
        built("install", "libgreet")
        unpacked("monitor", "install", "libgreet", FAKE_UNKNOWN="installer")
    (end,) = server.lines
    assert (end["status"], end["installed_from"]) == ("SUCCESS", "BUILD_CACHE")
    assert not phases_of([end])


def _built_and_unpacking(root: Path, variant: str, url: str) -> tuple[Spack, Spack]:
    """Two Spacks; what the first has installed is the second one's build cache."""
    for name in ("built", "unpacked"):
        (root / name).mkdir()
    built, unpacking = (Spack(root / name, variant, url) for name in ("built", "unpacked"))
    unpacking.environment = {"FAKE_MIRROR": str(built.root / "opt")}
    return built, unpacking


def _is_below(path: str, spack: Spack) -> bool:
    return path.startswith(f"{spack.root}/")


def _age(directory: Path) -> None:
    """Make all files there an hour older."""
    for path in directory.rglob("*"):
        if path.is_file():
            written = path.stat().st_mtime - 3600
            os.utime(path, (written, written))
