"""Nouns that speak of each other, by name: their types are looked up once the whole schema is read.

`later.Build` is `Build` to the type checker, and at run time a name with the module it stands in.
"""

from typing import TYPE_CHECKING, Annotated, Any

import strawberry

if TYPE_CHECKING:
    from spackmon.schema.analysis import AnalysisFilter, AnalysisResultFilter
    from spackmon.schema.architecture import Architecture, ArchitectureFilter, ArchitectureOrder
    from spackmon.schema.attempt import Attempt, AttemptFilter, BuildPhase, BuildPhaseFilter
    from spackmon.schema.build import Build, BuildFilter, BuildOrder
    from spackmon.schema.concretization import (
        ConcretizationFailure,
        ConcretizationFailureFilter,
        ConcretizationFailureOrder,
    )
    from spackmon.schema.event import ErrorGroupFilter
    from spackmon.schema.package import PackageVersionFilter
    from spackmon.schema.spec import Spec, SpecFilter, SpecOrder

__all__ = [
    "AnalysisFilter", "AnalysisResultFilter", "Architecture", "ArchitectureFilter", "ArchitectureOrder",
    "Attempt", "AttemptFilter", "Build", "BuildFilter", "BuildOrder", "BuildPhase", "BuildPhaseFilter",
    "ConcretizationFailure", "ConcretizationFailureFilter", "ConcretizationFailureOrder",
    "ErrorGroupFilter", "PackageVersionFilter", "Spec", "SpecFilter", "SpecOrder",
]  # fmt: skip

_MODULES = {
    "Analysis": "analysis",
    "AnalysisResult": "analysis",
    "Architecture": "architecture",
    "Attempt": "attempt",
    "Build": "build",
    "BuildPhase": "attempt",
    "ConcretizationFailure": "concretization",
    "ErrorGroup": "event",
    "PackageVersion": "package",
    "Spec": "spec",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        module = _MODULES.get(name.removesuffix("Filter").removesuffix("Order"))
        if module is None:
            raise AttributeError(name)
        return Annotated[name, strawberry.lazy(f"spackmon.schema.{module}")]
