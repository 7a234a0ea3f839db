"""The tables, and nothing else: rows are written by ingest and auth, read by query."""

from spackmon.models.analysis import Analysis, Attribute
from spackmon.models.builds import (
    Attempt,
    Build,
    BuildEnvironment,
    BuildPackageVersion,
    ConcretizationFailure,
    EnvironmentVariable,
    InstallFile,
    Phase,
    Tag,
    build_tag,
)
from spackmon.models.columns import Base, utc_now
from spackmon.models.events import BuildEvent, ErrorGroup
from spackmon.models.graph import (
    Architecture,
    Closure,
    Compiler,
    Dependency,
    Package,
    PackageVersion,
    Parameter,
    ParameterSet,
    ProvidedVirtual,
    Spec,
    SpecCompiler,
    SpecDocument,
    SpecHash,
    Target,
)
from spackmon.models.inbox import InboxEntry, SubmissionBatch
from spackmon.models.logs import LogChunk
from spackmon.models.people import Person, Token
from spackmon.models.sources import BuildSource, MergedBuild

__all__ = [
    "Analysis", "Architecture", "Attempt", "Attribute", "Base", "Build", "BuildEnvironment", "BuildEvent",
    "BuildPackageVersion", "BuildSource", "Closure", "Compiler", "ConcretizationFailure", "Dependency",
    "EnvironmentVariable", "ErrorGroup", "InboxEntry", "InstallFile", "LogChunk", "MergedBuild", "Package",
    "PackageVersion", "Parameter", "ParameterSet", "Person", "Phase", "ProvidedVirtual", "Spec",
    "SpecCompiler", "SpecDocument", "SpecHash", "SubmissionBatch", "Tag", "Target", "Token",
    "build_tag", "utc_now",
]  # fmt: skip
