"""Every page of the site: the CPU that a visit takes, and what its visitor's browser has to load for it.

What the old server took stands beside the two pages that it has figures of.
"""

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from html import unescape
from urllib.parse import quote, urljoin

from benchmarks.databases import Loaded
from benchmarks.measure import Cost, Meter, Result, Target, at_most, backends, median
from benchmarks.server import Server, served

TOPIC = "pages"
# Of all that is asked of pages: milliseconds of 20,000 builds, and of more.
_MOST_MS, _MOST_MS_OF_MANY, _MANY_BUILDS = 50, 100, 200_000
_MOST_BYTES = 100_000
_WITH_MORE_BYTES = frozenset({"graph", "GraphiQL"})
# Of the old server (Django; its pages `/tables/build` and `/specs/diff`), as those measured it who asked for
# these pages. It is no part of a run: nothing installs it.
_OLD_TABLE_MS, _OLD_DIFFERENCE_MS = 413, 6_300
_OLD_TABLE_ROWS = 100
_WARM = 6
_FILE = re.compile(r'<(?:link rel="(?:stylesheet|icon)"|script|img)[^>]* (?:href|src)="([^"]+)"')
_IMPORT = re.compile(r'(?:\bfrom|\bimport)"(\./[^"]+)"')

_KNOWN = """{
  failed: builds(where: {status: {eq: FAILED}, phases: {some: {name: {eq: "build"}}}}, first: 1) { nodes {
    id package { name } environment { hostname } phases { nodes { id status log { lineCount } } }
  } }
  builds(first: 1) { nodes { id spec { hash } } }
  errorGroups(first: 1, orderBy: [{buildCount: DESC}]) { nodes { fingerprint } }
  specs(first: 2, where: {name: {eq: "hdf5"}}) { nodes { hash } }
  spackEnvironments(first: 1) { nodes { name } }
  ciRuns(first: 1) { nodes { id } }
}"""


def addresses(server: Server) -> Mapping[str, str]:
    """The address of each page by its name, of a site with builds, phases with logs, and errors."""
    known = server.http.post("/graphql", json={"query": _KNOWN}).json()["data"]
    (failed,), (newest,), (group,) = (known[noun]["nodes"] for noun in ("failed", "builds", "errorGroups"))
    a, b = (spec["hash"] for spec in known["specs"]["nodes"])
    phase = next(one["id"] for one in reversed(failed["phases"]["nodes"]) if one["log"]).partition(":")[2]
    package, host = (
        quote(name, safe="") for name in (failed["package"]["name"], failed["environment"]["hostname"])
    )
    found = {
        "home": "/",
        "builds": "/builds",
        "builds of a spec": "/builds?satisfying=hdf5+%5Ezlib%401.2.11",
        "a failed build": f"/builds/{failed['id']}",
        "a build": f"/builds/{newest['id']}",
        "log": f"/phases/{phase}/lines",
        "spec": f"/specs/{newest['spec']['hash']}",
        "graph": f"/specs/{newest['spec']['hash']}/graph",
        "packages": "/packages",
        "package": f"/packages/{package}",
        "errors": "/errors",
        "error": f"/errors/{group['fingerprint']}",
        "two specs compared": f"/compare/specs/{a}/{b}",
        "two builds compared": f"/compare/builds/{newest['id']}/{failed['id']}",
        "runs compared": "/compare/runs",
        "files": f"/builds/{newest['id']}/files",
        "splice": f"/splice?build={newest['id']}",
        "results": "/results",
        "environments": "/environments",
        "hosts": "/hosts",
        "host": f"/hosts/{host}",
        "ci": "/ci",
        "concretization failures": "/concretization-failures",
        "docs": "/docs/",
        "sign in": "/login",
        "GraphiQL": "/graphql",
    }
    for name, path, noun, key in (
        ("environment", "/environments/", "spackEnvironments", "name"), ("ci run", "/ci/", "ciRuns", "id"),
    ):  # fmt: skip
        for node in known[noun]["nodes"]:
            found[name] = path + quote(node[key].rpartition(":")[2], safe="")
    return found


def files_of(server: Server, page: str) -> Mapping[str, bytes]:
    """What a browser loads for this HTML before anybody does anything: each file by its address."""
    waiting = _FILE.findall(page)
    found: dict[str, bytes] = {}
    while waiting:
        address = waiting.pop()
        if address not in found:
            found[address] = server.http.get(address).raise_for_status().content
            if address.endswith(".js"):
                waiting += [urljoin(address, name) for name in _IMPORT.findall(found[address].decode())]
    return found


def measure(loaded: Loaded, *, quick: bool) -> list[Result]:
    """Every page on one database; what it may take is asked of the CPU of our process and of PostgreSQL's."""
    with served(loaded.url) as server:
        return list(_results(loaded, server, rounds=5 if quick else 11))


def _results(loaded: Loaded, server: Server, rounds: int) -> Iterator[Result]:
    most_ms = at_most(_MOST_MS if loaded.counts.builds < _MANY_BUILDS else _MOST_MS_OF_MANY)
    costs: dict[str, Cost] = {}
    for name, path in addresses(server).items():
        first = _visit(loaded, server, [path], rounds=1)
        costs[name] = _visit(loaded, server, [path], rounds, warm=_WARM)
        yield _result(loaded, f"{name}: CPU of a visit", costs[name].cpu, "ms", most_ms)
        yield _result(loaded, f"{name}: a visitor waits", costs[name].wall, "ms")
        yield _result(loaded, f"{name}: CPU of the first visit of all", first.cpu, "ms")
        yield from _loads(loaded, server, name, path)
    table = _visit(loaded, server, _pages_of_builds(server), rounds, warm=_WARM)
    yield _result(loaded, f"{_OLD_TABLE_ROWS} builds, in pages: CPU of a visit", table.cpu, "ms")
    yield _result(loaded, f"{_OLD_TABLE_ROWS} builds, in pages: a visitor waits", table.wall, "ms")
    yield _result(loaded, f"{_OLD_TABLE_ROWS} builds: the old server, as it was told", _OLD_TABLE_MS, "ms")
    yield _result(loaded, "two specs compared: the old server, as it was told", _OLD_DIFFERENCE_MS, "ms")
    # By CPU: a client of a busy machine waits longer, and nobody knows how busy theirs was.
    yield _result(loaded, "table of builds: times faster, by CPU", _OLD_TABLE_MS / table.cpu, "")
    faster = _OLD_DIFFERENCE_MS / costs["two specs compared"].cpu
    yield _result(loaded, "two specs compared: times faster, by CPU", faster, "")


def _loads(loaded: Loaded, server: Server, name: str, path: str) -> Iterator[Result]:
    """Bytes before they are compressed, and what of them goes over the network."""
    page = server.http.get(path, headers={"Accept": "text/html"}).content
    files = files_of(server, page.decode())
    code = {address: content for address, content in files.items() if not address.endswith(".svg")}
    code_bytes = sum(map(len, code.values()))
    most = None if name in _WITH_MORE_BYTES else at_most(_MOST_BYTES)
    yield _result(loaded, f"{name}: HTML", len(page), "bytes")
    yield _result(loaded, f"{name}: CSS and JS", code_bytes, "bytes", most)
    yield _result(loaded, f"{name}: CSS and JS, packed", sum(map(_packed, code.values())), "bytes")
    yield _result(loaded, f"{name}: requests", 1 + len(files), "")


def _packed(content: bytes) -> int:
    return len(zlib.compress(content, 5))


def _pages_of_builds(server: Server) -> list[str]:
    """The addresses of the pages with the newest builds, as many as the old server had in its table."""
    found, path = ["/builds"], "/builds"
    rows = 0
    while True:
        page = server.http.get(path, headers={"Accept": "text/html"}).text
        rows += page.count('<th scope="row">')
        older = re.search(r'<a rel="next" href="([^"]+)"', page)
        if older is None or rows >= _OLD_TABLE_ROWS:
            return found
        path = unescape(older[1])
        found.append(path)


def _visit(loaded: Loaded, server: Server, paths: Sequence[str], rounds: int, warm: int = 0) -> Cost:
    def visit() -> None:
        for path in paths:
            server.http.get(path, headers={"Accept": "text/html"}).raise_for_status()

    for _ in range(warm):
        visit()
    meter = Meter(server.process_id, backends(loaded.url))
    return median(meter.cost(visit) for _ in range(rounds))


def _result(loaded: Loaded, what: str, value: float, unit: str, target: Target | None = None) -> Result:
    return Result(TOPIC, loaded.name, what, value, unit, target)
