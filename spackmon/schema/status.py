"""How builds and runs of them stand."""

from enum import Enum

import strawberry


@strawberry.enum(description="The status of a build or of one of its runs.")
class BuildStatus(Enum):
    """How a build or one run of it stands: `spackmon.status`, each with what it means."""

    NOTRUN = strawberry.enum_value("NOTRUN", description="Announced, not begun.")
    RUNNING = strawberry.enum_value("RUNNING", description="Begun, not ended.")
    SUCCESS = strawberry.enum_value("SUCCESS", description="Installed.")
    FAILED = strawberry.enum_value("FAILED", description="Ended by an error.")
    CANCELLED = strawberry.enum_value("CANCELLED", description="Given up, such as when a dependency failed.")


@strawberry.enum(description="How a phase ended.")
class PhaseStatus(Enum):
    """How a phase ended."""

    SUCCESS = strawberry.enum_value("SUCCESS", description="It succeeded.")
    ERROR = strawberry.enum_value("ERROR", description="It failed.")
    OTHER = strawberry.enum_value("OTHER", description="Its client has another word, the `reportedStatus`.")


@strawberry.enum(description="Where the installed files came from.")
class InstalledFrom(Enum):
    """Where what was installed came from: `spackmon.status`, each with what it means."""

    SOURCE = strawberry.enum_value("SOURCE", description="It was built.")
    BUILD_CACHE = strawberry.enum_value(
        "BUILD_CACHE", description="A binary of a cache was unpacked; it was built somewhere else."
    )
    EXTERNAL = strawberry.enum_value("EXTERNAL", description="It was already there, outside of Spack.")


@strawberry.enum(description="A CI system.")
class CiProvider(Enum):
    """A CI system: `spackmon.status`, each with what it is."""

    GITLAB = strawberry.enum_value("GITLAB", description="GitLab CI, in which `spack ci` runs.")
    GITHUB = strawberry.enum_value("GITHUB", description="GitHub Actions.")
    OTHER = strawberry.enum_value("OTHER", description="Another one.")


@strawberry.enum(description="How the index of a buildcache and what lies in it disagree.")
class BuildcacheDisagreement(Enum):
    """How index and contents disagree: `spackmon.status`, each with what it means."""

    HASH_DIFFERS = strawberry.enum_value(
        "HASH_DIFFERS", description="The spec in the file has another hash than the file's name."
    )
    SPEC_MISSING = strawberry.enum_value("SPEC_MISSING", description="The spec's file is not there.")
    ARCHIVE_MISSING = strawberry.enum_value(
        "ARCHIVE_MISSING", description="The spec's file is there, but not the archive of what was installed."
    )
    NOT_IN_INDEX = strawberry.enum_value(
        "NOT_IN_INDEX", description="Everything is there, but the index does not list it."
    )


@strawberry.enum(description="The kind of a build event.")
class EventKind(Enum):
    """What a build event is: `spackmon.status`, each with what it means."""

    ERROR = strawberry.enum_value("ERROR", description="An error.")
    WARNING = strawberry.enum_value("WARNING", description="A warning.")


@strawberry.enum(description="Whether an event is a diagnostic itself.")
class EventRole(Enum):
    """What an event is to the others of its log."""

    PRIMARY = strawberry.enum_value("PRIMARY", description="The diagnostic itself.")
    CONSEQUENCE = strawberry.enum_value(
        "CONSEQUENCE", description="What only follows from another, as `make: *** [x.o] Error 1`."
    )


@strawberry.enum(description="Whom a failure concerns.")
class Blame(Enum):
    """What has to change so that it does not happen again."""

    PACKAGE = strawberry.enum_value("PACKAGE", description="The package or its recipe.")
    ENVIRONMENT = strawberry.enum_value(
        "ENVIRONMENT", description="The compilers, tools and paths of the site."
    )
    INFRASTRUCTURE = strawberry.enum_value(
        "INFRASTRUCTURE", description="Networks, disks, memory and time limits."
    )


@strawberry.enum(description="Whether the error of a run was there before it.")
class ErrorNews(Enum):
    """Whether a run's error was there before: `spackmon.status`, each with what it means."""

    NEW = strawberry.enum_value("NEW", description="No run that began before had it.")
    KNOWN = strawberry.enum_value("KNOWN", description="A run of the 30 days before had it.")
    RETURNED = strawberry.enum_value(
        "RETURNED", description="A run that began before had it, but none of the last 30 days."
    )


@strawberry.enum(description="What an analyzer's result is.")
class ResultKind(Enum):
    """What an analyzer's result is: `spackmon.status`, each with what it means."""

    TEXT = strawberry.enum_value("TEXT", description="A text, the `value`.")
    JSON = strawberry.enum_value("JSON", description="A JSON document, the `jsonValue`.")
    BINARY = strawberry.enum_value("BINARY", description="Bytes, the `binaryValue`.")
    ELF = strawberry.enum_value("ELF", description="What the loader reads of a file, the `elf`.")


@strawberry.enum(description="What a person did with a group of errors.")
class GroupAction(Enum):
    """What a person did with a group of errors: `spackmon.status`, each with what it means."""

    MERGE = strawberry.enum_value("MERGE", description="Merged it into another.")
    SPLIT = strawberry.enum_value(
        "SPLIT", description="Took errors out of it: those with words, or all merged ones."
    )
    NOTE = strawberry.enum_value("NOTE", description="Noted something of it, or took a note back.")
    KNOWN_ISSUE = strawberry.enum_value(
        "KNOWN_ISSUE", description="Linked it to a known issue, or took the link back."
    )
    MUTE = strawberry.enum_value("MUTE", description="Said that it is no news.")
    UNMUTE = strawberry.enum_value("UNMUTE", description="Said that it is news again.")


@strawberry.enum(description="What a rule tells of.")
class NewsKind(Enum):
    """What a rule tells of: `spackmon.status`, each with what it means."""

    NEWLY_FAILING = strawberry.enum_value(
        "NEWLY_FAILING", description="A run failed, where the last one of the same thing succeeded."
    )
    FIXED = strawberry.enum_value("FIXED", description="A run succeeded, where the last one did not.")
    NEW_ERROR_GROUP = strawberry.enum_value(
        "NEW_ERROR_GROUP", description="A run failed by an error that no run had before."
    )
    RETURNED_ERROR_GROUP = strawberry.enum_value(
        "RETURNED_ERROR_GROUP", description="A run failed by an error that no run had lately, but one before."
    )
    ROOT_FAILED = strawberry.enum_value("ROOT_FAILED", description="A root of an environment failed.")


@strawberry.enum(description="How a rule's messages go.")
class ChannelKind(Enum):
    """How a rule's messages go: `spackmon.status`, each with what it means."""

    WEBHOOK = strawberry.enum_value("WEBHOOK", description="Signed JSON to a URL.")
    EMAIL = strawberry.enum_value("EMAIL", description="E-mail.")
    CHAT = strawberry.enum_value("CHAT", description="A chat's own JSON to a URL of it.")


@strawberry.enum(description="How a message of a rule stands.")
class DeliveryStatus(Enum):
    """How a message stands: `spackmon.status`, each with what it means."""

    WAITING = strawberry.enum_value("WAITING", description="It is to be sent, or sent again.")
    HELD = strawberry.enum_value("HELD", description="The hour has had its messages; it is summed up then.")
    DELIVERED = strawberry.enum_value("DELIVERED", description="Its receiver took it.")
    SUMMED_UP = strawberry.enum_value("SUMMED_UP", description="A summary tells of it.")
    DEAD = strawberry.enum_value("DEAD", description="It was given up.")
