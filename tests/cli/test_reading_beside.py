"""What another process reads is what this one would have read, whatever becomes of that process."""

import os
import subprocess
import tarfile
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from spackmon.cli import reading_beside
from spackmon.cli.reading_beside import reading
from spackmon.client.reading import Read, read_paths
from spackmon.errors import Code, Refused
from spackmon.submission import BuildcacheReport
from tests.cli.command import EXAMPLES

DATA = Path(__file__).parents[1] / "data"
NEVER = datetime.fromtimestamp(0, UTC)


@pytest.fixture(autouse=True)
def much(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever there is to read is much, and all but one that was read have to wait."""
    monkeypatch.setattr(reading_beside, "_MUCH_BYTES", 0)
    monkeypatch.setattr(reading_beside, "_MOST_WAITING_BYTES", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)


def _beside(*paths: Path) -> Generator[Read]:
    with reading([str(path) for path in paths], "0.17.0", ("a tag",), beside=True) as found:
        yield from found


def _comparable(reads: Iterator[Read]) -> list[Any]:
    """Refusals are equal by what they say, buildcaches whenever they were read."""
    return [replace(read, report=_words(read.report)) for read in reads]


def _words(report: Any) -> Any:
    if isinstance(report, BuildcacheReport):
        return replace(report, read_at=NEVER)
    return (vars(report), str(report)) if isinstance(report, Refused) else report


def test_another_process_reads_the_same(tmp_path: Path) -> None:
    archive = tmp_path / "builds.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(EXAMPLES / "builds", "builds")
    damaged = tmp_path / "damaged.spec.json"
    damaged.write_text('{"spec": {"nodes": [')
    paths = [DATA / "installs", DATA / "formats", DATA / "junit", archive, damaged, tmp_path / "absent"]
    expected = _comparable(read_paths([str(path) for path in paths], "0.17.0", ("a tag",)))
    assert len(expected) > 100
    assert _comparable(_beside(*paths)) == expected


def test_one_who_reads_and_ends_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_beside.sys, "executable", "/bin/false")
    (last,) = _beside(DATA / "junit")
    assert isinstance(last.report, Refused)
    assert last.report.code == Code.IMPORT_INTERRUPTED


def test_who_wants_no_more_ends_the_other_process(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    def start(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(popen(*arguments, **options))
        return started[0]

    popen = subprocess.Popen
    monkeypatch.setattr(reading_beside.subprocess, "Popen", start)
    with closing(_beside(DATA / "installs")) as found:
        next(found)
    assert started[0].returncode is not None
