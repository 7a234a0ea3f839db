"""Settings of signing in by other services: OpenID Connect and GitHub."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode

from spackmon.setting_values import BaseUrl, Names, Truth
from spackmon.viewer import SCOPES_OF_ROLES

Role = Annotated[
    Literal["reader", "writer", "admin"],
    BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value),
]


def _small(value: frozenset[str]) -> frozenset[str]:
    return frozenset(name.lower() for name in value)


def _teams(value: frozenset[str]) -> frozenset[str]:
    if not all(len(name.split("/")) == 2 and all(name.split("/")) for name in value):
        raise ValueError("expected teams such as spack/maintainers")
    return value


def _domains(value: frozenset[str]) -> frozenset[str]:
    if any("@" in name or "/" in name for name in value):
        raise ValueError("expected domains such as example.org")
    return value


def _scopes(value: str) -> str:
    if "openid" not in value.split():
        raise ValueError("expected openid among them")
    return value


def _roles(value: object) -> object:
    if not isinstance(value, str):
        return value
    pairs = [pair.rpartition("=") for pair in value.split(",") if pair.strip()]
    roles = {name.strip(): role.strip().lower() for name, _, role in pairs}
    if not all(name and role in SCOPES_OF_ROLES for name, role in roles.items()):
        raise ValueError("expected values with roles, such as builders=writer, staff=admin")
    return roles


SmallNames = Annotated[Names, AfterValidator(_small)]
Domains = Annotated[Names, AfterValidator(_small), AfterValidator(_domains)]
Teams = Annotated[Names, AfterValidator(_small), AfterValidator(_teams)]
Roles = Annotated[dict[str, str], NoDecode, BeforeValidator(_roles)]


class SignInSettings(BaseSettings):
    """What `Settings` has of this; docs/settings.md says the same for people."""

    sign_in_role: Role = Field(
        default="reader", description="The role of whoever signs in by another service for the first time."
    )
    oidc_client_id: str | None = Field(
        default=None, description="The name of this service at the OpenID Connect provider."
    )
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="Its secret there. Not set: a public client, which PKCE alone protects."
    )
    oidc_issuer: BaseUrl | None = Field(
        default=None,
        validate_default=True,
        description="The OpenID Connect provider, as `https://login.example.org/realms/site`.",
    )
    oidc_name: str = Field(
        default="OpenID Connect",
        min_length=1,
        description="What the button for it says after `Sign in with`.",
    )
    oidc_scopes: Annotated[str, AfterValidator(_scopes)] = Field(
        default="openid profile email", description="What it is asked for, with blanks between."
    )
    oidc_allowed_domains: Domains = Field(
        default=frozenset(),
        description="Domains of the verified mail addresses that are let in, with commas between. Not set: "
        "all.",
    )
    oidc_role_claim: str | None = Field(
        default=None, description="The claim by whose values each sign-in gives the role of `OIDC_ROLES`."
    )
    oidc_roles: Roles = Field(
        default={}, description="Roles by values of that claim, as `builders=writer, staff=admin`."
    )
    oidc_group_claim: str | None = Field(
        default=None,
        description="The claim whose values are the groups that a person is in, of those there are.",
    )
    enable_github_auth: Truth | None = Field(
        default=None, description="Sign-in by GitHub. Not set: where `GITHUB_KEY` is set."
    )
    github_url: BaseUrl = Field(
        default="https://github.com", description="Another GitHub, such as `https://github.example.org`."
    )
    github_key: str | None = Field(
        default=None,
        validation_alias=AliasChoices("github_key", "social_auth_github_key"),
        description="The client ID of an OAuth app of GitHub (also `SOCIAL_AUTH_GITHUB_KEY`).",
    )
    github_secret: SecretStr | None = Field(
        default=None,
        validate_default=True,
        validation_alias=AliasChoices("github_secret", "social_auth_github_secret"),
        description="Its secret (also `SOCIAL_AUTH_GITHUB_SECRET`).",
    )
    github_organizations: SmallNames = Field(
        default=frozenset(),
        description="Organisations whose members are let in, with commas between. Without this and "
        "`GITHUB_TEAMS`: everybody.",
    )
    github_teams: Teams = Field(
        default=frozenset(), description="Teams whose members are let in, too, as `spack/maintainers`."
    )

    @field_validator("oidc_issuer")
    @classmethod
    def _with_client(cls, value: str | None, others: ValidationInfo) -> str | None:
        if (value is None) != (not others.data.get("oidc_client_id")):
            raise ValueError("expected OIDC_CLIENT_ID and OIDC_ISSUER together")
        return value

    @field_validator("oidc_roles")
    @classmethod
    def _of_claim(cls, value: dict[str, str], others: ValidationInfo) -> dict[str, str]:
        if value and not others.data.get("oidc_role_claim"):
            raise ValueError("expected OIDC_ROLE_CLAIM beside it")
        return value

    @field_validator("github_secret")
    @classmethod
    def _with_key(cls, value: SecretStr | None, others: ValidationInfo) -> SecretStr | None:
        if (value is None) != (others.data.get("github_key") is None):
            raise ValueError("expected GITHUB_KEY and GITHUB_SECRET together")
        return value
