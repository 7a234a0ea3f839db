"""The tables, and nothing else: rows are written by ingest and auth, read by query."""

from spackmon.models.advisories import Advisory, AdvisoryRange, AdvisoryVariant
from spackmon.models.analysis import (
    Analysis,
    AnalysisHost,
    Attribute,
    EarlierAttribute,
    ElfFile,
    HostImage,
    HostLibrary,
    SymbolSet,
    SystemLibrary,
)
from spackmon.models.buildcaches import Buildcache, BuildcacheEntry
from spackmon.models.builds import (
    Attempt,
    Build,
    BuildContent,
    BuildEnvironment,
    ConcretizationFailure,
    ConfigureArguments,
    EnvironmentSet,
    EnvironmentVariable,
    InstallFile,
    Manifest,
    Phase,
    PhaseKind,
    Tag,
    TagSet,
    TagSetMember,
)
from spackmon.models.changes import ReportedChange
from spackmon.models.ci import CiJob, CiRun
from spackmon.models.claims import Claim, ClaimLog, EarlierPhase, MergedBuild, Ruling
from spackmon.models.columns import Base, utc_now
from spackmon.models.environments import LockFile, LockFileRoot, SpackEnvironment
from spackmon.models.events import (
    BuildEvent,
    ErrorGroup,
    ErrorGroupBuild,
    ErrorGroupChange,
    ErrorGroupPart,
    ErrorGroupRuling,
    EventContext,
)
from spackmon.models.facets import (
    BuildDay,
    BuildFacet,
    BuildFacetChange,
    BuildFacetDuration,
    BuildFacetTotal,
    BuildTotal,
    BuildTotalChange,
)
from spackmon.models.graph import (
    SPEC_TABLES,
    Architecture,
    Closure,
    ClosureAbove,
    ClosureAboveCount,
    Compiler,
    Dependency,
    OtherCompiler,
    Package,
    PackageHash,
    PackageSet,
    PackageSetMember,
    PackageVersion,
    Parameter,
    ParameterSet,
    ProvidedVirtual,
    Spec,
    SpecCompiler,
    SpecDocument,
    SpecHash,
    SpecRevision,
    Target,
)
from spackmon.models.inbox import InboxEntry, SubmissionBatch
from spackmon.models.logs import Log, LogChunk, LogEvent, LogObject
from spackmon.models.notifications import NotificationChannel, NotificationDelivery, NotificationRule
from spackmon.models.people import AuditEntry, Identity, Person, RateCount, Session, SigningKey, Token
from spackmon.models.visibility import Audience, DefaultAudience, Group, GroupMember, SpecAudience

__all__ = [
    "SPEC_TABLES", "Advisory", "AdvisoryRange", "AdvisoryVariant", "Analysis", "AnalysisHost", "Architecture",
    "Attempt", "Attribute", "Audience", "AuditEntry", "Base", "Build", "BuildContent", "BuildDay",
    "BuildEnvironment",
    "BuildEvent", "BuildFacet", "BuildFacetChange", "BuildFacetDuration", "BuildFacetTotal",
    "BuildTotal", "BuildTotalChange",
    "Buildcache", "BuildcacheEntry",
    "CiJob", "CiRun", "Claim", "ClaimLog", "Closure", "ClosureAbove", "ClosureAboveCount", "Compiler",
    "ConcretizationFailure", "ConfigureArguments",
    "DefaultAudience", "Dependency", "EarlierAttribute", "EarlierPhase", "ElfFile", "EnvironmentSet",
    "EnvironmentVariable",
    "ErrorGroup", "ErrorGroupBuild", "ErrorGroupChange", "ErrorGroupPart", "ErrorGroupRuling", "EventContext",
    "Group", "GroupMember", "HostImage", "HostLibrary", "Identity", "InboxEntry", "InstallFile", "LockFile",
    "LockFileRoot", "Log", "LogChunk", "LogEvent", "LogObject", "Manifest", "MergedBuild",
    "NotificationChannel", "NotificationDelivery", "NotificationRule",
    "OtherCompiler", "Package", "PackageHash", "PackageSet",
    "PackageSetMember", "PackageVersion", "Parameter", "ParameterSet", "Person",
    "Phase",
    "PhaseKind",
    "ProvidedVirtual", "RateCount", "ReportedChange", "Ruling", "Session", "SigningKey", "SpackEnvironment",
    "Spec", "SpecAudience", "SpecCompiler",
    "SpecDocument", "SpecHash", "SpecRevision", "SubmissionBatch", "SymbolSet", "SystemLibrary", "Tag",
    "TagSet", "TagSetMember", "Target", "Token", "utc_now",
]  # fmt: skip
