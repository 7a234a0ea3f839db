"""What is selected of specs to print them by a format string: large facts only where a field names them."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from spackmon.graph.format import OF_SPECFILE
from spackmon.graph.spec import SpecNode
from spackmon.graph.template import BadFormat, Field, parse
from spackmon.query.graph.spec_nodes import NODE, spec_nodes, specfile_versions


def facts_for_format(arguments: Mapping[str, Any]) -> str:
    """The whole graph where the format string names dependencies, otherwise only the compilers' edges."""
    fields = _fields(arguments)
    if any(field.dependency for field in fields):
        return facts_for_tree(arguments)
    return f"{{ {_node(fields)} dependencies(first: 500) {{ nodes {{ child {{ {_node(fields)} }} }} }} }}"


def facts_for_tree(arguments: Mapping[str, Any]) -> str:
    """The whole graph, with what the format string names of each spec."""
    return f"{{ hash graph {{ nodes {{ {_node(_fields(arguments))} }} }} }}"


def as_printed(facts: Mapping[str, Any]) -> tuple[dict[str, SpecNode], dict[str, int]]:
    """The specs, and the formats of their files."""
    near = [facts, *(edge["child"] for edge in facts.get("dependencies", {}).get("nodes", ()))]
    found = facts["graph"]["nodes"] if "graph" in facts else near
    return spec_nodes(found), specfile_versions(found)


def _fields(arguments: Mapping[str, Any]) -> list[Field]:
    """The fields of a format string; none of one that cannot be read."""
    with suppress(BadFormat):
        return [one for one in parse(str(arguments["template"])) if isinstance(one, Field)]
    return []


def _node(fields: Sequence[Field]) -> str:
    is_of_file = any(not OF_SPECFILE.isdisjoint(field.attribute) for field in fields)
    return f"{NODE} document" if is_of_file else NODE
