"""The site's rules for classes of errors, read when a process begins."""

from spackmon.errors import Code, Refused
from spackmon.logs.taxonomy import NotATaxonomy, shipped, use_for_site, with_rules_of
from spackmon.settings import Settings


def classify_by(settings: Settings) -> None:
    """Classify what this process stores as the settings say. Raises Refused SETTING_INVALID."""
    if settings.log_rules is None:
        use_for_site(shipped())
        return
    try:
        use_for_site(with_rules_of(settings.log_rules.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, NotATaxonomy) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise Refused(Code.SETTING_INVALID, f"LOG_RULES: {settings.log_rules}: {reason}") from None
