"""What an advisory means for a site: the specs and builds that have what is affected, and what to change."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spackmon.client.client import Client
from spackmon.formats.advisories import Affected

_PAGE = 200
_MATCHED = """query($where: SpecFilter, $satisfying: String, $first: Int!) {
  specs(where: $where, satisfying: $satisfying, first: $first) { nodes { hash name version } }
}"""
_BUILDS = """query($where: BuildFilter) {
  builds(where: $where) { groupBy(keys: [STATUS], includeInstalled: true) { keys { status } count } }
}"""
_ROOTS = """query($where: SpecFilter, $direct: DependencyFilter, $first: Int!) {
  specs(where: $where, first: $first) {
    nodes {
      hash name version
      dependencies(where: $direct, first: 100) { nodes { deptypes child { hash name version } } }
    }
  }
}"""


@dataclass(frozen=True, slots=True)
class Spec:
    """A spec by its identity."""

    hash: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Root:
    """A spec that nothing depends on and that contains what is affected.

    `change` is what of its direct dependencies leads there; nothing where it is affected itself.
    """

    spec: Spec
    change: tuple[Spec, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """What a site has of it: `specs` that are affected, builds that contain one, by status, and roots."""

    specs: tuple[Spec, ...]
    builds: Mapping[str, int]
    roots: tuple[Root, ...]


def match(client: Client, affected: Affected) -> Match:
    """Ask a server; the answer is of one moment only where nobody reports meanwhile.

    Raises what `Client.query` raises, such as for a spec that is none.
    """
    named = _named(affected)
    arguments: dict[str, Any] = {"where": named, "first": _PAGE}
    if affected.spec is not None:
        arguments["satisfying"] = affected.spec
    specs = tuple(_spec(node) for node in client.iterate(_MATCHED, arguments))
    if not specs:
        return Match((), {}, ())
    within = {"satisfying": affected.spec} if affected.spec is not None else {"where": named}
    itself = {"hash": {"in": [spec.hash for spec in specs]}}
    concerned = {"or": [itself, {"dependency": within}]}
    builds = client.query(_BUILDS, {"where": {"spec": concerned}})["builds"]
    roots = {"and": [{"dependents": {"none": {}}}, concerned]}
    found = client.iterate(_ROOTS, {"where": roots, "direct": {"child": concerned}, "first": _PAGE})
    return Match(
        specs=specs,
        builds={group["keys"]["status"]: group["count"] for group in builds["groupBy"]},
        roots=tuple(_root(node) for node in found),
    )


def _named(affected: Affected) -> dict[str, Any] | None:
    if affected.spec is not None:
        return None
    versions: Sequence[Mapping[str, Any]] = [{"version": dict(one)} for one in affected.conditions]
    return {"name": {"eq": affected.package}, **({"or": versions} if versions else {})}


def _root(node: Mapping[str, Any]) -> Root:
    return Root(_spec(node), tuple(_changes(node["dependencies"]["nodes"])))


def _changes(edges: Sequence[Mapping[str, Any]]) -> Iterator[Spec]:
    yield from dict.fromkeys(_spec(edge["child"]) for edge in edges)


def _spec(node: Mapping[str, Any]) -> Spec:
    return Spec(node["hash"], node["name"], node["version"])
