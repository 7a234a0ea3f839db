"""The services that the settings name."""

from collections.abc import Mapping

from spackmon.auth.providers.claims import Provider
from spackmon.sign_in_settings import SignInSettings


def providers_of(settings: SignInSettings) -> Mapping[str, Provider]:
    """By their ways, in the order of the buttons."""
    # What they need takes a moment and memory, and many a site has none.
    providers: list[Provider] = []
    if settings.oidc_issuer is not None:
        from spackmon.auth.providers.openid import OpenIdProvider

        providers.append(OpenIdProvider(settings))
    if settings.github_key is not None and settings.enable_github_auth is not False:
        from spackmon.auth.providers.github import GitHub

        providers.append(GitHub(settings))
    return {provider.way: provider for provider in providers}
