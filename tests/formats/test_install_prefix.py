"""Installed prefixes, as 0.17, 0.23 and both installers of 1.2 left them, whole and damaged."""

import gzip
import json
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from spackmon.errors import Refused
from spackmon.formats.installs.install_prefix import is_prefix, read_prefix
from spackmon.status import BuildStatus, EventKind, InstalledFrom, SourceKind
from spackmon.submission import Environment, InstallReport, SpecReport
from tests.formats.corpus import documents, elements
from tests.formats.installs import (
    AUTODEMO_017,
    AUTODEMO_023,
    BUNDLE_017,
    LIBGREET,
    LIBGREET_NEW,
    PREFIXES,
    copied,
)


def report_of(prefix: Path, installed_at: str | None = None) -> InstallReport:
    (report,) = read_prefix(prefix, installed_at)
    assert isinstance(report, InstallReport)
    return report


def damaged(prefix: Path) -> tuple[list[SpecReport | InstallReport], str]:
    """What is read of a prefix, and the sentence about the rest."""
    reports: list[SpecReport | InstallReport] = []
    try:
        for report in read_prefix(prefix, None):
            reports.append(report)
    except Refused as refused:
        return reports, refused.sentence
    return reports, ""


def log_of(prefix: Path) -> bytes:
    plain = prefix / ".spack" / "spack-build-out.txt"
    return plain.read_bytes() if plain.exists() else gzip.decompress(Path(f"{plain}.gz").read_bytes())


def content_of(prefix: Path, name: str) -> dict[str, object]:
    content = json.loads((prefix / ".spack" / name).read_text())
    assert isinstance(content, dict)
    return content


@pytest.mark.parametrize("prefix", PREFIXES, ids=lambda prefix: f"{prefix.parent.name}-{prefix.name[:8]}")
def test_a_prefix_tells_its_spec_its_log_and_its_files_whole(prefix: Path) -> None:
    report = report_of(prefix)
    assert report.status is BuildStatus.SUCCESS
    assert report.graph is not None
    assert report.graph.nodes[report.graph.root].name == prefix.name.split("-")[0]
    assert ("hash", prefix.name[-32:]) in report.graph.nodes[report.graph.root].hashes
    logs = [phase.output for phase in report.phases if phase.output is not None]
    assert b"".join(logs) + (report.log or b"") == log_of(prefix)
    manifest = content_of(prefix, "install_manifest.json")
    assert report.install_files is not None
    assert [file.path for file in report.install_files] == list(manifest)
    assert report.prefix is not None
    assert f"{report.prefix}/.spack" in manifest
    assert report.source.kind is SourceKind.PREFIX
    assert report.source.key.startswith(f"{report.prefix}#")


def test_phases_have_the_logs_and_the_seconds_of_spack_017() -> None:
    report = report_of(AUTODEMO_017)
    metadata = AUTODEMO_017 / ".spack"
    assert [(phase.name, phase.status) for phase in report.phases] == [
        ("autoreconf", "SUCCESS"),
        ("configure", "SUCCESS"),
        ("build", "SUCCESS"),
        ("install", "SUCCESS"),
    ]
    assert report.phases[2].output == (metadata / "spack-build-03-build-out.txt").read_bytes()
    assert report.phases[2].duration_seconds == 0.1121969223022461
    assert report.duration_seconds == 0.7534036636352539
    assert report.environment == Environment(
        "build-host-1", "linux", "debian12", "x86_64_v4", "#1 SMP PREEMPT_DYNAMIC @0"
    )
    assert (report.spack_version, report.spack_revision) == ("0.17.0", None)
    assert report.configure_arguments == (metadata / "spack-configure-args.txt").read_text()


def test_what_is_no_phase_of_the_package_has_seconds_and_no_log() -> None:
    report = report_of(AUTODEMO_023)
    times = content_of(AUTODEMO_023, "install_times.json")["phases"]
    assert isinstance(times, list)
    assert [(p.name, p.duration_seconds) for p in report.phases] == [(t["name"], t["seconds"]) for t in times]
    silent = [phase.name for phase in report.phases if phase.output is None]
    assert silent == ["stage", "post-install"]
    assert report.spack_version == "0.23.0.dev0"
    assert (report.spack_revision or "").startswith("eedc414")


def test_the_build_ended_when_its_newest_file_was_written() -> None:
    assert report_of(AUTODEMO_017).finished_at == datetime(2026, 11, 22, 8, 56, 28, 557576, UTC)
    ended_at = report_of(AUTODEMO_023).finished_at
    began_at = report_of(AUTODEMO_023).started_at
    assert ended_at is not None
    assert began_at is not None
    assert (ended_at - began_at).total_seconds() == pytest.approx(0.7991232872009277, abs=1e-6)


def test_a_file_from_another_time_does_not_say_when_the_build_ended(tmp_path: Path) -> None:
    prefix = copied(AUTODEMO_017, tmp_path)
    manifest = content_of(prefix, "install_manifest.json")
    manifest["/old"] = {"time": 0.0}
    manifest["/of the sources"] = {"time": 1.9e9}
    (prefix / ".spack" / "install_manifest.json").write_text(json.dumps(manifest))
    assert report_of(prefix).finished_at == report_of(AUTODEMO_017).finished_at


def test_the_new_installer_leaves_no_phases_and_no_environment() -> None:
    report = report_of(LIBGREET_NEW)
    assert (report.phases, report.environment, report.spack_version) == ((), None, None)
    assert report.log == log_of(LIBGREET_NEW)
    assert report.finished_at == datetime(2026, 11, 22, 9, 22, 1, 707421, UTC)
    assert report.source != report_of(LIBGREET).source


def test_only_the_changes_to_the_environment_are_taken(tmp_path: Path) -> None:
    changes = report_of(LIBGREET).environment_variables
    assert changes is not None
    written = (LIBGREET / ".spack" / "spack-build-env.txt").read_text()
    assert set(changes) == {
        line.split()[1].partition("=")[0] for line in written.splitlines() if "export" in line
    }
    assert changes["SPACK_COMPILER_FLAGS_REPLACE"] == "-Werror-|-Wno-error= -Werror|-Wno-error"
    assert changes["SPACK_LINK_DIRS"] == ""
    prefix = copied(LIBGREET, tmp_path)
    (prefix / ".spack" / "spack-build-env.txt").write_text("CC=gcc; export CC\nTOKEN=hunter2; export TOKEN\n")
    assert report_of(prefix).environment_variables is None


def test_a_value_in_quotes_is_what_the_shell_makes_of_it(tmp_path: Path) -> None:
    prefix = copied(LIBGREET, tmp_path)
    quoted = """export A='it'"'"'s; two\nlines';\nunset B;\nexport C=x=y,;\n"""
    (prefix / ".spack" / "spack-build-env.txt").write_text(quoted)
    assert report_of(prefix).environment_variables == {"A": "it's; two\nlines", "C": "x=y,"}


def test_a_copy_of_a_prefix_is_the_same_install_and_another_install_is_not(tmp_path: Path) -> None:
    prefix = copied(LIBGREET, tmp_path)
    assert report_of(prefix, str(prefix)) == report_of(LIBGREET, "/elsewhere")
    times = prefix / ".spack" / "install_times.json"
    times.write_text(times.read_text().replace("3.378851890563965", "4.378851890563965"))
    assert report_of(prefix).source != report_of(LIBGREET).source


def test_a_log_of_bytes_is_kept_as_it_is(tmp_path: Path) -> None:
    prefix = copied(LIBGREET, tmp_path)
    log = b"==> [x]\n\xe9\xff\x00\r\n==> libgreet: Executing phase: 'build'\n\xfc\n"
    (prefix / ".spack" / "spack-build-out.txt.gz").write_bytes(gzip.compress(log))
    phases = report_of(prefix).phases
    assert [p.name for p in phases] == ["stage", "edit", "build", "install", "post-install"]
    assert b"".join(p.output or b"" for p in phases) == log


def unpacked(prefix: Path, *, old_installer: bool) -> Path:
    """The prefix as if it had come from a binary cache, with what is in it of the build elsewhere."""
    (prefix / ".spack" / "binary_distribution").write_text("{}")
    times = content_of(prefix, "install_times.json") | {"cache": old_installer, "total": 0.5}
    (prefix / ".spack" / "install_times.json").write_text(json.dumps(times))
    return prefix


def test_a_binary_from_a_cache_was_not_built_here(tmp_path: Path) -> None:
    built = report_of(LIBGREET)
    assert built.installed_from == InstalledFrom.SOURCE
    for old_installer in (True, False):
        directory = tmp_path / str(old_installer)
        directory.mkdir()
        report = report_of(unpacked(copied(LIBGREET, directory), old_installer=old_installer))
        assert report.installed_from == InstalledFrom.BUILD_CACHE
        assert (report.graph, report.prefix, report.install_files) == (
            built.graph, built.prefix, built.install_files,
        )  # fmt: skip
        # Whose machine, log and arguments those are, nobody can know.
        assert (report.environment, report.log, report.phases, report.configure_arguments) == (
            None, None, (), None,
        )  # fmt: skip
        assert report.duration_seconds == (0.5 if old_installer else None)
        assert report.finished_at is None


def test_what_a_binary_was_relocated_in_tells_when(tmp_path: Path) -> None:
    prefix = unpacked(copied(LIBGREET, tmp_path), old_installer=True)
    manifest = content_of(prefix, "install_manifest.json")
    for entry in manifest.values():
        if "time" in entry:
            entry["time"] = 0
    place = next(path for path, entry in manifest.items() if "time" in entry)
    manifest[place]["time"] = 1_795_000_000.0
    (prefix / ".spack" / "install_manifest.json").write_text(json.dumps(manifest))
    report = report_of(prefix)
    assert report.finished_at == datetime.fromtimestamp(1_795_000_000, UTC)
    assert report.started_at == datetime.fromtimestamp(1_795_000_000 - 0.5, UTC)


def test_what_could_not_be_archived_is_a_warning(tmp_path: Path) -> None:
    prefix = copied(LIBGREET, tmp_path)
    archived = prefix / ".spack" / "archived-files"
    archived.mkdir()
    (archived / "errors.txt").write_text("[OUTSIDE SOURCE PATH]: /etc/x\n\n[FAILED TO ARCHIVE]: config.log\n")
    assert [(event.kind, event.text) for event in report_of(prefix).events] == [
        (EventKind.WARNING, "[OUTSIDE SOURCE PATH]: /etc/x"),
        (EventKind.WARNING, "[FAILED TO ARCHIVE]: config.log"),
    ]


def test_an_install_that_has_not_ended_is_a_spec_and_no_success(tmp_path: Path) -> None:
    metadata = tmp_path / "zlib" / ".spack"
    metadata.mkdir(parents=True)
    shutil.copy(LIBGREET / ".spack" / "spec.json", metadata)
    assert is_prefix(metadata)
    (report,) = read_prefix(metadata.parent, None)
    assert isinstance(report, SpecReport)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("spec.json", b"{", "spec.json must be a JSON object"),
        (
            "spack-build-out.txt.gz",
            gzip.compress(b"log" * 999, mtime=0)[:-5],
            "spack-build-out.txt.gz cannot be read: its gzip data is cut short",
        ),
        ("install_times.json", b'{"phases": 1}', "install_times.json: phases must be a list"),
        ("install_manifest.json", b'{"/x": 1}', "install_manifest.json./x must be an object"),
        ("install_environment.json", b'{"hostname": 1}', "install_environment.json: hostname must be"),
        ("spack-build-env.txt", b"export A=1;\nB=2; export B\n", "spack-build-env.txt, line 2: expected"),
    ],
)
def test_one_damaged_file_is_named_and_the_others_are_taken(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    prefix = copied(LIBGREET, tmp_path)
    (prefix / ".spack" / name).write_bytes(content)
    reports, said = damaged(prefix)
    assert sentence in said
    (report,) = reports
    assert isinstance(report, InstallReport)
    if name == "spec.json":
        assert (report.spec_hash, report.package_name) == (prefix.name[-32:], "libgreet")
    else:
        assert report.graph is not None


def test_a_link_out_of_the_prefix_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    prefix = copied(LIBGREET, tmp_path)
    arguments = prefix / ".spack" / "spack-configure-args.txt"
    arguments.symlink_to(secret)
    assert report_of(prefix).configure_arguments is None


def test_a_bundle_that_ran_no_phase_succeeded_nevertheless() -> None:
    report = report_of(BUNDLE_017)
    assert (report.phases, report.log, report.status) == ((), None, BuildStatus.SUCCESS)


@given(st.sampled_from(PREFIXES), st.data())
def test_a_mutilated_prefix_gives_reports_and_refusals_only(prefix: Path, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory:
        copy = copied(prefix, Path(directory))
        files = sorted(path for path in copy.rglob("*") if path.is_file())
        for path in data.draw(st.lists(st.sampled_from(files), min_size=1, max_size=3, unique=True)):
            content = path.read_bytes()
            at = data.draw(st.integers(0, len(content)))
            other = data.draw(
                st.one_of(
                    st.binary(max_size=8), st.sampled_from([b"null", b"1e999", b"[]", b'"\\ud800"', b"-1"])
                )
            )
            kept = data.draw(st.integers(0, 20))
            path.write_bytes(content[:at] + other + content[at + kept :])
        try:
            for report in read_prefix(copy, None):
                assert isinstance(report, InstallReport | SpecReport)
        except Refused as refused:
            assert refused.sentence  # noqa: PT017 -- either outcome is right


def test_a_prefix_of_spack_016_has_its_spec_in_yaml(tmp_path: Path) -> None:
    prefix = copied(AUTODEMO_017, tmp_path)
    metadata = prefix / ".spack"
    (metadata / "spec.json").unlink()
    content = documents("list-0.16")[0]["spec"]
    (metadata / "spec.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    report = report_of(prefix)
    assert report.graph is not None
    assert report.graph.format_version == 1
    assert [node.name for node in report.graph.nodes.values()] == [next(iter(n)) for n in elements(content)]
