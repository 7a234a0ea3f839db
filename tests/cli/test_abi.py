"""`spackmon abi`: symbols and predictions on the command line, without a server."""

import gzip
import json
import os
from pathlib import Path

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
