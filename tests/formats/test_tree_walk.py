"""Trees, archives and files of all kinds; what is hostile or damaged in them."""

import gzip
import hashlib
import io
import json
import lzma
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from spackmon.errors import Refused
from spackmon.formats.tree_walk import Readable, read_tree
from spackmon.submission import BuildcacheReport, InstallReport, SpecReport, Submission
from tests.formats.installs import INSTALLS, LIBGREET, PREFIXES, STAGE, STAGE_LOG, copied

LOCAL_SAVE = INSTALLS.parent / "local-save"


def taken(path: Path) -> tuple[list[Submission], dict[str, str]]:
    """What a tree gives, and the sentences about the rest by place."""
    submissions: list[Submission] = []
    refused: dict[str, str] = {}
    for found in read_tree(path):
        try:
            for submission in found.read():
                submissions.append(submission)
        except Refused as refusal:
            refused[found.place] = f"{refused.get(found.place, '')}{refusal.code}: {refusal.sentence}"
    return submissions, refused


def sources(submissions: list[Submission]) -> set[str]:
    return {report.source.key for report in submissions if isinstance(report, InstallReport)}


def prefix_tree(directory: Path) -> Path:
    """An install tree with a database's locks, a failed stage and what lies in prefixes beside `.spack`."""
    tree = directory / "opt"
    for prefix in PREFIXES:
        (tree / prefix.parent.name).mkdir(parents=True, exist_ok=True)
        copied(prefix, tree / prefix.parent.name)
        (tree / prefix.parent.name / prefix.name / "bin").mkdir()
        (tree / prefix.parent.name / prefix.name / "bin" / "tool").write_bytes(b"\x7fELF\0")
    stage = copied(STAGE, tree)
    (stage / "spack-src").mkdir()
    (stage / "spack-src" / "package.json").write_text("{}")
    shutil.copy(STAGE_LOG, tree)
    (tree / ".spack-db").mkdir()
    (tree / ".spack-db" / "lock").touch()
    return tree


def test_a_tree_gives_every_prefix_and_stage_and_nothing_of_what_lies_in_them(tmp_path: Path) -> None:
    tree = prefix_tree(tmp_path)
    places = [Path(found.place).relative_to(tree) for found in read_tree(tree)]
    expected = [Path(p.parent.name) / p.name for p in PREFIXES] + [Path(STAGE.name), Path(STAGE_LOG.name)]
    assert sorted(places) == sorted(expected)
    submissions, refused = taken(tree)
    assert refused == {}
    assert len(sources(submissions)) == len(PREFIXES) + 2
    assert taken(tree)[0] == submissions


def test_sizes_are_those_of_what_is_read() -> None:
    (found,) = read_tree(LIBGREET)
    assert found.size_bytes == sum(path.stat().st_size for path in (LIBGREET / ".spack").iterdir())
    assert len(list(read_tree(LIBGREET / ".spack"))) == 1


def packed(tree: Path, compress: Callable[[bytes], bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(tree, arcname="./site")
    return compress(buffer.getvalue())


def zipped(tree: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(tree.rglob("*")):
            archive.write(path, Path("site") / path.relative_to(tree))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "pack",
    [
        lambda tree: packed(tree, bytes),
        lambda tree: packed(tree, gzip.compress),
        lambda tree: packed(tree, zstandard.compress),
        lambda tree: packed(tree, lzma.compress),
        zipped,
    ],
    ids=["tar", "gzip", "zstd", "xz", "zip"],
)
def test_an_archive_gives_what_the_tree_gives(tmp_path: Path, pack: Callable[[Path], bytes]) -> None:
    tree = prefix_tree(tmp_path)
    archive = tmp_path / "site.archive"
    archive.write_bytes(pack(tree))
    submissions, refused = taken(archive)
    assert refused == {}
    assert sources(submissions) == sources(taken(tree)[0])
    assert next(iter(read_tree(archive))).place.startswith(f"{archive}/site/")


def test_a_damaged_prefix_is_named_and_the_rest_goes_in(tmp_path: Path) -> None:
    tree = prefix_tree(tmp_path)
    log = tree / "1.2" / LIBGREET.name / ".spack" / "spack-build-out.txt.gz"
    log.write_bytes(log.read_bytes()[:-9])
    submissions, refused = taken(tree)
    assert list(refused) == [str(log.parents[1])]
    assert "spack-build-out.txt.gz" in refused[str(log.parents[1])]
    assert len(sources(submissions)) == len(PREFIXES) + 2


def test_links_are_not_followed_and_loops_end(tmp_path: Path) -> None:
    tree = prefix_tree(tmp_path)
    (tree / "loop").symlink_to(tree)
    (tree / "view").symlink_to(LIBGREET)
    os.mkfifo(tree / "pipe")
    assert taken(tree)[1] == {}
    assert len(taken(tree)[0]) == len(PREFIXES) + 2


def test_a_directory_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    tree = prefix_tree(tmp_path)
    (tree / "0.18").mkdir()
    walk = read_tree(tree)
    first = next(walk)
    # Root may read every directory: one that is gone is none for anybody.
    (tree / "0.18").rmdir()
    (gone,) = [found for found in walk if found.place == str(tree / "0.18")]
    assert list(first.read())
    with pytest.raises(Refused, match="the directory cannot be read: No such file or directory"):
        list(gone.read())


def tar_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_an_archive_writes_nothing_outside_and_makes_no_link_nor_device(tmp_path: Path) -> None:
    spec = (LIBGREET / ".spack" / "spec.json").read_bytes()
    archive = tmp_path / "hostile.tar"
    archive.write_bytes(
        tar_of(
            (member("../outside.json"), spec),
            (member(f"{tmp_path}/absolute.json"), spec),
            (member("links", tarfile.SYMTYPE, str(tmp_path)), b""),
            (member("links/through.json"), spec),
            (member("p/.spack/spack-build-out.txt", tarfile.LNKTYPE, "/etc/passwd"), b""),
            (member("p/.spack/install_times.json", tarfile.FIFOTYPE), b""),
            (member("p/.spack/spec.json"), spec),
        )
    )
    before = sorted(tmp_path.iterdir())
    submissions, refused = taken(archive)
    assert sorted(tmp_path.iterdir()) == before
    assert [type(submission) for submission in submissions] == [SpecReport, SpecReport]
    sentence = refused[str(archive)]
    assert "../outside.json is left out" in sentence
    assert "absolute.json is left out" in sentence
    assert "it is a hard link to /etc/passwd" in sentence
    assert "it is a device or a pipe" in sentence


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress, lzma.compress])
def test_an_archive_that_unpacks_into_too_much_is_left_at_that(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    spec = (LIBGREET / ".spack" / "spec.json").read_bytes()
    zeros = bytes(80 << 20)
    archive = tmp_path / "bomb"
    archive.write_bytes(
        compress(tar_of((member("a/spec.json"), spec), (member("b/.spack/spack-build-out.txt"), zeros)))
    )
    submissions, refused = taken(archive)
    assert [type(submission) for submission in submissions] == [SpecReport]
    assert "ARCHIVE_TOO_LARGE: it unpacks into more than 64 MiB" in refused[str(archive)]


def test_a_truncated_archive_gives_what_comes_before_its_end(tmp_path: Path) -> None:
    tree = prefix_tree(tmp_path)
    whole = packed(tree, gzip.compress)
    archive = tmp_path / "cut.tar.gz"
    archive.write_bytes(whole[: len(whole) // 2])
    submissions, refused = taken(archive)
    assert submissions
    assert "ARCHIVE_DAMAGED" in refused[str(archive)]


@given(st.data())
def test_a_mutilated_archive_gives_submissions_and_refusals_only(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory:
        stage = copied(STAGE, Path(directory))
        whole = data.draw(
            st.sampled_from([zipped(stage), packed(stage, bytes), packed(stage, gzip.compress)])
        )
        at = data.draw(st.integers(0, len(whole)))
        cut = data.draw(st.integers(0, 600))
        archive = Path(directory) / "archive"
        archive.write_bytes(whole[:at] + data.draw(st.binary(max_size=4)) + whole[at + cut :])
        taken(archive)


def test_a_saved_run_is_installs_of_one_source_each(tmp_path: Path) -> None:
    runs = sorted(
        path for path in LOCAL_SAVE.rglob("*") if path.is_dir() and any(path.glob("build-metadata-*"))
    )
    submissions, refused = taken(LOCAL_SAVE)
    builds = sum(len(list(run.glob("build-metadata-*"))) for run in runs)
    assert refused == {}
    assert len(sources(submissions)) == builds
    assert taken(LOCAL_SAVE)[0] == submissions
    run = copied(runs[0], tmp_path)
    broken = sorted(run.glob("build-*-phase-*.json"))[0]
    broken.write_text("{")
    incomplete, sentence = taken(run)
    assert broken.name in sentence[str(run)]
    assert sources(incomplete) < sources(submissions)


def test_a_buildcache_in_a_tree_is_read_as_one_and_its_blobs_are_not(tmp_path: Path) -> None:
    blob = gzip.compress((LIBGREET / ".spack" / "spec.json").read_bytes())
    checksum = hashlib.sha256(blob).hexdigest()
    stored = tmp_path / "cache" / "blobs" / "sha256" / checksum[:2] / checksum
    stored.parent.mkdir(parents=True)
    stored.write_bytes(blob)
    (stored.parent / "tarball").write_bytes(gzip.compress(tar_of((member("prefix/.spack/spec.json"), b"{}"))))
    manifests = tmp_path / "cache" / "v3" / "manifests" / "spec" / "libgreet"
    manifests.mkdir(parents=True)
    entry = {
        "mediaType": "application/vnd.spack.spec.v5+json",
        "compression": "gzip",
        "checksumAlgorithm": "sha256",
        "checksum": checksum,
    }
    manifest = json.dumps({"version": 3, "data": [entry]})
    (manifests / f"{LIBGREET.name}.spec.manifest.json").write_text(manifest)
    submissions, refused = taken(tmp_path)
    assert refused == {}
    assert [type(submission) for submission in submissions] == [SpecReport, BuildcacheReport]
    stored.unlink()
    assert "its blob" in taken(tmp_path)[1][str(tmp_path / "cache")]


def test_a_file_that_is_no_document_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "tool").write_bytes(b"\x7fELF\0\0")
    (tmp_path / "inner.tar").write_bytes(tar_of((member("a.json"), b"{}")))
    (tmp_path / "spec.json").write_bytes((LIBGREET / ".spack" / "spec.json").read_bytes())
    submissions, refused = taken(tmp_path)
    assert [type(submission) for submission in submissions] == [SpecReport]
    assert refused[str(tmp_path / "tool")].startswith("DOCUMENT_UNKNOWN")
    assert refused[str(tmp_path / "inner.tar")].startswith("ARCHIVE_NESTED")


def test_nothing_is_said_to_be_nothing(tmp_path: Path) -> None:
    assert list(taken(tmp_path)[1].values()) == [
        "NOTHING_FOUND: there is nothing in it that could be imported"
    ]
    assert taken(tmp_path / "missing")[1][str(tmp_path / "missing")].startswith("FILE_UNREADABLE")
    (file,) = read_tree(LIBGREET / ".spack" / "spec.json")
    assert isinstance(file, Readable)
    assert file.place == str(LIBGREET / ".spack" / "spec.json")


def test_a_log_larger_than_a_database_value_is_a_sentence_and_is_not_read(tmp_path: Path) -> None:
    prefix = copied(LIBGREET, tmp_path)
    log = prefix / ".spack" / "spack-build-out.txt"
    with log.open("wb") as file:
        file.truncate((1 << 30) + 1)
    submissions, refused = taken(prefix)
    assert "spack-build-out.txt is larger than 1024 MiB" in refused[str(prefix)]
    (report,) = submissions
    assert isinstance(report, InstallReport)
    assert (
        json.loads((prefix / ".spack" / "install_times.json").read_text())["total"] == report.duration_seconds
    )


def test_the_artifacts_of_a_job_of_spack_ci_are_one_build_of_the_spec_that_it_names(tmp_path: Path) -> None:
    job = tmp_path / "jobs_scratch_dir"
    for name in ("logs", "reproduction", "tests"):
        (job / name).mkdir(parents=True)
    spec = (LIBGREET / ".spack" / "spec.json").read_bytes()
    (job / "reproduction" / "libgreet.json").write_bytes(spec)
    details = {
        "job_name": "libgreet /abc",
        "job_spec_json": "libgreet.json",
        "ci_project_dir": "/builds/site",
    }
    (job / "reproduction" / "repro.json").write_text(json.dumps(details))
    (job / "reproduction" / "install.sh").write_text("#!/bin/sh\nspack install\n")
    (job / "reproduction" / "spack_info.txt").write_text("1.2.0\n")
    log = b"==> libgreet: Executing phase: 'build'\nmake: *** [Makefile:2: all] Error 1\n"
    (job / "logs" / "spack-build-out.txt.gz").write_bytes(gzip.compress(log))
    submissions, refused = taken(tmp_path)
    assert refused == {}
    (build,) = (one for one in submissions if isinstance(one, InstallReport))
    (stored,) = (one for one in submissions if isinstance(one, SpecReport))
    assert (build.package_name, build.spec_hash, build.status) == ("libgreet", stored.graph.root, "FAILED")
    assert [(phase.name, phase.output) for phase in build.phases] == [("build", log)]
    for damage in ({}, {"job_spec_json": 7}, {"job_spec_json": "../libgreet.json"}):
        (job / "reproduction" / "repro.json").write_text(json.dumps(damage))
        submissions, refused = taken(tmp_path)
        assert not any(isinstance(one, InstallReport) for one in submissions)
        assert len(refused) == 1, damage
