"""OpenID Connect: discovery, authorization code with PKCE, and the ID token by the provider's keys."""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError
from joserfc.jwk import KeySet

from spackmon.auth.providers.asking import asked_of, client_options, object_of
from spackmon.auth.providers.claims import Claimed, no_good
from spackmon.auth.providers.pending import Proofs
from spackmon.errors import Code, Refused
from spackmon.sign_in_settings import SignInSettings
from spackmon.viewer import SCOPES_OF_ROLES

# Keys that the provider alone has: HS256 would be signed with a secret of ours, and `none` by nobody.
_ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)
_KEY_TYPES = frozenset({"RSA", "EC", "OKP"})
_KNOWN_SECONDS = 3_600.0
_CLOCKS_DIFFER_SECONDS = 60
_MOST_SUBJECT_CHARACTERS = 255


class OpenIdProvider:
    """The provider of the settings."""

    way = "oidc"

    def __init__(self, settings: SignInSettings) -> None:
        self._settings = settings
        self.name = settings.oidc_name
        self.issuer = settings.oidc_issuer or ""
        self._metadata: Mapping[str, Any] = {}
        self._keys: KeySet | None = None
        self._known_until = 0.0

    async def address(self, proofs: Proofs, back: str) -> str:
        """As `Provider` says."""
        with asked_of(self.name):
            async with self._client(back) as client:
                metadata = await self._discovered(client)
                address: str = client.create_authorization_url(
                    metadata["authorization_endpoint"], state=proofs.state, code_verifier=proofs.verifier,
                    nonce=proofs.nonce,
                )[0]  # fmt: skip
        return address

    async def claimed(self, answer: Mapping[str, str], proofs: Proofs, back: str) -> Claimed:
        """As `Provider` says."""
        with asked_of(self.name):
            async with self._client(back) as client:
                metadata = await self._discovered(client)
                self._check_issuer(answer, metadata)
                client.token_endpoint_auth_method = self._way_to_show_secret(metadata)
                token = await client.fetch_token(
                    metadata["token_endpoint"], grant_type="authorization_code", code=answer["code"],
                    code_verifier=proofs.verifier,
                )  # fmt: skip
                claims = await self._verified(client, token, proofs.nonce)
                if metadata.get("userinfo_endpoint"):
                    more = object_of(await client.get(metadata["userinfo_endpoint"]))
                    if more.get("sub") != claims["sub"]:
                        raise no_good(self.name, "it describes somebody else")
                    claims = {**more, **claims}
        return self._read(claims)

    def _client(self, back: str) -> AsyncOAuth2Client:
        secret = self._settings.oidc_client_secret
        return AsyncOAuth2Client(
            self._settings.oidc_client_id, None if secret is None else secret.get_secret_value(),
            scope=self._settings.oidc_scopes, redirect_uri=back, code_challenge_method="S256",
            **client_options(),
        )  # fmt: skip

    async def _discovered(self, client: AsyncOAuth2Client) -> Mapping[str, Any]:
        if time.monotonic() >= self._known_until:
            where = f"{self.issuer}/.well-known/openid-configuration"
            metadata = object_of(await client.request("GET", where, withhold_token=True))
            if str(metadata["issuer"]).rstrip("/") != self.issuer:
                raise no_good(self.name, f"its issuer is {metadata['issuer']!r}, not OIDC_ISSUER")
            is_secure = self.issuer.startswith("https:")
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"):
                scheme = urlsplit(metadata.get(name) or self.issuer).scheme
                if scheme != "https" and (is_secure or scheme != "http"):
                    raise no_good(self.name, f"its {name} is not https")
            self._metadata, self._keys = metadata, None
            self._known_until = time.monotonic() + _KNOWN_SECONDS
        return self._metadata

    def _check_issuer(self, answer: Mapping[str, str], metadata: Mapping[str, Any]) -> None:
        # RFC 9207: an answer of another provider is not taken for one of this.
        needs_it = bool(metadata.get("authorization_response_iss_parameter_supported"))
        if answer.get("iss", None if needs_it else metadata["issuer"]) != metadata["issuer"]:
            raise no_good(self.name, "the answer is of another issuer")

    def _way_to_show_secret(self, metadata: Mapping[str, Any]) -> str:
        if self._settings.oidc_client_secret is None:
            return "none"
        ways = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        return "client_secret_basic" if "client_secret_basic" in ways else "client_secret_post"

    async def _verified(
        self, client: AsyncOAuth2Client, token: Mapping[str, Any], nonce: str
    ) -> Mapping[str, Any]:
        named = self._metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        algorithms = sorted(_ALGORITHMS.intersection(named))
        text = str(token["id_token"])
        known = self._keys
        try:
            read = jwt.decode(text, known or await self._read_keys(client), algorithms)
        except InvalidKeyIdError:
            if known is None:
                raise
            read = jwt.decode(text, await self._read_keys(client), algorithms)
        claims = CodeIDToken(
            read.claims,
            read.header,
            {"iss": {"values": [self._metadata["issuer"]]}, "aud": {"value": self._settings.oidc_client_id}},
            {
                "nonce": nonce,
                "client_id": self._settings.oidc_client_id,
                "access_token": token.get("access_token"),
            },
        )
        claims.validate(leeway=_CLOCKS_DIFFER_SECONDS)
        if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= _MOST_SUBJECT_CHARACTERS:
            raise no_good(self.name, "its `sub` is no text")
        return dict(claims)

    async def _read_keys(self, client: AsyncOAuth2Client) -> KeySet:
        said = object_of(await client.request("GET", self._metadata["jwks_uri"], withhold_token=True))
        keys = [
            key for key in said["keys"]
            if key.get("kty") in _KEY_TYPES and key.get("use", "sig") == "sig"
        ]  # fmt: skip
        self._keys = KeySet.import_key_set({"keys": keys})
        return self._keys

    def _read(self, claims: Mapping[str, Any]) -> Claimed:
        address = _text(claims.get("email"))
        allowed = self._settings.oidc_allowed_domains
        if allowed:
            is_verified = claims.get("email_verified") is True
            if not is_verified or address.rpartition("@")[2].lower() not in allowed:
                sentence = f"{self.name} states no verified mail address of a domain that is let in here"
                raise Refused(Code.SIGN_IN_NOT_ALLOWED, sentence)
        wanted = (claims.get("preferred_username"), claims.get("nickname"), address.partition("@")[0])
        group_claim = self._settings.oidc_group_claim
        return Claimed(
            self.issuer,
            claims["sub"],
            tuple(filter(None, map(_text, wanted))),
            self._role(claims),
            None if group_claim is None else _values(claims, group_claim),
        )

    def _role(self, claims: Mapping[str, Any]) -> str | None:
        if self._settings.oidc_role_claim is None:
            return None
        values = _values(claims, self._settings.oidc_role_claim)
        given = {role for value, role in self._settings.oidc_roles.items() if value in values}
        roles = [role for role in SCOPES_OF_ROLES if role in given]
        return roles[-1] if roles else self._settings.sign_in_role


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _values(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """The words of a claim, which may be one word, a list, or stand within another claim: `realm.roles`."""
    found: Any = claims.get(name)
    if found is None:
        found = claims
        for part in name.split("."):
            found = found.get(part) if isinstance(found, dict) else None
    listed = found if isinstance(found, list) else [found]
    return frozenset(value for value in listed if isinstance(value, str))
