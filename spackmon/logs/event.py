"""An event of a log, and what a reader of it returns."""

from dataclasses import dataclass, field

PRIMARY = "primary"
CONSEQUENCE = "consequence"


@dataclass(slots=True)
class Event:
    """A diagnostic. Lines count from 1 and end at line feeds only.

    `line` is the head, `first_line` and `last_line` what belongs to it. `count` says for how many equal
    diagnostics it stands: warnings of one text, errors of one text and place. `text` is the line of the log
    that says it, empty where that is the message. `form_class` is the class that the form of its line
    suggests, if any. `class_name`, `blame` and `group` are empty for a warning.
    """

    kind: str
    role: str
    tool: str
    phase: str
    message: str
    line: int
    first_line: int
    last_line: int
    source_file: str = ""
    source_line: int | None = None
    column: int | None = None
    count: int = 1
    form_class: str = ""
    class_name: str = ""
    blame: str = ""
    group: str = ""
    is_first: bool = False
    rule: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a log says. `errors` and `warnings` count all diagnostics of role primary, also those beyond the
    limit; `unlisted` is how many of all are in no event."""

    events: list[Event]
    lines: int
    errors: int
    warnings: int
    unlisted: int
    forgiven: int = field(default=0)
