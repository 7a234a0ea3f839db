"""Known defects by plain loops: which specs have one, what contains these, and which roots that concerns."""

from collections.abc import Callable
from typing import Any

from spackmon import models
from spackmon.graph.parameters import parameter_rows
from tests.reference.rows import Rows
from tests.reference.walks import above, graph


def _has(rows: Rows, advisory: Any, spec: Any) -> bool:
    version = rows.get(models.PackageVersion, spec.package_version_id)
    package = rows.get(models.Package, version.package_id)
    parameters = parameter_rows(rows.get(models.ParameterSet, spec.parameter_set_id).document)
    return any(
        one.package_name == package.name
        and one.low <= version.version_key < one.high
        and {
            (variant.name, variant.value)
            for variant in rows.by(models.AdvisoryVariant, "advisory_range_id", one.id)
        }
        <= {*parameters}
        for one in rows.by(models.AdvisoryRange, "advisory_id", advisory.id)
    )


def affected_specs(rows: Rows, advisory: Any) -> list[Any]:
    """The specs that have the defect themselves."""
    return [spec for spec in rows.all(models.Spec) if _has(rows, advisory, spec)]


def _concerned(rows: Rows, advisory: Any) -> set[int]:
    own = {spec.id for spec in affected_specs(rows, advisory)}
    return own | {spec.id for one in own for spec in above(rows, one)}


def affected_builds(rows: Rows, advisory: Any) -> list[Any]:
    """The builds of specs that have or contain it."""
    concerned = _concerned(rows, advisory)
    return [build for build in rows.all(models.Build) if build.spec_id in concerned]


def affected_roots(rows: Rows, advisory: Any) -> list[Any]:
    """Such specs on which nothing depends."""
    concerned = [rows.get(models.Spec, one) for one in sorted(_concerned(rows, advisory))]
    return [spec for spec in concerned if not rows.by(models.Dependency, "child_id", spec.id)]


def dependencies_to_change(rows: Rows, advisory: Any) -> list[Any]:
    """The edges from these to such specs."""
    concerned = _concerned(rows, advisory)
    edges = [
        edge
        for root in affected_roots(rows, advisory)
        for edge in rows.by(models.Dependency, "parent_id", root.id)
    ]
    return [edge for edge in edges if edge.child_id in concerned]


def of_spec(rows: Rows, spec: Any) -> list[Any]:
    """The advisories about a spec or about what it contains."""
    inside = [] if spec is None else graph(rows, spec.id)
    return [one for one in rows.all(models.Advisory) if any(_has(rows, one, below) for below in inside)]


def of_build(rows: Rows, build: Any) -> list[Any]:
    """Those of its spec."""
    return of_spec(rows, rows.get(models.Spec, build.spec_id))


TO_MANY: dict[tuple[str, str], Callable[[Rows, Any], list[Any]]] = {
    ("Advisory", "affectedBuilds"): affected_builds,
    ("Advisory", "affectedRoots"): affected_roots,
    ("Advisory", "affectedSpecs"): affected_specs,
    ("Advisory", "dependenciesToChange"): dependencies_to_change,
    ("Build", "advisories"): of_build,
    ("Spec", "advisories"): of_spec,
}
