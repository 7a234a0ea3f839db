"""What `spack find --json` prints: the installed specs that were asked for, each one node, in a list."""

from collections.abc import Iterator
from typing import Any

from spackmon.errors import Code, Refused
from spackmon.formats.bytes.damage import Damage
from spackmon.formats.bytes.fields import FieldUnfit
from spackmon.formats.specs.spec_pool import KeyedNode, read_pool, reports
from spackmon.submission import SpecReport


def is_find_output(document: object) -> bool:
    """Whether a parsed document is such a list: a spec document of format 1 names no field "name"."""
    return isinstance(document, list) and any(
        isinstance(element, dict) and "name" in element and "hash" in element for element in document
    )


def read_find_output(document: list[Any], spack_version: str | None) -> Iterator[SpecReport]:
    """The graphs of those that nothing else in the list depends on.

    Raises Refused DOCUMENT_INCOMPLETE after all others: a query leaves dependencies out.
    """
    damage = Damage()
    try:
        pool = read_pool(_kept(document, damage), damage)
    except FieldUnfit as unfit:
        raise Refused(Code.DOCUMENT_DAMAGED, unfit.sentence) from None
    yield from reports(pool, (), spack_version)
    damage.settle()


def _kept(document: list[Any], damage: Damage) -> Iterator[KeyedNode]:
    for position, element in enumerate(document):
        key = element.get("hash") if isinstance(element, dict) else None
        if isinstance(key, str):
            yield KeyedNode(key, element, _format_version(element))
        else:
            damage.add(f"element {position}: a spec with a hash was expected")


def _format_version(node: dict[str, Any]) -> int:
    """The nodes do not say it: 1.0 annotates them, 0.19 has build systems, 0.18 recipes in the DAG hash."""
    parameters = node.get("parameters")
    if "annotations" in node:
        return 5
    if isinstance(parameters, dict) and "build_system" in parameters:
        return 4
    return 3 if "package_hash" in node else 2
