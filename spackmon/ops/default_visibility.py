"""Whom the reports of new people are for, read when a process begins."""

from spackmon.auth.people import use_for_site
from spackmon.settings import Settings
from spackmon.status import Visibility


def show_by(settings: Settings) -> None:
    """Let what this process adds be seen as the settings say."""
    use_for_site(Visibility(settings.default_visibility.upper()))
