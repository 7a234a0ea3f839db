"""How a build stands, what is wrong in it, who reported it: words that reports, tables and schema share."""

from enum import StrEnum


class BuildStatus(StrEnum):
    """How a build or an attempt stands."""

    NOTRUN = "NOTRUN"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


FINISHED = frozenset({BuildStatus.SUCCESS, BuildStatus.FAILED, BuildStatus.CANCELLED})


class EventKind(StrEnum):
    """What a build event is."""

    ERROR = "ERROR"
    WARNING = "WARNING"


class TotalOf(StrEnum):
    """What the builds have in common that are counted together."""

    OWNER = "OWNER"
    TAG = "TAG"
    FIRST_ERROR = "FIRST_ERROR"
    ERRORS = "ERRORS"
    WARNINGS = "WARNINGS"


class ErrorNews(StrEnum):
    """Whether a run's error was there before."""

    NEW = "NEW"
    KNOWN = "KNOWN"
    RETURNED = "RETURNED"


class ResultKind(StrEnum):
    """What an analyzer's result is."""

    TEXT = "TEXT"
    JSON = "JSON"
    BINARY = "BINARY"
    ELF = "ELF"


class GroupAction(StrEnum):
    """What a person did with a group of errors."""

    MERGE = "MERGE"
    SPLIT = "SPLIT"
    NOTE = "NOTE"
    KNOWN_ISSUE = "KNOWN_ISSUE"
    MUTE = "MUTE"
    UNMUTE = "UNMUTE"


class SourceKind(StrEnum):
    """Where something about a build came from."""

    MS1 = "MS1"
    EXTENSION = "EXTENSION"
    PREFIX = "PREFIX"
    STAGE = "STAGE"
    FAILURE_MARKER = "FAILURE_MARKER"
    INSTALL_DATABASE = "INSTALL_DATABASE"
    CDASH = "CDASH"
    JUNIT = "JUNIT"


class InstalledFrom(StrEnum):
    """Where what a run installed came from: only SOURCE is a build."""

    SOURCE = "SOURCE"
    BUILD_CACHE = "BUILD_CACHE"
    EXTERNAL = "EXTERNAL"


class CiProvider(StrEnum):
    """What runs a site's jobs: GitLab CI, GitHub Actions, or another system."""

    GITLAB = "GITLAB"
    GITHUB = "GITHUB"
    OTHER = "OTHER"


class BuildcacheDisagreement(StrEnum):
    """How the index of a buildcache and what lies in it disagree about a spec."""

    HASH_DIFFERS = "HASH_DIFFERS"
    SPEC_MISSING = "SPEC_MISSING"
    ARCHIVE_MISSING = "ARCHIVE_MISSING"
    NOT_IN_INDEX = "NOT_IN_INDEX"


class ChangeKind(StrEnum):
    """What of the database changed: a build, a phase of a run, or the log of a phase."""

    BUILD = "BUILD"
    PHASE = "PHASE"
    LOG = "LOG"


class Visibility(StrEnum):
    """Who may see what somebody reports."""

    PUBLIC = "PUBLIC"
    INTERNAL = "INTERNAL"
    PRIVATE = "PRIVATE"


class NewsKind(StrEnum):
    """What a rule tells of."""

    NEWLY_FAILING = "NEWLY_FAILING"
    FIXED = "FIXED"
    NEW_ERROR_GROUP = "NEW_ERROR_GROUP"
    RETURNED_ERROR_GROUP = "RETURNED_ERROR_GROUP"
    ROOT_FAILED = "ROOT_FAILED"


class ChannelKind(StrEnum):
    """How a rule's messages go."""

    WEBHOOK = "WEBHOOK"
    EMAIL = "EMAIL"
    CHAT = "CHAT"


class DeliveryStatus(StrEnum):
    """How a message stands: HELD waits for its hour's summary, DEAD is not tried any longer."""

    WAITING = "WAITING"
    HELD = "HELD"
    DELIVERED = "DELIVERED"
    SUMMED_UP = "SUMMED_UP"
    DEAD = "DEAD"
