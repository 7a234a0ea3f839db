"""Single graphs out of the site that is measured on."""

from typing import Any

from benchmarks.data import Site


def graph_of(size: int, site: Site) -> list[dict[str, Any]]:
    """A graph of exactly this many specs out of the site, children first."""
    nodes = next(site.documents())["spec"]["nodes"][::-1]
    below: dict[str, set[str]] = {}
    for node in nodes:
        children = {edge["hash"] for edge in node.get("dependencies", ())}
        below[node["hash"]] = children.union(*(below[child] for child in children))
        if len(below[node["hash"]]) == size - 1:
            wanted = below[node["hash"]] | {node["hash"]}
            return [one for one in nodes if one["hash"] in wanted]
    raise RuntimeError(f"no graph of the site has {size} specs")
