"""GitHub, and GitHub Enterprise: OAuth 2 with PKCE, and what its API says of who came."""

from collections.abc import Mapping
from typing import Any

from authlib.integrations.httpx_client import AsyncOAuth2Client

from spackmon.auth.providers.asking import asked_of, client_options, json_of, object_of
from spackmon.auth.providers.claims import Claimed, no_good
from spackmon.auth.providers.pending import Proofs
from spackmon.errors import Code, Refused
from spackmon.sign_in_settings import SignInSettings

_PUBLIC, _PUBLIC_API = "https://github.com", "https://api.github.com"
_PAGE_SIZE, _MOST_PAGES = 100, 50


class GitHub:
    """The GitHub of the settings."""

    way, name = "github", "GitHub"

    def __init__(self, settings: SignInSettings) -> None:
        self._settings = settings
        self.issuer = settings.github_url
        self._api = _PUBLIC_API if self.issuer == _PUBLIC else f"{self.issuer}/api/v3"
        self._is_limited = bool(settings.github_organizations or settings.github_teams)

    async def address(self, proofs: Proofs, back: str) -> str:
        """As `Provider` says."""
        async with self._client(back) as client:
            address: str = client.create_authorization_url(
                f"{self.issuer}/login/oauth/authorize", state=proofs.state, code_verifier=proofs.verifier
            )[0]
        return address

    async def claimed(self, answer: Mapping[str, str], proofs: Proofs, back: str) -> Claimed:
        """As `Provider` says."""
        with asked_of(self.name):
            async with self._client(back) as client:
                await client.fetch_token(
                    f"{self.issuer}/login/oauth/access_token", grant_type="authorization_code",
                    code=answer["code"], code_verifier=proofs.verifier,
                    headers={"Accept": "application/json"},
                )  # fmt: skip
                user = object_of(await client.get(f"{self._api}/user"))
                if not isinstance(user["id"], int) or not isinstance(user["login"], str):
                    raise no_good(self.name, "it names no `id` and `login`")
                is_allowed = not self._is_limited or await self._is_member(client)
        if not is_allowed:
            sentence = (
                f"{user['login']} of GitHub is in none of the organisations and teams that are let in here"
            )
            raise Refused(Code.SIGN_IN_NOT_ALLOWED, sentence)
        return Claimed(self.issuer, str(user["id"]), (user["login"],))

    def _client(self, back: str) -> AsyncOAuth2Client:
        secret = self._settings.github_secret
        return AsyncOAuth2Client(
            self._settings.github_key, None if secret is None else secret.get_secret_value(),
            scope="read:org" if self._is_limited else "read:user", redirect_uri=back,
            code_challenge_method="S256", token_endpoint_auth_method="client_secret_post",  # noqa: S106
            **client_options(),
        )  # fmt: skip

    async def _is_member(self, client: AsyncOAuth2Client) -> bool:
        organizations, teams = self._settings.github_organizations, self._settings.github_teams
        if organizations:
            listed = await self._all(client, "/user/orgs")
            if organizations & {one["login"].lower() for one in listed}:
                return True
        if not teams:
            return False
        listed = await self._all(client, "/user/teams")
        return bool(teams & {f"{one['organization']['login']}/{one['slug']}".lower() for one in listed})

    async def _all(self, client: AsyncOAuth2Client, path: str) -> list[dict[str, Any]]:
        everything: list[dict[str, Any]] = []
        for page in range(1, _MOST_PAGES + 1):
            some = json_of(
                await client.get(f"{self._api}{path}", params={"per_page": _PAGE_SIZE, "page": page})
            )
            everything += some
            if len(some) < _PAGE_SIZE:
                break
        return everything
