"""Whole install trees: what Spack puts there for itself is passed over, what it says of failures is read."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from spackmon.status import BuildStatus, InstalledFrom, SourceKind
from spackmon.submission import InstallReport
from tests.formats.corpus import documents, elements
from tests.formats.installs import LIBGREET, STAGE, copied
from tests.formats.test_tree_walk import taken

SBANG = "#!/bin/sh\nexec sh -c 'echo Spack'\n"
LOG = (
    b"==> Executing phase: 'cmake'\n-- ok\n"
    b"==> Executing phase: 'build'\nmake: *** [all] Error 2\n"
)  # fmt: skip


def tree_of(directory: Path) -> Path:
    """An install tree with an environment beside it, as Spack leaves them."""
    tree = directory / "opt"
    (tree / "linux").mkdir(parents=True)
    copied(LIBGREET, tree / "linux")
    for name, text in {
        "bin/sbang": SBANG,
        ".spack-db/lock": "",
        ".spack-db/prefix_lock": "",
        ".spack-db/prefix_failures": "",
        ".spack-db/index_verifier": "6a1f",
        ".spack-db/index.json": json.dumps({"database": {"version": "8", "installs": {}}}),
        "linux/broken-1.0-abc/share/package.json": '{"name": 1',
        "linux/broken-1.0-abc/bin/tool": "#!/bin/sh\n",
        "env/spack.yaml": "spack:\n  specs: [zlib]\n",
        "env/.spack-env/repos/builtin/packages/zlib/package.py": "class Zlib: pass\n",
        "env/.spack-env/transaction_lock": "",
        ".lock": "",
    }.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    return tree


def with_marks(tree: Path) -> list[Any]:
    """Marks of a package that broke and of one that depends on it, from the smallest graph of a 0.23."""
    found = [elements(document) for document in documents("nodes-v4-0.23")]
    nodes = min((nodes for nodes in found if len(nodes) >= 3), key=len)
    marks = tree / ".spack-db" / "failures"
    marks.mkdir(parents=True)
    broken = next(node for node in reversed(nodes) if node is not nodes[0] and "dependencies" not in node)
    for root in (nodes[0], broken):
        below = [root, *(node for node in nodes if node is not root)] if root is nodes[0] else [root]
        mark = marks / f"{root['name']}-{root['hash']}"
        mark.write_text(json.dumps({"spec": {"_meta": {"version": 4}, "nodes": below}}))
        os.utime(mark, (1_795_000_000, 1_795_000_000))
    return [nodes[0], broken]


def test_nothing_is_said_of_what_spack_puts_into_its_trees(tmp_path: Path) -> None:
    submissions, refused = taken(tree_of(tmp_path))
    assert refused == {}
    assert [type(submission) for submission in submissions] == [InstallReport]


def test_a_file_that_is_named_says_what_it_is_not(tmp_path: Path) -> None:
    tree = tree_of(tmp_path)
    for name in ("bin/sbang", "env/spack.yaml"):
        _, refused = taken(tree / name)
        assert [sentence[:16] for sentence in refused.values()] == ["DOCUMENT_UNKNOWN"]


def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    tree = tree_of(tmp_path)
    (tree / ".spack-db" / "index.json").write_text('{"database": ')
    _, refused = taken(tree)
    assert list(refused) == [str(tree / ".spack-db" / "index.json")]


def test_marks_are_failures_of_what_broke_and_not_of_what_waited_for_it(tmp_path: Path) -> None:
    tree = tree_of(tmp_path)
    waiting, broken = with_marks(tree)
    reports = {
        report.graph.nodes[report.graph.root].name: report
        for report in taken(tree)[0]
        if isinstance(report, InstallReport)
        and report.graph
        and report.source.kind is SourceKind.FAILURE_MARKER
    }
    assert {name: report.status for name, report in reports.items()} == {
        broken["name"]: BuildStatus.FAILED,
        waiting["name"]: BuildStatus.CANCELLED,
    }
    failure = reports[broken["name"]]
    assert failure.source.key == f"{tree}"[-100:] + f"#{broken['hash']}@1795000000"
    assert failure.finished_at == datetime.fromtimestamp(1_795_000_000, UTC)


def test_a_mark_that_cannot_be_read_is_named_and_still_a_failure(tmp_path: Path) -> None:
    tree = tree_of(tmp_path)
    spec_hash = "c" * 32
    (tree / ".spack-db" / "failures").mkdir()
    (tree / ".spack-db" / "failures" / f"zlib-{spec_hash}").write_text("{")
    submissions, refused = taken(tree)
    assert f"zlib-{spec_hash} must be a JSON object" in refused[str(tree / ".spack-db" / "failures")]
    marked = [s for s in submissions if isinstance(s, InstallReport) and s.spec_hash == spec_hash]
    assert [(s.package_name, s.status) for s in marked] == [("zlib", BuildStatus.FAILED)]


@pytest.mark.parametrize(
    "place", ["spack-build-out.txt", "spack-build-abc1234/spack-build-out.txt"], ids=["source", "build"]
)
def test_logs_in_a_source_folder_are_those_of_a_stage(tmp_path: Path, place: str) -> None:
    source = tmp_path / "zlib"
    (source / place).parent.mkdir(parents=True)
    (source / place).write_bytes(LOG)
    (source / place).with_name("spack-configure-args.txt").write_text("'-DX=1'")
    (source / place).with_name("spack-build-env.txt").write_text("TOKEN=secret; export TOKEN\n")
    (source / "main.c").write_text("int main;\n")
    (source / "package.json").write_text("{")
    submissions, refused = taken(tmp_path)
    assert refused == {}
    (report,) = submissions
    assert isinstance(report, InstallReport)
    assert (report.package_name, report.status, report.installed_from) == (
        "zlib", BuildStatus.FAILED, InstalledFrom.SOURCE,
    )  # fmt: skip
    assert [(phase.name, phase.status) for phase in report.phases] == [
        ("cmake", "SUCCESS"),
        ("build", "ERROR"),
    ]
    assert report.configure_arguments == "'-DX=1'"
    assert report.environment_variables is None


def test_a_source_folder_that_was_built_to_the_end_did_not_fail(tmp_path: Path) -> None:
    source = tmp_path / "zlib"
    source.mkdir()
    built = LOG.replace(b"make: *** [all] Error 2", b"done") + b"==> Executing phase: 'install'\ndone\n"
    (source / "spack-build-out.txt").write_bytes(built)
    (report,) = taken(source)[0]
    assert isinstance(report, InstallReport)
    assert report.status is None
    assert {phase.status for phase in report.phases} == {"SUCCESS"}


def test_the_phases_of_an_old_log_are_told_apart(tmp_path: Path) -> None:
    stage = tmp_path / STAGE.name
    stage.mkdir()
    (stage / "spack-build-out.txt").write_bytes(LOG)
    (report,) = taken(tmp_path)[0]
    assert isinstance(report, InstallReport)
    assert [(phase.name, phase.status) for phase in report.phases] == [
        ("cmake", "SUCCESS"),
        ("build", "ERROR"),
    ]
