"""The benchmarks' site: numbers of two runs can be compared only if both measured the same data."""

from benchmarks.data import Site, Size
from spackmon.formats import spec_json

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
