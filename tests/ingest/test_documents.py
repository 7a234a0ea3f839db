"""Real files of every format in the tables: all that they say, once."""

import json

from spackmon.graph.packed_claims import unpack, unpack_hashes
from tests.formats import documents as files
from tests.ingest.reports import Site

DOCUMENTS = """
    SELECT d.packed, d.dictionary FROM spec s JOIN spec_document d ON d.spec_id = s.id
"""


def counts(site: Site) -> dict[str, int]:
    return {name: len(rows) for name, rows in site.dump().items()}


def test_every_file_goes_in_whole_and_the_second_time_nothing_is_added(site: Site) -> None:
    reports = [report for _, written in files.every_file() for report in files.read(written, "1.2.0")]
    for report in reports:
        site.apply(report)
    before = counts(site)
    for report in reports:
        site.apply(report)
    assert counts(site) == before
    stored = {
        (json.loads(unpack_hashes(*row)[0])[0][1], json.dumps(json.loads(unpack(*row)[0])))
        for row in site.rows(DOCUMENTS)
    }
    wanted = {
        (node.hash, json.dumps(json.loads(node.document)))
        for graph in files.graphs(reports)
        for node in graph.nodes.values()
    }
    assert len(wanted) > 100
    assert wanted == stored
