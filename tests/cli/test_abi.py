"""`spackmon abi`: symbols and predictions on the command line, without a server."""

import gzip
import json
import os
import shutil
from pathlib import Path

import pytest

from tests.abi.cases import CASES, Case
from tests.abi.splicing import Site, build
from tests.cli import prepared
from tests.cli.command import PROGRAM
from tests.cli.prepared import Finished

ELF = Path(__file__).parents[1] / "data" / "elf"


def _abi(*arguments: object) -> Finished:
    return prepared.run([str(PROGRAM), "abi", *map(str, arguments)], dict(os.environ))


def test_a_prefix_gives_a_line_for_each_file_that_the_loader_reads(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    library = tmp_path / "lib" / "libgreet.so.2"
    library.write_bytes(gzip.decompress((ELF / "libgreet.so.2.gz").read_bytes()))
    (tmp_path / "lib" / "libgreet.so").symlink_to("libgreet.so.2")
    (tmp_path / "README").write_text("no ELF\n")
    finished = _abi("extract", tmp_path)
    (line,) = map(json.loads, finished.stdout.splitlines())
    assert (finished.returncode, line["path"], line["soname"]) == (0, str(library), "libgreet.so.2")
    assert {"greet"} <= {symbol["name"] for symbol in line["symbols"] if symbol["is_defined"]}


def test_a_file_that_cannot_be_read_is_a_line_with_a_code(tmp_path: Path) -> None:
    damaged, text, whole = (tmp_path / name for name in ("damaged.so", "text", "whole.so"))
    content = gzip.decompress((ELF / "libgreet.so.2.gz").read_bytes())
    whole.write_bytes(content)
    damaged.write_bytes(content[:200])
    text.write_text("no ELF\n")
    finished = _abi("extract", damaged, text, tmp_path / "none", whole)
    lines = [json.loads(line) for line in finished.stdout.splitlines()]
    assert [line.get("code") for line in lines] == ["ELF_DAMAGED", "ELF_UNKNOWN", "FILE_UNREADABLE", None]
    assert (finished.returncode, finished.stderr) == (1, "")


def _splice(site: Site, *options: object) -> Finished:
    return _abi(
        "splice", "--consumer", site.consumer, "--replace", site.before, "--with", site.after,
        "--also", *site.others, *options,
    )  # fmt: skip


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")
def test_a_splice_that_breaks_says_whom_and_why(tmp_path: Path) -> None:
    site = build(CASES["version that a dependency lacks"], tmp_path)
    # Two values of one option.
    (tmp_path / "deps" / "more").mkdir()
    finished = _splice(site, "--json")
    assert finished.returncode == 1
    assert json.loads(finished.stdout) == {
        "verdict": "breaks",
        "missing": [{"consumer": "libx.so.1", "symbol": "n_two", "version": "N_2"}],
        "missing_libraries": [],
        "missing_versions": [{"consumer": "libx.so.1", "file": "libn.so.1", "version": "N_2"}],
        "soname_ok": True,
        "warnings": [],
    }
    shown = _splice(site).stdout.splitlines()
    assert shown[0].startswith("breaks: ")
    assert f"libn.so.1: version `N_2' not found (required by {site.after}/lib/libx.so.1)" in shown[2]


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")
def test_what_works_and_what_cannot_be_known_have_their_exit_status(tmp_path: Path) -> None:
    works, unknown = CASES["filter"], CASES["opened by name"]
    more = Case("mkdir -p $D/more;")
    sites = [
        build(Case(more.recipe + case.recipe), tmp_path / name)
        for name, case in (("w", works), ("u", unknown))
    ]
    assert [_splice(site).returncode for site in sites] == [0, 3]
    missing = _abi("splice", "--consumer", tmp_path / "none", "--replace", tmp_path, "--with", tmp_path)
    assert (missing.returncode, "Traceback" in missing.stderr) == (2, False)
