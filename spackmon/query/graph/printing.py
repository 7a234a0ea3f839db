"""What is selected of specs to print them by a format string: large facts only where a field names them."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from spackmon.graph.format import OF_BUILD_SPEC, OF_GRAPH, OF_SPECFILE
from spackmon.graph.spec import SpecNode
from spackmon.graph.template import BadFormat, Field, parse
from spackmon.query.graph.spec_nodes import NODE, spec_nodes, specfile_versions


def facts_for_format(arguments: Mapping[str, Any]) -> str:
    """The whole graph where the format string names dependencies, otherwise only the compilers' edges."""
    fields = _fields(arguments)
    if _any_names(fields, OF_GRAPH):
        # Beside the graph and not within it, which would be more than SQLite can parse.
        return f"{{ {_graph(fields)} {_build_spec(fields, _graph(fields, with_build_specs=False))} }}"
    if any(field.dependency for field in fields):
        return facts_for_tree(arguments)
    return f"{{ {_near(fields)} {_build_spec(fields, _near(fields))} }}"


def facts_for_tree(arguments: Mapping[str, Any]) -> str:
    """The whole graph, with what the format string names of each spec."""
    return f"{{ {_graph(_fields(arguments))} }}"


def as_printed(facts: Mapping[str, Any]) -> tuple[dict[str, SpecNode], dict[str, int]]:
    """The specs, with those that spliced ones were built as, and the formats of their files."""
    found = _selected(facts)
    spliced = [spec for spec in (*found, facts) if spec.get("buildSpec")]
    specs = [*(one for spec in spliced for one in _selected(spec["buildSpec"])), *found]
    built_as = {spec["hash"]: spec["buildSpec"]["hash"] for spec in spliced}
    return spec_nodes(specs, built_as), specfile_versions(specs)


def _fields(arguments: Mapping[str, Any]) -> list[Field]:
    """The fields of a format string; none of one that cannot be read."""
    with suppress(BadFormat):
        return [one for one in parse(str(arguments["template"])) if isinstance(one, Field)]
    return []


def _any_names(fields: Sequence[Field], attributes: frozenset[str]) -> bool:
    return any(not attributes.isdisjoint(field.attribute) for field in fields)


def _node(fields: Sequence[Field]) -> str:
    return f"{NODE} document" if _any_names(fields, OF_SPECFILE) else NODE


def _near(fields: Sequence[Field]) -> str:
    """A spec and those that it depends on, of which some are its compilers."""
    return f"{_node(fields)} dependencies(first: 500) {{ nodes {{ child {{ {_node(fields)} }} }} }}"


def _graph(fields: Sequence[Field], *, with_build_specs: bool = True) -> str:
    build_spec = _build_spec(fields, _near(fields)) if with_build_specs else ""
    return f"hash graph {{ nodes {{ {_node(fields)} {build_spec} }} }}"


def _build_spec(fields: Sequence[Field], selection: str) -> str:
    """What a spliced spec was built as."""
    return f"buildSpec {{ {selection} }}" if _any_names(fields, OF_BUILD_SPEC) else ""


def _selected(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if "graph" in spec:
        return list(spec["graph"]["nodes"])
    return [spec, *(edge["child"] for edge in spec["dependencies"]["nodes"])]
