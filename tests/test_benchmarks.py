"""The benchmarks' site: numbers of two runs can be compared only if both measured the same data."""

from sqlalchemy import Connection, func, select

from benchmarks import grow, load
from benchmarks.data import Site, Size
from spackmon import models
from spackmon.database import Database
from spackmon.formats.specs import spec_json
from spackmon.ingest.checking import check_database

TINY = Size(specs=700, builds=50)


def test_a_seed_gives_the_same_site_each_time_and_another_seed_another():
    first, again, other = (list(Site(size).documents()) for size in (TINY, TINY, Size(700, 50, seed=43)))
    assert first == again
    assert first != other
    hashes = [node["hash"] for document in first for node in document["spec"]["nodes"]]
    builds = list(Site(TINY).builds(hashes))
    assert builds == list(Site(TINY).builds(hashes))
    assert len({build.spec_hash for build in builds}) == TINY.builds


def test_the_site_has_the_size_that_was_asked_for_and_its_concretizations_share_specs():
    graphs = [spec_json.read(document["spec"]) for document in Site(Size(specs=3000)).documents()]
    distinct = {hash_ for graph in graphs for hash_ in graph.nodes}
    assert 3000 <= len(distinct) < 3100
    assert sum(len(graph.nodes) for graph in graphs) > 1.2 * len(distinct)


def test_what_is_loaded_in_bulk_is_what_reports_would_have_left_and_grows_as_a_whole(database: Database):
    load.load(database, Site(TINY))
    for progress in check_database(database, repair=False):
        assert not sum(progress.differences.values()), progress
    tables = [models.Spec, models.Build, models.Attempt, models.Claim, models.Phase, models.LogChunk]

    def counted(connection: Connection) -> list[int]:
        return [connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables]

    once = database.read_once(counted)
    assert all(once)
    grow.grow(database, 3)
    assert database.read_once(counted) == [3 * rows for rows in once]
