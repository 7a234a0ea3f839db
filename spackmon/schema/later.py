"""Nouns that speak of each other, by name: their types are looked up once the whole schema is read.

`later.Build` is `Build` to the type checker, and at run time a name with the module it stands in.
"""

from typing import TYPE_CHECKING, Annotated, Any

import strawberry

if TYPE_CHECKING:
    from spackmon.schema.analysis import (
        Analysis,
        AnalysisFilter,
        AnalysisResult,
        AnalysisResultFilter,
        AnalysisResultOrder,
    )
    from spackmon.schema.architecture import Architecture, ArchitectureFilter, ArchitectureOrder
    from spackmon.schema.attempt import Attempt, AttemptFilter, AttemptOrder, BuildPhase, BuildPhaseFilter
    from spackmon.schema.build import Build, BuildFilter, BuildOrder
    from spackmon.schema.concretization import (
        ConcretizationFailure,
        ConcretizationFailureFilter,
        ConcretizationFailureOrder,
    )
    from spackmon.schema.event import ErrorGroupFilter
    from spackmon.schema.install_file import InstallFile, InstallFileFilter, InstallFileOrder
    from spackmon.schema.package import PackageVersionFilter
    from spackmon.schema.spec import Spec, SpecFilter, SpecOrder
    from spackmon.schema.tag import Tag, TagFilter

__all__ = [
    "Analysis", "AnalysisFilter", "AnalysisResult", "AnalysisResultFilter", "AnalysisResultOrder",
    "Architecture", "ArchitectureFilter", "ArchitectureOrder", "Attempt", "AttemptFilter",
    "AttemptOrder", "Build", "BuildFilter", "BuildOrder", "BuildPhase", "BuildPhaseFilter",
    "ConcretizationFailure", "ConcretizationFailureFilter", "ConcretizationFailureOrder",
    "ErrorGroupFilter", "InstallFile", "InstallFileFilter", "InstallFileOrder",
    "PackageVersionFilter", "Spec", "SpecFilter", "SpecOrder", "Tag", "TagFilter",
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
    "InstallFile": "install_file",
    "PackageVersion": "package",
    "Spec": "spec",
    "Tag": "tag",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        module = _MODULES.get(name.removesuffix("Filter").removesuffix("Order"))
        if module is None:
            raise AttributeError(name)
        return Annotated[name, strawberry.lazy(f"spackmon.schema.{module}")]
