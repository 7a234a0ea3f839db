"""`spack monitor push` and `analyze`: what is installed already."""

import gzip
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import spackmon.abi.reader
from spackmon.abi.reader.elf_file import read_file
from spackmon.abi.reader.packed import pack, unpack
from spackmon.formats.installs.install_prefix import read_prefix
from spackmon.formats.reports.report_json import read
from spackmon.submission import InstallReport
from tests.client.extension.spack import EXTENSION, VARIANTS, Line, Spack, phases_of, recording

ELF = Path(__file__).parents[2] / "data" / "elf"


@pytest.mark.parametrize("variant", VARIANTS)
def test_push_reports_all_that_spack_keeps_as_an_import_of_the_prefix_does(
    variant: str, tmp_path: Path
) -> None:
    with recording() as server:
        spack = Spack(tmp_path, variant, server.url)
        spack("install", "libgreet", "demo-base")
        code, output, _ = spack("monitor", "push", "libgreet")
    assert (code, output) == (0, f"pushed 1 of 1 to {server.url}\n")
    (line,) = server.lines
    (prefix,) = (tmp_path / "opt").glob("libgreet-*")
    _assert_pushed_as_imported(line, prefix)


@pytest.mark.parametrize("variant", ["1.2-old", "1.2-new"])
def test_push_reports_a_binary_from_a_cache_as_an_import_of_the_prefix_does(
    variant: str, tmp_path: Path
) -> None:
    with recording() as server:
        for name in ("built", "unpacked"):
            (tmp_path / name).mkdir()
        Spack(tmp_path / "built", variant)("install", "libgreet")
        spack = Spack(tmp_path / "unpacked", variant, server.url)
        spack("install", "libgreet", FAKE_MIRROR=str(tmp_path / "built" / "opt"))
        spack("monitor", "push", "libgreet")
    (line,) = server.lines
    (prefix,) = (tmp_path / "unpacked" / "opt").glob("libgreet-*")
    _assert_pushed_as_imported(line, prefix)
    assert line["prefix"] == str(prefix)


def test_a_path_that_is_no_utf_8_is_an_escape_wherever_it_is_read(tmp_path: Path) -> None:
    with recording() as server:
        spack = Spack(tmp_path, "1.2-new", server.url)
        spack("install", "libgreet")
        (prefix,) = (tmp_path / "opt").glob("libgreet-*")
        manifest = prefix / ".spack" / "install_manifest.json"
        entries = json.loads(manifest.read_text())
        # As Spack writes it: json.dump of a name that os.walk gives.
        entries[f"{prefix}/caf\udce9"] = {"mode": 41471, "owner": 0, "group": 0, "dest": "\udcff"}
        manifest.write_text(json.dumps(entries))
        assert spack("monitor", "push", "libgreet")[0] == 0
    (line,) = server.lines
    _assert_pushed_as_imported(line, prefix)
    assert line["install_files"][rf"{prefix}/caf\xe9"]["dest"] == r"\xff"


def test_push_takes_everything_or_what_the_environment_has(tmp_path: Path) -> None:
    with recording() as server:
        spack = Spack(tmp_path, url=server.url)
        spack("install", "libgreet", "demo-base")
        spack("monitor", "push", "--all")
        assert {line["package"] for line in server.lines} == {"libgreet", "demo-base"}
        server.lines.clear()
        code, output, _ = spack("monitor", "push", "--env", FAKE_ENVIRONMENT="demo-base broken-user@0.1")
    assert (code, output.split()[:4]) == (0, ["pushed", "4", "of", "4"])
    *installs, spec, environment = server.lines
    assert {line["package"] for line in installs} == {"demo-base", "libgreet"}
    reports = [report for line in (spec, environment) for report in read(line)]
    assert reports[0].graph.nodes[reports[0].graph.root].name == "broken-user"  # type: ignore[union-attr]
    roots = environment["roots"]
    assert [root["abstract_spec"] for root in roots] == ["demo-base", "broken-user@0.1"]
    assert roots[1]["spec_hash"] == reports[0].graph.root  # type: ignore[union-attr]
    assert (environment["name"], environment["lock_file_version"]) == ("site", 6)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["push"], "say which specs: SPEC..., or --all, or --env"),
        (["push", "demo-base"], "no installed spec matches demo-base"),
        (["analyze"], "there is no active environment: name installed specs"),
    ],
)
def test_push_says_in_a_sentence_what_it_cannot_do(words: list[str], complaint: str, tmp_path: Path) -> None:
    with recording() as server:
        code, _, complaints = Spack(tmp_path, url=server.url)("monitor", *words)
    assert (code, complaints) == (1, f"==> Error: {complaint}\n")


def test_push_keeps_what_a_dead_server_did_not_take(tmp_path: Path) -> None:
    spack = Spack(tmp_path, url="http://127.0.0.1:9")
    spack("install", "libgreet")
    code, _, complaints = spack("monitor", "push", "--all")
    assert code == 1
    assert complaints.endswith("0 of 1 were sent; `spack monitor flush` sends what waits\n")
    with recording() as server:
        spack("monitor", "flush", SPACKMON_URL=server.url)
    assert "compiling" in json.dumps(phases_of(server.of("libgreet")))


def test_analyze_reports_files_environment_arguments_and_symbols(tmp_path: Path) -> None:
    with recording() as server:
        spack = Spack(tmp_path, url=server.url)
        spack("install", "libgreet")
        (prefix,) = (tmp_path / "opt").glob("libgreet-*")
        library, program = _filled(prefix)
        code, _, _ = spack("monitor", "analyze", "libgreet")
    assert code == 0
    (line,) = server.lines
    (report,) = read(line)
    assert isinstance(report, InstallReport)
    assert report.install_files
    assert report.environment_variables == {"CC": "/usr/bin/gcc", "FLAGS": "-O2 -g"}
    assert report.configure_arguments == "--enable-demo"
    assert not any(phase.output for phase in report.phases)
    assert report.attributes is not None
    files = {
        finding.install_file: unpack(finding.binary_value or b"") for finding in report.attributes["elf"]
    }
    assert set(files) == {str(library), str(program)}
    assert files[str(program)].needed == ["libgreet.so.2", "libc.so.6"]
    assert files[str(library)].soname == "libgreet.so.2"
    assert files[str(library)] == read_file(str(library))
    assert report.host is not None
    (libc,) = [one for one in report.host.libraries if one.name == "libc.so.6"]
    assert libc.sha256 == hashlib.sha256(Path(libc.path).read_bytes()).hexdigest()
    assert libc.content == pack(read_file(libc.path))


def test_what_a_recipe_declares_of_splices_goes_with_the_specs_that_it_is_about(tmp_path: Path) -> None:
    declared = {"libgreet": ["demo-base", None], "gone@1": ["libgreet", None], "libgreet@2": ["x", None]}
    with recording() as server:
        spack = Spack(tmp_path, url=server.url)
        spack("install", "libgreet", "demo-base")
        spack("monitor", "push", "libgreet", FAKE_SPLICE_SPECS=json.dumps(declared))
    (line,) = server.lines
    (prefix,) = (tmp_path / "opt").glob("demo-base-*")
    assert line["attributes"]["can_splice"] == [
        {"name": "demo-base when libgreet", "value": prefix.name.rpartition("-")[2]}
    ]


def test_the_path_of_the_extension_is_what_spack_wants() -> None:
    program = Path(sys.executable).with_name("spackmon")
    told = subprocess.run([program, "extension", "path"], capture_output=True, text=True, check=True).stdout
    assert told == f"{EXTENSION}\n"
    assert (Path(told.strip()) / "monitor" / "cmd" / "monitor.py").is_file()


def test_the_extension_reads_files_by_the_servers_own_code() -> None:
    package = Path(spackmon.abi.reader.__file__).parent
    own = EXTENSION / "monitor" / "reader"
    assert {path.name for path in own.glob("*.py")} == {path.name for path in package.glob("*.py")}
    assert all(path.samefile(package / path.name) for path in own.glob("*.py"))


def _assert_pushed_as_imported(line: Line, prefix: Path) -> None:
    (pushed,) = read(line)
    (imported,) = read_prefix(prefix, str(prefix))
    assert isinstance(pushed, InstallReport)
    assert isinstance(imported, InstallReport)
    for field in (
        "source", "graph", "installed_from", "environment", "spack_version", "spack_revision", "status",
        "duration_seconds", "prefix", "phases", "log", "configure_arguments", "environment_variables",
        "install_files", "attributes", "host",
    ):  # fmt: skip
        assert getattr(pushed, field) == getattr(imported, field), field


def _filled(prefix: Path) -> tuple[Path, Path]:
    """A library with one function and a program that calls it, in the prefix; both built by gcc 12."""
    library, program = prefix / "lib" / "libgreet.so.2", prefix / "bin" / "hello"
    for path in (library, program):
        path.parent.mkdir()
        path.write_bytes(gzip.decompress((ELF / f"{path.name}.gz").read_bytes()))
    return library, program
