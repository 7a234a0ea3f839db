"""Many clients at once: nothing is lost, nothing is there twice, nobody waits for somebody who waits."""

import dataclasses
import random
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from spackmon.graph.spec import Deptype, Edge, SpecNode
from spackmon.ingest.checking import check_database
from spackmon.ingest.receipts import SpecReceipt
from spackmon.submission import SpecReport, Submission
from tests.ingest.reports import Site, build_report, graph, spec, spec_report
from tests.waiting import GIVE_UP_SECONDS

WRITERS = 8


def overlapping_graphs(count: int) -> list[list[SpecNode]]:
    """Graphs of 12 specs of their own over a pool that they share."""
    choose = random.Random(7)
    pool: list[SpecNode] = []
    below: dict[str, set[SpecNode]] = {}

    def add(name: str, candidates: list[SpecNode]) -> SpecNode:
        children = choose.sample(candidates, min(len(candidates), choose.randint(0, 3)))
        node = spec(name, f"1.{choose.randint(0, 5)}", *children)
        below[node.hash] = set(children).union(*[below[child.hash] for child in children])
        return node

    for number in range(60):
        pool.append(add(f"shared-{number}", pool[-12:]))
    graphs = []
    for number in range(count):
        own: list[SpecNode] = []
        for part in range(12):
            own.append(add(f"own-{number % 20}-{part}", [*own, *choose.sample(pool, 4)]))
        root = spec(f"root-{number}", "1.0", *own)
        nodes = list(set(own).union(*[below[node.hash] for node in own]))
        graphs.append([root, *nodes])
    return graphs


def in_parallel(site: Site, jobs: list[Any]) -> list[Any]:
    """Run each job in one of eight threads, as a single transaction that nobody repeats."""
    with ThreadPoolExecutor(WRITERS) as threads:
        return list(threads.map(lambda job: job(site), jobs))


def test_eight_writers_of_overlapping_graphs_lose_nothing_and_repeat_nothing(site: Site) -> None:
    graphs = overlapping_graphs(20)
    # Four clients post each graph at the same moment, each with its nodes in another order.
    reports = [
        spec_report(root, *in_some_order(others, seed)) for root, *others in graphs for seed in range(4)
    ]
    receipts = in_parallel(site, [lambda s, r=report: s.apply(r) for report in reports])
    assert sum(receipt.created for receipt in receipts) == len(graphs)
    nodes = {node.hash: node for graph in graphs for node in graph}
    assert site.rows("SELECT count(*) FROM spec") == [(len(nodes),)]
    assert site.rows("SELECT count(*) FROM spec_document") == [(len(nodes),)]
    edges = {(node.hash, edge.child) for node in nodes.values() for edge in node.edges}
    stored = site.rows(
        "SELECT p.hash, c.hash FROM dependency d JOIN spec p ON p.id = d.parent_id "
        "JOIN spec c ON c.id = d.child_id"
    )
    assert sorted(stored) == sorted(edges)
    for pairs in ("closure", "closure_above"):
        parallel = site.rows(
            f"SELECT a.hash, d.hash FROM {pairs} c JOIN spec a ON a.id = c.ancestor_id "
            "JOIN spec d ON d.id = c.descendant_id"
        )
        assert len(parallel) == len(set(parallel))
        assert set(parallel) == closure_of(nodes)


def in_some_order(nodes: list[SpecNode], seed: int) -> list[SpecNode]:
    """The same nodes, shuffled."""
    return random.Random(seed).sample(nodes, len(nodes))


def closure_of(nodes: dict[str, SpecNode]) -> set[tuple[str, str]]:
    """Every pair of ancestor and descendant, found by walking down from each node."""
    pairs = set()
    for start in nodes:
        waiting = [edge.child for edge in nodes[start].edges]
        while waiting:
            child = waiting.pop()
            if (start, child) not in pairs:
                pairs.add((start, child))
                waiting.extend(edge.child for edge in nodes[child].edges)
    return pairs


def test_large_graphs_from_eight_writers_in_eight_orders_are_stored_once(site: Site) -> None:
    together = Barrier(WRITERS)

    def post(report: SpecReport) -> SpecReceipt:
        site.rows("SELECT 1")
        together.wait(timeout=GIVE_UP_SECONDS)
        receipt: SpecReceipt = site.apply(report)
        return receipt

    for turn in range(4):
        leaves = [spec(f"leaf-{turn}-{number}", "1.0") for number in range(800)]
        root = spec(f"environment-{turn}", "1.0", *leaves)
        reports = [spec_report(root, *in_some_order(leaves, seed)) for seed in range(WRITERS)]
        with ThreadPoolExecutor(WRITERS) as threads:
            receipts = list(threads.map(post, reports))
        assert sum(receipt.created for receipt in receipts) == 1
    for table, count in (("spec", 3204), ("spec_document", 3204), ("dependency", 3200), ("closure", 3200)):
        assert site.rows(f"SELECT count(*) FROM {table}") == [(count,)]


def test_eight_writers_of_specs_above_the_same_ones_do_not_wait_for_each_other(site: Site) -> None:
    together = Barrier(WRITERS)
    leaves = [spec(f"leaf-{number}", "1.0") for number in range(100)]
    site.apply(spec_report(spec("first", "1.0", *leaves), *leaves))

    def post(report: SpecReport) -> None:
        site.rows("SELECT 1")
        together.wait(timeout=GIVE_UP_SECONDS)
        site.apply(report)

    roots = [spec(f"root-{number}", "1.0", *leaves) for number in range(4 * WRITERS)]
    with ThreadPoolExecutor(WRITERS) as threads:
        list(threads.map(post, [spec_report(root, *leaves) for root in roots]))
    for pairs in ("closure", "closure_above"):
        assert site.rows(f"SELECT count(*) FROM {pairs}") == [(100 * (4 * WRITERS + 1),)]


def test_documents_that_complete_each_other_at_the_same_moment_give_the_whole_graph(site: Site) -> None:
    names = [f"part-{number}" for number in range(10)]
    known = {name: {kind: f"{name}-{kind}" for kind in ("full_hash", "build_hash", "hash")} for name in names}

    def document(top: int, kinds: tuple[str, ...], *, with_builds: bool) -> SpecReport:
        nodes = []
        for number in range(top, -1, -1):
            below = [number - 1] if number else []
            # A part needs the one before the last to build it: some documents do not say so.
            edges = [Edge(known[names[child]][kinds[0]], Deptype.LINK) for child in below]
            if with_builds and number > 1:
                edges.append(Edge(known[names[number - 2]][kinds[0]], Deptype.BUILD, ("c",)))
            hashes = known[names[number]]
            nodes.append(
                dataclasses.replace(
                    spec(names[number], "1", document=f"{number}{kinds}{with_builds}", compiler=None),
                    hash=hashes[kinds[0]], hash_kind=kinds[0], edges=tuple(edges),
                    hashes=tuple((kind, hashes[kind]) for kind in kinds),
                )
            )  # fmt: skip
        return SpecReport(graph(*nodes, format_version=1), "0.16.0")

    reports: list[Submission] = [
        document(top, kinds, with_builds=with_builds)
        for top in range(2, 10)
        for kinds in [("full_hash", "build_hash", "hash"), ("build_hash", "hash"), ("hash",)]
        for with_builds in (False, True)
    ]
    some = [document(top, ("full_hash", "hash"), with_builds=False) for top in range(10)]
    for report in some:
        site.apply(report)
    builds: list[Submission] = [build_report(known[name]["full_hash"], host=name) for name in names]
    jobs = [*reports, *builds]
    random.Random(3).shuffle(jobs)
    in_parallel(site, [lambda s, r=job: s.apply(r) for job in jobs])
    assert site.rows("SELECT count(*), min(hash_kind) FROM spec") == [(10, "full_hash")]
    assert site.rows("SELECT count(*) FROM dependency") == [(9 + 8,)]
    assert site.rows("SELECT count(*) FROM closure") == [(45,)]
    assert site.rows("SELECT count(*) FROM closure WHERE by_caret") == [(45,)]
    assert site.rows("SELECT count(*) FROM build_content") == [(45,)]
    different = [progress.differences for progress in check_database(site.database, repair=False)]
    assert not any(count for found in different for count in found.values())


def test_many_first_posts_of_one_build_give_one_build(site: Site) -> None:
    zlib = spec("zlib", "1.2.11")
    site.apply(spec_report(zlib))
    report = build_report(zlib.hash, tags=("b", "a"))
    receipts = in_parallel(site, [lambda s: s.apply(report)] * 24)
    assert len({receipt.build_id for receipt in receipts}) == 1
    assert sum(receipt.build_created for receipt in receipts) == 1
    assert sum(receipt.environment_created for receipt in receipts) == 1
    assert site.attempts(receipts[0].build_id) == [("NOTRUN", [])]


def test_builds_that_fail_at_the_same_moment_do_not_wait_for_each_other(site: Site) -> None:
    for host in range(6):
        builds = [site.build(spec("package", f"1.{n}"), host=f"node-{host}") for n in range(8)]
        in_parallel(site, [lambda s, b=build: s.status(b, "FAILED") for build in builds])
        assert [site.attempts(build) for build in builds] == [[("FAILED", [])]] * 8


def test_concurrent_phases_of_one_build_are_all_kept_in_one_attempt(site: Site) -> None:
    build_id = site.build(spec("zlib", "1.2.11"))
    names = [f"phase-{number}" for number in range(24)]
    in_parallel(site, [lambda s, n=name: s.phase(build_id, n, output=n.encode()) for name in names])
    ((status, phases),) = site.attempts(build_id)
    assert (status, sorted(phases)) == ("RUNNING", sorted(names))
    positions = site.rows("SELECT k.position FROM phase p JOIN phase_kind k ON k.id = p.kind_id ORDER BY 1")
    assert [position for (position,) in positions] == list(range(1, 25))
