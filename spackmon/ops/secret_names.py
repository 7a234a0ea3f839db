"""The site's own names of secrets, read when a process begins."""

import re

from spackmon.errors import Code, Refused
from spackmon.masking.rules import use_for_site, with_names
from spackmon.settings import Settings


def mask_by(settings: Settings) -> None:
    """Mask what this process stores as the settings say. Raises Refused SETTING_INVALID."""
    for name in sorted(settings.secret_names):
        if re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", name) is None:
            sentence = f"SECRET_NAMES: {name!r} is no word of a name, such as LICENSE or SITE_PIN"
            raise Refused(Code.SETTING_INVALID, sentence)
    use_for_site(with_names(sorted(settings.secret_names)))
