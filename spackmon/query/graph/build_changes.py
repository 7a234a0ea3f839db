"""What differs between a build's newest run and the last one before it that succeeded."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import CompoundSelect, select

from spackmon.graph.diff import Status, diff
from spackmon.models import Attempt, Build
from spackmon.query.graph.graph_questions import Arguments, graphs_below, node_difference
from spackmon.query.graph.spec_nodes import GRAPH, graph_nodes
from spackmon.query.rows.failures import last_success
from spackmon.query.sql.conditions import Filtering
from spackmon.query.sql.scope import Scope
from spackmon.query.sql.values import Given

_RUN = """
spackVersion spackRevision configureArguments
environment { platform operatingSystem target kernelVersion }
environmentVariables { name value }
"""
CHANGES = f"""{{
  spec {{ {GRAPH} }}
  attempts(first: 1, orderBy: {{number: DESC}}) {{ nodes {{ {_RUN} }} }}
  lastSuccess {{ {_RUN} build {{ spec {{ {GRAPH} }} }} }}
}}"""
_MACHINE = {
    "PLATFORM": "platform", "OPERATING_SYSTEM": "operatingSystem", "TARGET": "target",
    "KERNEL": "kernelVersion",
}  # fmt: skip
_SPACK = {
    "SPACK_VERSION": "spackVersion", "SPACK_REVISION": "spackRevision",
    "CONFIGURE_ARGUMENTS": "configureArguments",
}  # fmt: skip


def build_changes(facts: Any, arguments: Arguments) -> dict[str, Any] | None:
    """The differences by what they concern; None where no run succeeded before."""
    before = facts["lastSuccess"]
    if before is None:
        return None
    (after,) = facts["attempts"]["nodes"]
    return {
        "specs": list(_specs(before["build"]["spec"], facts["spec"])),
        "circumstances": [
            *_differing(_SPACK, before, after),
            *_differing(_MACHINE, before["environment"], after["environment"]),
        ],
        "variables": list(_variables(before, after)),
    }


def specs_of_changes(
    row: Scope, arguments: Mapping[str, Given], compilation: Filtering
) -> CompoundSelect[Any]:
    """The ids of all specs in the graphs of the build and of the one that succeeded."""
    attempt, build, other = Attempt.__table__.alias(), Build.__table__.alias(), Build.__table__.alias()
    before = select(other.c.spec_id).where(
        attempt.c.id == last_success(row), other.c.id == attempt.c.build_id
    )
    # A column of the row by itself would be that of every build, where it stands alone in a FROM.
    after = select(build.c.spec_id).where(build.c.id == row.row_id)
    return graphs_below(
        after.correlate_except(build).scalar_subquery(),
        before.correlate_except(attempt, other).scalar_subquery(),
    )


def _specs(before: Any, after: Any) -> Iterator[dict[str, Any]]:
    if before is None or after is None:
        return
    for node in diff(*graph_nodes(before, ""), *graph_nodes(after, "")):
        if node.status is not Status.UNCHANGED:
            yield node_difference(node)


def _differing(
    fields: Mapping[str, str], before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    for kind, name in fields.items():
        # What a source left out says nothing about a change.
        if before[name] and after[name] and before[name] != after[name]:
            yield {"kind": kind, "before": before[name], "after": after[name]}


def _variables(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    earlier, later = (
        {one["name"]: one["value"] for one in run["environmentVariables"]} for run in (before, after)
    )
    if not earlier or not later:
        return
    for name in sorted(earlier.keys() | later.keys()):
        if earlier.get(name) != later.get(name):
            yield {"name": name, "before": earlier.get(name), "after": later.get(name)}
