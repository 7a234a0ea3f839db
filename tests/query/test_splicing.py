"""Splices asked of what an import stored: by the same rules as on disk, with the system's libraries."""

import shutil
from pathlib import Path

import pytest

from spackmon.abi.reader.elf import as_json
from spackmon.abi.reader.elf_file import read_file
from spackmon.formats.installs.install_prefix import read_prefix
from spackmon.status import SourceKind
from spackmon.submission import AttributeValue, InstallReport, Source
from tests.abi.cases import CASES
from tests.abi.installed_case import Package, describe, installed
from tests.abi.splicing import Site, build
from tests.ingest.reports import hash_of, spec
from tests.query.conftest import AskedSite

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")

ASK = """query($build: ID!, $with: String!, $replace: String = "x") {
  splice(build: $build, replace: $replace, with: $with) {
    verdict missingSymbols { consumer symbol version why } missingLibraries { consumer library }
    missingVersions { consumer file node } sonamesKept warnings undecided hostImage { architecture }
  }
}"""
NEW = hash_of("x 2.0")


def _installed(site: AskedSite, built: Site, elsewhere: Path | None = None) -> int:
    return installed(lambda report: int(site.apply(report).build_id), built, elsewhere)


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("version gone", "BREAKS"),
        ("link to a longer name", "WORKS"),
        ("right soname in another file", "BREAKS"),
        ("RPATH serves the library's own needs", "WORKS"),
        ("opened by name", "UNKNOWN"),
        ("system directories are switched off", "BREAKS"),
        ("version that the system lacks", "BREAKS"),
        ("library of the system that it needs now", "WORKS"),
        ("library that nobody has", "BREAKS"),
    ],
)
def test_what_was_imported_answers(site: AskedSite, tmp_path: Path, name: str, verdict: str) -> None:
    build_id = _installed(site, build(CASES[name], tmp_path))
    answer = site.ask(ASK, build=str(build_id), **{"with": NEW})["splice"]
    assert answer["verdict"] == verdict
    assert bool(answer["undecided"]) == (verdict == "UNKNOWN")
    if name == "version gone":
        (symbol,) = answer["missingSymbols"]
        program = tmp_path / "consumer" / "bin" / "prog"
        assert symbol == {
            "consumer": "prog", "symbol": "x_two", "version": "X_2",
            "why": f"{program}: symbol lookup error: {program}: undefined symbol: x_two, version X_2",
        }  # fmt: skip
        assert answer["missingVersions"] == [{"consumer": "prog", "file": "libx.so.1", "node": "X_2"}]


MANY = """query($build: ID!, $hash: String!) {
  missingNow(build: $build) {
    verdict missingSymbols { symbol } missingLibraries { library } missingVersions { node } undecided
  }
  spliceCandidates(build: $build, package: "x", first: 1) { outcomes { spec { version } verdict } endCursor }
  spliceMatrix(package: "x", versions: 2) {
    versions { version } versionsEndCursor endCursor
    rows { spec { name } uses { version } cells { verdict missing reasons } }
  }
  rebuildsNeeded(package: "x", from: "1.0", to: $hash) {
    replacement { version } outcomes { spec { name } verdict missing } endCursor
  }
  results: build(id: $build) {
    analysisResults(where: {analyzer: {eq: "elf"}}) { nodes { path elf binaryValue value jsonValue } }
  }
}"""
NEXT = """query($build: ID!, $after: String!) {
  spliceCandidates(build: $build, package: "x", after: $after) {
    outcomes { spec { version } verdict } endCursor
  }
  spliceMatrix(package: "x", versions: 1, afterVersion: $after) {
    versions { version } versionsEndCursor rows { cells { verdict } }
  }
}"""


def test_all_builds_of_a_package_and_all_that_uses_it_are_one_question(
    site: AskedSite, tmp_path: Path
) -> None:
    build_id = str(_installed(site, build(CASES["version gone"], tmp_path)))
    found = site.ask(MANY, build=build_id, hash=NEW)
    assert found["missingNow"] == {
        "verdict": "WORKS", "missingSymbols": [], "missingLibraries": [], "missingVersions": [],
        "undecided": [],
    }  # fmt: skip
    candidates = found["spliceCandidates"]
    assert candidates["outcomes"] == [{"spec": {"version": "2.0"}, "verdict": "BREAKS"}]
    after = site.ask(NEXT, build=build_id, after=candidates["endCursor"])
    assert after["spliceCandidates"] == {
        "outcomes": [{"spec": {"version": "1.0"}, "verdict": "WORKS"}], "endCursor": None
    }  # fmt: skip
    assert after["spliceMatrix"] == {
        "versions": [{"version": "1.0"}], "versionsEndCursor": None,
        "rows": [{"cells": [{"verdict": "WORKS"}]}],
    }  # fmt: skip
    matrix = found["spliceMatrix"]
    assert [one["version"] for one in matrix["versions"]] == ["2.0", "1.0"]
    (row,) = matrix["rows"]
    assert (row["spec"], row["uses"]) == ({"name": "app"}, {"version": "1.0"})
    broken, kept = row["cells"]
    assert (broken["verdict"], broken["missing"]) == ("BREAKS", 2)
    assert any("version `X_2' not found" in reason for reason in broken["reasons"])
    assert kept == {"verdict": "WORKS", "missing": 0, "reasons": []}
    assert found["rebuildsNeeded"] == {
        "replacement": {"version": "2.0"},
        "outcomes": [{"spec": {"name": "app"}, "verdict": "BREAKS", "missing": 2}],
        "endCursor": None,
    }
    (program,) = found["results"]["analysisResults"]["nodes"]
    assert program["elf"] == as_json(read_file(program["path"]))
    assert {program[name] for name in ("binaryValue", "value", "jsonValue")} == {None}


def test_where_files_are_not_at_home_nothing_is_known_of_the_system(site: AskedSite, tmp_path: Path) -> None:
    built = build(CASES["library of the system that it needs now"], tmp_path / "there")
    build_id = _installed(site, built, elsewhere=tmp_path / "here")
    answer = site.ask(ASK, build=str(build_id), **{"with": NEW})["splice"]
    assert (answer["verdict"], answer["hostImage"]) == ("UNKNOWN", None)
    assert any("libm.so.6" in reason for reason in answer["undecided"])


def test_pages_of_splices_have_bounds(site: AskedSite, tmp_path: Path) -> None:
    build_id = str(site.build(spec("zlib", "1.2")))
    for field, code in [
        (f'missingNow(build: "{build_id}0") {{ verdict }}', "BUILD_UNKNOWN"),
        (f'spliceCandidates(build: "{build_id}", package: "x") {{ endCursor }}', "ARGUMENT_INVALID"),
        (f'spliceCandidates(build: "{build_id}", package: "x", first: 51) {{ endCursor }}', "PAGE_TOO_LARGE"),
        ('spliceMatrix(package: "x", first: 201) { endCursor }', "PAGE_TOO_LARGE"),
        ('spliceMatrix(package: "x", after: "no") { endCursor }', "CURSOR_INVALID"),
        ('rebuildsNeeded(package: "zlib", from: "1.2", to: "1.3") { endCursor }', "SPEC_UNKNOWN"),
    ]:
        assert site.error(f"{{ {field} }}")["extensions"]["code"] == code, field
    unread = site.ask(f'{{ missingNow(build: "{build_id}") {{ verdict undecided }} }}')["missingNow"]
    assert unread == {"verdict": "UNKNOWN", "undecided": ["no symbols are known of zlib"]}


def test_what_is_not_known_is_refused_or_unknown(site: AskedSite, tmp_path: Path) -> None:
    built = build(CASES["link to a longer name"], tmp_path)
    build_id = str(_installed(site, built))
    for arguments, code in [
        ({"build": "999999"}, "BUILD_UNKNOWN"),
        ({"build": "x"}, "ID_INVALID"),
        ({"with": "a" * 32}, "SPEC_UNKNOWN"),
        ({"replace": "zlib"}, "ARGUMENT_INVALID"),
    ]:
        error = site.error(ASK, **{"build": build_id, "with": NEW, **arguments})
        assert error["extensions"]["code"] == code
    # A spec whose files nobody imported.
    dependency = Package(tmp_path, "other", "1.0")
    folder = tmp_path / "other"
    folder.mkdir()
    describe(Package(folder, "other", "1.0"), {dependency.hash: dependency})
    (folder / ".spack" / "install_manifest.json").unlink()
    for report in read_prefix(folder, None):
        site.apply(report)
    answer = site.ask(ASK, build=build_id, **{"with": dependency.hash})["splice"]
    assert (answer["verdict"], answer["undecided"]) == (
        "UNKNOWN",
        ["no symbols are known of both builds of x"],
    )


DIFFERENCE = """query($a: String!, $b: String!, $symbols: Int!) {
  abiDiff(a: $a, b: $b, symbols: $symbols) {
    verdict undecided endCursor
    libraries {
      name sonameBefore sonameAfter pathAfter verdict removedCount addedCount
      removed { name version servedBy } added { name } changed { name typeBefore sizeBefore sizeAfter }
      removedVersions addedVersions reasons
    }
  }
  abiHistory(package: "x") {
    steps {
      older { version } newer { version } verdict removed changed removedVersions sonamesChanged
      librariesRemoved reasons
    }
    endCursor
  }
}"""


@pytest.mark.parametrize(
    ("name", "verdict", "expected", "reason"),
    [
        (
            "version gone", "BREAKS",
            {"removed": [{"name": "x_two", "version": "X_2", "servedBy": None}], "removedVersions": ["X_2"]},
            "libx.so.1: version `X_2' not found",
        ),
        ("link to a longer name", "WORKS", {"pathAfter": "lib/libx.so.1.9", "removedCount": 0}, None),
        (
            "base version serves any", "WORKS",
            {"removed": [{"name": "x_two", "version": "X_2", "servedBy": "libx.so.1"}]}, None,
        ),
        (
            "right soname in another file", "BREAKS", {"removedCount": 0},
            "error while loading shared libraries: libx.so.1: cannot open shared object file: "
            "No such file or directory",
        ),
    ],
)  # fmt: skip
def test_libraries_of_two_builds_differ_as_their_programs_see_it(
    site: AskedSite, tmp_path: Path, name: str, verdict: str, expected: dict[str, object], reason: str | None
) -> None:
    _installed(site, build(CASES[name], tmp_path))
    found = site.ask(DIFFERENCE, a=hash_of("x 1.0"), b=NEW, symbols=5)
    difference, history = found["abiDiff"], found["abiHistory"]
    (library,) = difference["libraries"]
    assert difference["verdict"] == library["verdict"] == verdict
    assert library["name"] == "libx"
    assert {key: library[key] for key in expected} == expected
    assert library["reasons"][:1] == ([reason] if reason else [])
    (step,) = history["steps"]
    assert (step["older"]["version"], step["newer"]["version"]) == ("1.0", "2.0")
    assert (step["verdict"], step["removed"]) == (verdict, library["removedCount"])


STATEMENTS = """query($package: String, $verdict: SpliceVerdict) {
  spliceStatements(package: $package, verdict: $verdict) {
    statements {
      source spec { version } replaced { version } statement verdict missing broken { name } reasons
    }
    endCursor
  }
}"""


def test_a_filter_serves_what_its_library_has_no_more(site: AskedSite, tmp_path: Path) -> None:
    _installed(site, build(CASES["filter"], tmp_path))
    answer = site.ask(DIFFERENCE, a=hash_of("x 1.0"), b=NEW, symbols=9)["abiDiff"]
    (library,) = [one for one in answer["libraries"] if one["name"] == "libx"]
    assert (library["verdict"], library["removed"]) == (
        "WORKS", [{"name": "x_two", "version": None, "servedBy": "libxcore.so.1"}],
    )  # fmt: skip
    error = site.error(DIFFERENCE, a=hash_of("x 1.0"), b="abc", symbols=9)
    assert error["message"] == "`b` needs at least 7 characters, it is 'abc'"


def test_what_spack_says_stands_beside_what_the_loader_says(site: AskedSite, tmp_path: Path) -> None:
    built = build(CASES["version gone"], tmp_path)
    _installed(site, built)
    old = hash_of("x 1.0")
    for number, (version, replaced) in enumerate([("2.0", old), ("1.0", NEW), ("1.0", "")]):
        found = {"can_splice": (AttributeValue(f"x@{number} when @{version}", None, value=replaced),)}
        source = Source(SourceKind.EXTENSION, f"{number}")
        site.apply(
            InstallReport(source, spec_hash=hash_of(f"x {version}"), package_name="x", attributes=found)
        )
    answer = site.ask(STATEMENTS, package="x")["spliceStatements"]
    said = {one["statement"]: one for one in answer["statements"]}
    wrong = said["x@0 when @2.0"]
    assert (wrong["verdict"], wrong["replaced"], wrong["broken"]) == (
        "BREAKS", {"version": "1.0"}, [{"name": "app"}],
    )  # fmt: skip
    assert any("version `X_2' not found" in reason for reason in wrong["reasons"])
    assert site.ask(STATEMENTS, verdict="BREAKS")["spliceStatements"]["statements"] == [wrong]
    assert site.ask(STATEMENTS, package="app")["spliceStatements"]["statements"] == []
