"""Which build a report is about: by its environment, its spec, or neither."""

import dataclasses

import pytest

from spackmon.errors import Refused
from spackmon.status import SourceKind
from spackmon.submission import (
    Environment,
    Source,
)
from tests.ingest.conftest import Clock
from tests.ingest.installs import (
    EVERYTHING,
    FAILED,
    HERE,
    SOURCES,
    START,
    SUCCESS,
    ZLIB,
    after,
    cdash,
    count,
    install,
    live,
    prefix,
    told_about,
)
from tests.ingest.reports import Site, build_report, graph, spec, spec_report


def test_a_build_in_another_environment_is_another_build(site: Site) -> None:
    site.apply(prefix())
    site.apply(live(environment=dataclasses.replace(HERE, hostname="node-2"), status=SUCCESS))
    assert count(site, "build") == 2


def test_a_poorer_environment_is_completed(site: Site) -> None:
    poor = site.apply(prefix(environment=Environment("", "linux", "", "zen2", "")))
    rich = site.apply(live(status=SUCCESS))
    assert rich.build_id == poor.build_id
    assert [row[1:6] for row in told_about(site, ZLIB)["build"]] == [dataclasses.astuple(HERE)]


def test_two_builds_whose_environments_turn_out_to_be_one_become_one(site: Site) -> None:
    ms1 = site.build(ZLIB)
    site.status(ms1, "FAILED")
    poor = site.apply(install(SourceKind.PREFIX, "p", environment=dataclasses.replace(HERE, hostname="")))
    assert poor.build_id == ms1
    other = dataclasses.replace(HERE, hostname="", kernel_version="#2")
    apart = site.apply(install(SourceKind.STAGE, "s", environment=other, status=FAILED))
    assert apart.build_id != ms1


def test_a_client_of_ms1_goes_on_with_the_build_that_an_import_had_made(site: Site, clock: Clock) -> None:
    imported = site.apply(prefix(environment=None)).build_id
    clock.now = after(1000)
    receipt = site.apply(build_report(ZLIB.hash))
    assert (receipt.build_id, receipt.build_created) == (imported, False)
    site.phase(imported, "configure")
    assert site.attempts(imported) == [("SUCCESS", []), ("RUNNING", ["configure"])]
    assert site.rows(SOURCES) == [("MS1",), ("PREFIX",)]
    assert site.apply(build_report(ZLIB.hash)).build_id == imported


def test_a_build_of_an_unknown_spec_is_linked_when_the_spec_comes(site: Site) -> None:
    root = spec("hdf5", "1.12", ZLIB)
    waiting = site.apply(cdash(root, spec_hash=root.hash, status=FAILED, package_name=None))
    assert waiting.spec_hash is None
    with pytest.raises(Refused, match="the spec of build"):
        site.phase(waiting.build_id, "install")
    site.apply(spec_report(root, ZLIB))
    assert told_about(site, root)["build"][0][0] == root.hash
    assert site.rows("SELECT count(*) FROM build_content") == [(1,)]
    assert site.apply(cdash(root, spec_hash=root.hash, status=FAILED)).build_id == waiting.build_id


def test_linked_to_a_spec_that_has_a_build_two_become_one_and_both_numbers_stay_good(site: Site) -> None:
    old = install(
        SourceKind.CDASH,
        "c",
        graph=None,
        spec_hash="h" * 32,
        environment=HERE,
        **EVERYTHING | {"spack_version": "0.19.0.dev0"},
    )  # as a report that names a hash of which nobody heard
    waiting = site.apply(old).build_id
    shown = (("hash", ZLIB.hash), ("build_hash", "h" * 32))
    build_id = site.build(ZLIB)
    site.phase(build_id, "install", output=b"installing\n")
    assert waiting != build_id
    site.apply(spec_report(dataclasses.replace(ZLIB, hashes=shown, document='{"again":1}')))
    assert site.rows("SELECT id, build_id FROM merged_build") == [(build_id, waiting)]
    assert site.attempts(waiting) == [("FAILED", ["configure", "build", "install"])]
    assert count(site, "build_event") == 2
    files = """SELECT n.build_id, f.path, value FROM install_file f
        JOIN attribute a ON a.install_file_id = f.id
        JOIN attempt n ON n.id = a.attempt_id"""
    assert site.rows(files) == [(waiting, "/opt/zlib/lib/libz.so", "inflate")]
    assert site.rows(SOURCES) == [("CDASH",), ("MS1",)]
    site.analysis(build_id, environment_variables={"CXX": "g++"})
    variables = """SELECT a.build_id, v.name FROM attempt a
        JOIN environment_variable v ON v.environment_set_id = a.environment_set_id"""
    assert site.rows(variables) == [(waiting, "CXX")]
    assert site.apply(old).changed is False


def test_of_two_builds_that_a_report_without_spec_may_be_about_it_is_neither(site: Site) -> None:
    other = spec("zlib", "1.3")
    site.apply(live(ZLIB, graph=graph(ZLIB), status=SUCCESS, started_at=START, finished_at=after(90)))
    site.apply(live(other, graph=graph(other), status=SUCCESS, started_at=START, finished_at=after(90)))
    assert site.apply(cdash(status=SUCCESS)).spec_hash is None
    assert count(site, "build") == 3


def test_a_report_without_spec_from_another_time_is_another_build(site: Site) -> None:
    site.apply(prefix())
    site.apply(cdash(status=SUCCESS, started_at=after(7200), finished_at=after(7290)))
    assert count(site, "build") == 2


def test_a_file_of_017_lacks_the_full_hash_and_yet_is_the_build_that_ms1_saw(site: Site) -> None:
    shown = (("hash", "d" * 32), ("full_hash", "f" * 32))
    seen = spec("zlib", "1.2.11", hash="f" * 32, hash_kind="full_hash", hashes=shown)
    on_disk = dataclasses.replace(seen, hash="d" * 32, hash_kind="hash", hashes=shown[:1], document="{}")
    build_id = site.build(seen)
    assert site.apply(prefix(on_disk)).build_id == build_id


def test_what_an_operator_imports_may_be_of_anybody(site: Site) -> None:
    bobs = site.apply(live(status=SUCCESS, graph=graph(ZLIB), started_at=START), site.bob).build_id
    assert site.apply(prefix()).build_id != bobs
    elsewhere = dataclasses.replace(prefix(prefix=None), source=Source(SourceKind.PREFIX, "elsewhere"))
    assert site.apply(elsewhere, across_owners=True).build_id == bobs
    assert not site.apply(elsewhere, across_owners=True).changed
    # Its owner may report only afterwards: then it is theirs.
    hdf5 = spec("hdf5", "1.12")
    imported = site.apply(prefix(hdf5), across_owners=True)
    seen = live(hdf5, graph=graph(hdf5), status=SUCCESS, started_at=START, finished_at=after(90))
    receipt = site.apply(seen, site.bob)
    assert (receipt.build_id, receipt.attempt_created) == (imported.build_id, False)
    assert site.rows("SELECT owner_id FROM build WHERE id = :b", b=receipt.build_id) == [(site.bob,)]
