"""`spackmon db check`: what follows from documents is compared, and made right again."""

import dataclasses
from collections import Counter
from functools import partial

from sqlalchemy import Connection, text

from spackmon.graph.packed_claims import unpack_hashes
from spackmon.graph.spec import Deptype, Edge
from spackmon.ingest.checking import check_database
from spackmon.status import BuildStatus
from spackmon.submission import SpecReport
from tests.ingest.installs import START, after, live
from tests.ingest.reports import Site, build_report, graph, spec, spec_report
from tests.ingest.test_any_order import contents, stored

GCC = spec("gcc", "13.1")
ZLIB = dataclasses.replace(
    spec("zlib", "1.3", compiler=None), edges=(Edge(GCC.hash, Deptype.BUILD, ("c", "cxx")),)
)
HDF5 = spec("hdf5", "1.14", ZLIB)
# Of a mixed toolchain.
HDF5 = dataclasses.replace(HDF5, edges=(*HDF5.edges, Edge(GCC.hash, Deptype.BUILD, ("fortran",))),
                           package_hash="recipe")  # fmt: skip
TOP = spec("top", "1", HDF5, GCC)
OLD = dataclasses.replace(
    spec("old", "1"), hash="f" * 32, hash_kind="full_hash",
    hashes=(("full_hash", "f" * 32), ("hash", "d" * 32)),
)  # fmt: skip

_ID_OF = "(SELECT o.id FROM spec o WHERE o.hash = '{}')"
DAMAGES = {
    "closure": [
        "DELETE FROM closure WHERE ancestor_id = (SELECT max(ancestor_id) FROM closure)",
        "INSERT INTO closure (ancestor_id, descendant_id, by_caret, by_link_run, by_build, depth) "
        "SELECT a.id, b.id, true, true, true, 1 FROM spec a, spec b "
        f"WHERE a.hash = '{GCC.hash}' AND b.hash = '{TOP.hash}'",
        "INSERT INTO closure (ancestor_id, descendant_id, by_caret, by_link_run, by_build, depth) "
        "VALUES (1000, 1001, true, false, true, 1)",
        *(f"UPDATE closure SET by_{way} = NOT by_{way}" for way in ("caret", "link_run", "build")),
        "UPDATE closure SET depth = depth + 1",
    ],
    "lists": [
        "DELETE FROM descendant_list WHERE ancestor_id = (SELECT max(ancestor_id) FROM descendant_list)",
        "DELETE FROM ancestor_list",
        "INSERT INTO descendant_list VALUES (1000, ARRAY[CAST(1001 AS bigint) << 24])",
        "INSERT INTO ancestor_list VALUES (1001, 3, ARRAY[1 << 8])",
        f"INSERT INTO descendant_list SELECT id, ARRAY[CAST({_ID_OF.format(TOP.hash)} AS bigint) << 24]"
        f" FROM spec WHERE hash = '{GCC.hash}'",
        f"INSERT INTO ancestor_list SELECT id, 0, ARRAY[CAST({_ID_OF.format(GCC.hash)} AS integer)]"
        f" FROM spec WHERE hash = '{TOP.hash}'",
        "UPDATE descendant_list SET descendants = ARRAY(SELECT p # 1 FROM unnest(descendants) p)",
        "UPDATE ancestor_list SET ancestors = ARRAY(SELECT p # 512 FROM unnest(ancestors) p)",
    ],
    "dependencies": [
        "DELETE FROM dependency WHERE virtuals = '[]'",
        "UPDATE dependency SET deptypes = 15",
        "INSERT INTO dependency (parent_id, child_id, virtuals, deptypes) "
        f"SELECT a.id, b.id, '[\"mpi\"]', 1 FROM spec a, spec b "
        f"WHERE a.hash = '{GCC.hash}' AND b.hash = '{ZLIB.hash}'",
    ],
    "provided virtuals": [
        "DELETE FROM provided_virtual",
        "UPDATE provided_virtual SET deptypes = 0",
    ],
    "package versions of builds": [
        "DELETE FROM build_content",
        "INSERT INTO build_content (package_version_id, chunk, place, package_id) VALUES (1, 0, 99, 1)",
    ],
    "compilers of specs": ["DELETE FROM other_compiler", "UPDATE other_compiler SET language = 'c'",
        "INSERT INTO other_compiler (spec_id, language, compiler_id)"
        " SELECT s.id, 'cxx', s.compiler_id FROM spec s WHERE s.compiler_id IS NOT NULL"],
    "hashes of specs": ["DELETE FROM spec_hash", "UPDATE spec_hash SET kind = 'build_hash'"],
    "other hashes": [
        "DELETE FROM spec_other_hash", "UPDATE spec_other_hash SET kind = 'build_hash'",
        "INSERT INTO spec_other_hash (value, kind, spec_id) SELECT hash, hash_kind, id FROM spec",
    ],
    "values of specs": ["UPDATE spec SET compiler_id = NULL", "UPDATE spec SET format_version = 5",
        "UPDATE spec SET built_as = hash", "UPDATE spec SET compiler_languages = 2",
        "UPDATE spec SET package_hash_id = NULL"],
    "runs": [
        "UPDATE attempt SET status = 'FAILED'", "DELETE FROM phase", "UPDATE attempt SET prefix = '/other'",
        "UPDATE attempt SET started_at = NULL",
    ],
    "claims of another spec": [
        f"UPDATE claim SET spec_id = (SELECT s.id FROM spec s WHERE s.hash = '{ZLIB.hash}')",
    ],
    "builds": ["UPDATE build SET status = 'FAILED'", "UPDATE build SET newest_attempt_id = NULL"],
}  # fmt: skip
STORED_OTHERWISE = {"closure": "lists", "hashes of specs": "other hashes"}
"""What PostgreSQL stores otherwise, and the damages of that."""


def differences(site: Site, *, repair: bool = False) -> Counter[str]:
    found: Counter[str] = Counter()
    for progress in check_database(site.database, repair=repair):
        found.update(progress.differences)
    return found


def test_damage_is_counted_and_repaired(site: Site) -> None:
    site.apply(spec_report(TOP, HDF5, ZLIB, GCC))
    site.apply(spec_report(OLD))
    for node in (TOP, HDF5):
        site.phase(site.apply(build_report(node.hash)).build_id, "build")
    right = contents(site)
    assert not any(differences(site).values())
    # What one repair leaves is what the next damage is done to.
    ours = {name: damages for name, damages in DAMAGES.items() if name not in STORED_OTHERWISE.values()}
    if not site.database.is_sqlite:
        ours |= {name: DAMAGES[stored] for name, stored in STORED_OTHERWISE.items()}
    for name, damage in ((name, damage) for name, damages in ours.items() for damage in damages):
        site.database.write_once(partial(_damage, damage))
        if damage == ours[name][0]:
            damaged = stored(site)
            assert differences(site)[name] > 0, damage
            assert stored(site) == damaged, damage
        assert differences(site, repair=True)[name] > 0, damage
        assert contents(site) == right, damage
        assert not any(differences(site).values()), damage


def _damage(statement: str, connection: Connection) -> None:
    connection.execute(text(statement))


def test_runs_that_are_not_numbered_by_when_they_ran_are_found_and_numbered(site: Site) -> None:
    for number, began_at in enumerate((START, after(9000), None)):
        site.apply(live(ZLIB, run=f"run-{number}", started_at=began_at, status=BuildStatus.RUNNING))
    numbers = "SELECT number, started_at FROM attempt ORDER BY number"
    right = site.rows(numbers)
    assert [began_at is None for _, began_at in right] == [True, False, False]
    for statement in ("UPDATE attempt SET number = -number", "UPDATE attempt SET number = 4 + number"):
        site.database.write_once(lambda c, statement=statement: c.execute(text(statement)))
    assert site.rows(numbers) != right
    assert differences(site, repair=True)["builds"] == 1
    assert site.rows(numbers) == right
    assert not any(differences(site).values())


def test_documents_of_one_spec_in_two_are_brought_together(site: Site) -> None:
    weak = dataclasses.replace(
        spec("old", "1"), hash="d" * 32, hash_kind="hash", hashes=(("hash", "d" * 32),)
    )
    strong = dataclasses.replace(
        weak, hash="f" * 32, hash_kind="full_hash", hashes=(("full_hash", "f" * 32), ("hash", "d" * 32)),
        document="{}",
    )  # fmt: skip
    site.apply(SpecReport(graph(strong, format_version=1), "0.16.0"))
    site.apply(SpecReport(graph(weak, format_version=1), "0.16.0"))
    right = contents(site)
    assert len(right["spec"]) == 1
    documents = site.rows("SELECT packed, dictionary, id FROM spec_document")
    (moved,) = (i for *packed, i in documents if unpack_hashes(*packed)[0].startswith('[["hash'))
    site.database.write_once(
        lambda c: [
            c.execute(text(statement))
            for statement in (
                "INSERT INTO spec (hash, hash_kind, package_version_id, names_compiler, architecture_id,"
                " parameter_set_id, format_version, recorded_at) SELECT 'dddddddddddddddddddddddddddddddd',"
                " 'hash', package_version_id, false, architecture_id, parameter_set_id, 1, recorded_at"
                " FROM spec",
                f"UPDATE spec_document SET spec_id = (SELECT max(id) FROM spec) WHERE id = {moved}",
            )
        ]
    )
    assert differences(site)["documents of another spec"] == 1
    differences(site, repair=True)
    assert contents(site) == right
