"""What became of an environment is known by its name and its roots, whichever came in first."""

from spackmon.formats.detect import read_document
from spackmon.submission import EnvironmentReport
from tests.formats import documents as files
from tests.ingest.reports import Site

ROOTS = """
    SELECT e.name, l.version, r.position, r.abstract_spec, r.group_name, s.hash
    FROM spack_environment e JOIN lock_file l ON l.environment_id = e.id
    JOIN lock_file_root r ON r.lock_file_id = l.id LEFT JOIN spec s ON s.id = r.spec_id
    ORDER BY l.id, r.position
"""


def test_a_root_is_the_spec_that_comes_in_later(site: Site) -> None:
    reports = list(read_document("file", files.data("spack-1.2.lock"), None, place="site/spack.lock"))
    (environment,) = (one for one in reports if isinstance(one, EnvironmentReport))
    site.apply(environment)
    assert {row[-1] for row in site.rows(ROOTS)} == {None}
    for report in reports:
        site.apply(report)
    once = site.dump()
    for report in reports:
        site.apply(report)
    assert site.dump() == once
    assert site.rows(ROOTS) == [
        ("site", environment.lock_file_version, position, root.abstract_spec, root.group, root.spec_hash)
        for position, root in enumerate(environment.roots)
    ]


def test_another_persons_environment_of_the_same_name_is_another(site: Site) -> None:
    report = EnvironmentReport("site", 7, None, ())
    assert [site.apply(report, owner).created for owner in (site.ada, site.bob, site.ada)] == [
        True, True, False,
    ]  # fmt: skip
