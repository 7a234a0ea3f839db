"""What a process reads of its settings when it begins: services and commands follow the same rules."""

from spackmon.ops.default_visibility import show_by
from spackmon.ops.log_rules import classify_by
from spackmon.ops.secret_names import mask_by
from spackmon.settings import Settings


def follow(settings: Settings) -> None:
    """Classify, mask and show by them from now on. Raises Refused SETTING_INVALID."""
    classify_by(settings)
    mask_by(settings)
    show_by(settings)
