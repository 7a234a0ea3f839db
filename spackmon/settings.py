"""The only place where configuration is read: the environment (`SPACKMON_PORT`) and a YAML file (`PORT`).

The names are those of the old server's settings.yml where it had one, so that a site keeps its file. A
service that starts with a setting it did not understand is found out too late: whatever is wrong, the
start stops with one sentence. Settings are one table, a field each; those of signing in, of the bucket of
logs and of notifications, of which a site has all or none, have files of their own.
"""

import difflib
import errno
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)
from sqlalchemy import URL
from sqlalchemy.exc import ArgumentError

from spackmon.database_urls import parsed
from spackmon.errors import Code, Refused
from spackmon.graph.spack_rules import SpackVersion
from spackmon.log_bucket_settings import LogBucketSettings
from spackmon.notification_settings import NotificationSettings
from spackmon.old_settings import DATABASE_PARTS, IGNORED, database_url, notices
from spackmon.quota_rules import read_quotas
from spackmon.retention_rules import read_rules
from spackmon.secret_file import read_or_create
from spackmon.setting_values import (
    AbsolutePath,
    Access,
    Addresses,
    BaseUrl,
    LogLevel,
    Names,
    Origins,
    PublicUrl,
    Rate,
    Truth,
    Visible,
)
from spackmon.settings_file import PREFIX, read_file, secret_folders, unusable
from spackmon.sign_in_settings import SignInSettings

# Variables of the same prefix that this module, clients and the tests read and that set nothing.
_NOT_SETTINGS = frozenset({"SETTINGS_FILE", "USER", "TOKEN", "TEST_DATABASE_URL"})
_RESERVED_PATHS = frozenset(
    {
        "account", "admin", "analysis-results", "api", "auth", "buildSummary.php", "builds", "complete",
        "graphql", "healthz", "login", "logout", "metrics", "phases", "readyz", "static", "submit.php",
    }
)  # fmt: skip
# What the old server read from the environment without a prefix.
_BARE = {
    "jwt_server_secret": "JWT_SERVER_SECRET", "github_key": "SOCIAL_AUTH_GITHUB_KEY",
    "github_secret": "SOCIAL_AUTH_GITHUB_SECRET",
}  # fmt: skip
_OTHER_NAMES = frozenset({"API_URL_PREFIX", "SOCIAL_AUTH_GITHUB_KEY", "SOCIAL_AUTH_GITHUB_SECRET"})
_TLS_PORT = 443
# A disk that is full or mounted read-only: no setting is wrong, and it may be well again in a moment.
_PASSING_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_EMBEDDED = "spackmon.sqlite3"


class Settings(SignInSettings, LogBucketSettings, NotificationSettings):
    """Everything that can be set; docs/settings.md says the same for people."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_prefix_target="all", env_ignore_empty=True, extra="forbid", frozen=True
    )

    database_url: str = Field(
        default="",
        repr=False,
        description="Where builds are kept: `postgresql://user:password@host/name`, or `sqlite:////path`. "
        "Not set: the file `spackmon.sqlite3` in `DATA_DIR`.",
    )
    database_direct_url: str = Field(
        default="",
        repr=False,
        description="Where `DATABASE_URL` leads to a pooler that lends sessions for one transaction each "
        "(pgbouncer): the address of PostgreSQL itself, for what needs a session of its own.",
    )
    database_replicas: Addresses = Field(
        default=(),
        repr=False,
        description="Streaming replicas of PostgreSQL that questions are asked of, written as "
        "`DATABASE_URL` is, with blanks between.",
    )
    replica_lag_seconds: float = Field(
        default=5.0,
        gt=0,
        le=3600,
        description="How old an answer of a replica may be; one that is further behind is not asked.",
    )
    data_dir: Path = Field(
        default=Path(".spackmon"),
        description="The directory of the embedded database and of generated secrets; made if missing, "
        "relative to the working directory.",
    )
    spool_dir: AbsolutePath | None = Field(
        default=None,
        description="A directory for reports that come while the database cannot be used for longer than "
        "they are held. Not set: `spool` in `DATA_DIR`.",
    )
    hold_seconds: float = Field(
        default=30.0,
        gt=0,
        le=600,
        description="How long a write waits for a database that is away, full or read-only.",
    )
    host: str = Field(
        default="127.0.0.1", description="The address to listen at; `0.0.0.0` for every interface."
    )
    port: int = Field(default=8000, ge=1, le=65535, description="The TCP port to listen at.")
    log_level: LogLevel = Field(
        default="INFO", description="The least severe messages of the log; `INFO` has a line a request."
    )
    disable_authentication: Truth = Field(
        default=False,
        description="Take writes from anybody, as the person `anonymous` "
        "(for `spack install --monitor-no-auth`).",
    )
    read_access: Access = Field(
        default="public",
        description="Who may read: `public`, or `authenticated` for those who show a token with the scope "
        "`read`.",
    )
    environment_access: Access = Field(
        default="public",
        description="Who sees environment variables and the owners of installed files: `public`, or "
        "`authenticated`.",
    )
    default_visibility: Visible = Field(
        default="public",
        description="Who sees what people report who are added from now on: `public`, `internal` for all who "
        "are known, or `private`.",
    )
    secret_names: Names = Field(
        default=frozenset(),
        description="Words, with commas between, that in the name of a variable or an argument say that its "
        "value is a secret, beside those of docs/secrets.md.",
    )
    environment: str = Field(
        default="test", description="The name of this deployment, shown in the service info."
    )
    domain_name: PublicUrl | None = Field(
        default=None,
        description="The public address, such as `https://monitor.example.org`, for links that are made "
        "outside a request; without a scheme `https` is meant. Not set: `HOST` and `PORT`.",
    )
    domain_port: int | None = Field(
        default=None, ge=1, le=65535, description="The public port, where `DOMAIN_NAME` has none."
    )
    url_api_prefix: str = Field(
        default="ms1",
        validation_alias=AliasChoices("url_api_prefix", "api_url_prefix"),
        description="The path under which Spack clients report (also `API_URL_PREFIX`).",
    )
    retention: str = Field(
        default="",
        description="What is removed when it is old, as `logs 90; runs 30 tag:nightly` "
        "(docs/data-life.md); nothing where it is not set.",
    )
    quotas: str = Field(
        default="",
        description="How much there may be, as `logs 500GB; runs 100000 per:person` (docs/data-life.md): the "
        "oldest beyond it is removed.",
    )
    run_silence_seconds: float = Field(
        default=172_800.0,
        ge=0,
        description="After how long without a report a run that has not ended counts as cancelled; 0: never.",
    )
    log_rules: AbsolutePath | None = Field(
        default=None,
        description="A file of classes and rules of the site's own, by which errors are classified before "
        "those of spackmon: docs/logs.md.",
    )
    cdash_projects: Names = Field(
        default=frozenset(),
        description="The projects that `/submit.php` takes reports for, with commas between. Not set: every "
        "project.",
    )
    api_token_expires_seconds: int = Field(
        default=600,
        ge=1,
        le=31_536_000,
        description="How long a client may write before it has to ask for a new access token.",
    )
    session_seconds: float = Field(
        default=1_209_600.0, ge=60, description="How long somebody who signs in by a browser stays signed in."
    )
    session_idle_seconds: float = Field(
        default=172_800.0, ge=60, description="After how long without a request such a session ends earlier."
    )
    auth_server: BaseUrl | None = Field(
        default=None,
        description="The address that clients are sent to for an access token, where it differs from the "
        "one they report to.",
    )
    auth_instructions: str | None = Field(
        default=None, description="A page that says how to get an account. Not set: the home page."
    )
    help_contact_url: str | None = Field(
        default=None, description="Where to ask for help. Not set: the home page."
    )
    github_documentation: str | None = Field(
        default=None, description="Where the site's documentation is. Not set: /docs/."
    )
    maximum_cost: int = Field(
        default=1_000_000,
        ge=1,
        description="The most that one GraphQL operation may cost, in units of docs/graphql.md.",
    )
    maximum_depth: int = Field(
        default=25, ge=1, le=25, description="The most levels of fields that one GraphQL operation may have."
    )
    maximum_aliases: int = Field(
        default=100, ge=0, description="The most aliases that one GraphQL document may have."
    )
    maximum_tokens: int = Field(
        default=5_000, ge=1, le=20_000, description="The most tokens that one GraphQL document may have."
    )
    maximum_document_bytes: int = Field(
        default=100_000, ge=1, le=1_000_000, description="The most bytes that one GraphQL document may have."
    )
    cache_bytes: int = Field(
        default=64_000_000,
        ge=0,
        description="The most bytes of memory for documents, plans and answers that were used before.",
    )
    maximum_connections: int = Field(
        default=800, ge=10, description="The most connections of clients at one time."
    )
    maximum_subscriptions: int = Field(
        default=700, ge=0, description="The most GraphQL subscriptions at one time."
    )
    maximum_subscriptions_of_one: int = Field(
        default=300, ge=0, description="The most of them of one person, or of an address that names nobody."
    )
    changes_kept_seconds: float = Field(
        default=86_400.0, ge=1, description="How long a subscription can go on after a cursor."
    )
    read_limit: Rate | None = Field(
        default=None,
        description="How many questions an address may ask that names nobody, as `600/minute`. Not set: any.",
    )
    read_limit_of_person: Rate | None = Field(
        default=None, description="How many one person may ask, from all addresses together. Not set: any."
    )
    read_limit_store: SecretStr | None = Field(
        default=None,
        description="Where processes count together, as `redis://host:6379`. Not set: each for itself.",
    )
    statement_timeout_seconds: float = Field(
        default=30.0,
        gt=0,
        le=3600,
        description="How long the database may take for one question; of an export, for one batch of rows.",
    )
    slow_operation_seconds: float = Field(
        default=2.0,
        ge=0,
        description="From how long on an operation has a line `slow_operation` in the log; 0: none has.",
    )
    satisfying_as: SpackVersion = Field(
        default=SpackVersion.SPACK_1_2,
        description="By the rules of which Spack `satisfying` is judged where the question names none: "
        "`SPACK_1_2` or `SPACK_1_3`.",
    )
    introspection: bool = Field(
        default=True, description="Answer questions about the schema; GraphiQL and code generators ask them."
    )
    graphiql: bool = Field(
        default=True, description="Answer browsers at `/graphql` with GraphiQL, a page to ask questions on."
    )
    persisted_documents: AbsolutePath | None = Field(
        default=None,
        description="A folder with `*.graphql` files: the server answers these documents and no others, and "
        "knows them by their SHA-256, too.",
    )
    cors_origins: Origins = Field(
        default=frozenset(),
        description="The origins whose pages may ask GraphQL and the API from a browser, with commas "
        "between; `*`: all.",
    )
    jwt_server_secret: SecretStr | None = Field(
        default=None,
        description="The key that signs access tokens, at least 32 characters; processes behind one "
        "address need the same (also `JWT_SERVER_SECRET` without the prefix). Not set: generated once "
        "into `DATA_DIR`.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        bare = {key: os.environ.get(variable) for key, variable in _BARE.items()}
        sources = (_file_values(), {key: value for key, value in bare.items() if value})
        return (
            init_settings,
            env_settings,
            SecretsSettingsSource(settings_cls, secret_folders()),
            *(InitSettingsSource(settings_cls, one) for one in sources),
        )

    @field_validator(
        "port", "domain_port", "api_token_expires_seconds", "maximum_cost", "maximum_depth",
        "maximum_aliases", "maximum_tokens", "maximum_document_bytes", "cache_bytes",
        "maximum_connections", "maximum_subscriptions", "maximum_subscriptions_of_one",
        "changes_kept_seconds", "notification_retry_seconds", "notifications_kept_days", "smtp_port",
        "statement_timeout_seconds", "hold_seconds", "run_silence_seconds", "slow_operation_seconds",
        "replica_lag_seconds", "log_bucket_kept_days",
        "session_seconds", "session_idle_seconds",
        mode="before",
    )  # fmt: skip
    @classmethod
    def _number(cls, value: Any) -> Any:
        # YAML reads `yes` and `on` as true, and to Python true is the number 1.
        if isinstance(value, bool):
            raise ValueError("expected a number")
        return value

    @field_validator("retention")
    @classmethod
    def _rules(cls, value: str) -> str:
        read_rules(value)
        return value

    @field_validator("quotas")
    @classmethod
    def _quotas(cls, value: str) -> str:
        read_quotas(value)
        return value

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("url_api_prefix")
    @classmethod
    def _one_path(cls, value: str) -> str:
        path = value.strip("/")
        if not re.fullmatch(r"[\w.~-]+(/[\w.~-]+)*", path, re.ASCII):
            raise ValueError("expected a path such as ms1")
        if path.split("/")[0] in _RESERVED_PATHS:
            raise ValueError("this path is taken by the service itself")
        return path

    @field_validator("jwt_server_secret", "notification_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        # RFC 7518 3.2: an HS256 key is at least as long as the hash, 256 bits.
        if value is not None and len(value.get_secret_value().encode()) < 32:
            raise ValueError("expected at least 32 characters")
        return value

    @model_validator(mode="after")
    def _embedded_database(self) -> Self:
        # Frozen for everybody but this default, which hangs on other settings.
        if not self.database_url:
            url = database_url(os.environ, read_file(), PREFIX) or self._embedded_database_url()
            object.__setattr__(self, "database_url", url)
        return self

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if not value:
            return value
        return database_address(value)

    @field_validator("database_direct_url")
    @classmethod
    def _direct(cls, value: str, info: ValidationInfo) -> str:
        if value and not str(info.data.get("database_url", "")).startswith("postgresql"):
            raise ValueError("expected only beside a DATABASE_URL of PostgreSQL, which leads to its pooler")
        return next(iter(cls._replicas((value,)))) if value else value

    @field_validator("database_replicas")
    @classmethod
    def _replicas(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        addresses = tuple(map(database_address, value))
        if not all(address.startswith("postgresql") for address in addresses):
            raise ValueError("expected postgresql://user:password@host/name")
        return addresses

    def _embedded_database_url(self) -> str:
        url = URL.create("sqlite", database=str(self.data_dir / _EMBEDDED))
        return url.render_as_string(hide_password=False)

    @property
    def session_url(self) -> str:
        """The address of the database for what needs a session of its own: migrations, commands, LISTEN."""
        return self.database_direct_url or self.database_url

    @property
    def shown_database_url(self) -> str | None:
        """`database_url` with `***` for its password; None where it is the embedded one of `data_dir`."""
        if self.database_url == self._embedded_database_url():
            return None
        url = parsed(self.database_url)
        # libpq takes passwords as parameters too: password, sslpassword.
        hidden = {name: "***" for name in url.query if "password" in name}
        return url.update_query_dict(hidden).render_as_string(hide_password=True)

    @property
    def public_url(self) -> str:
        """The address of the service for links made outside a request, without a slash at the end."""
        if self.domain_name is None:
            host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104
            return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
        implied = _TLS_PORT if self.domain_name.startswith("https") else 80
        if self.domain_port in (None, implied) or urlsplit(self.domain_name).port is not None:
            return self.domain_name
        return f"{self.domain_name}:{self.domain_port}"

    @property
    def spool(self) -> Path:
        """Where reports wait for the database."""
        return self.spool_dir or self.data_dir / "spool"

    def make_data_dir(self) -> None:
        """Make `DATA_DIR` if it is missing. Raises OSError."""
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)

    def signing_key(self) -> str:
        """The key of access tokens; made on first need where none is set. Raises Refused."""
        if self.jwt_server_secret is not None:
            return self.jwt_server_secret.get_secret_value()
        return read_or_create(self.data_dir / "jwt_server_secret")

    def notification_key(self) -> str:
        """What the keys that sign webhooks are made of; made on first need. Raises Refused."""
        if self.notification_secret is not None:
            return self.notification_secret.get_secret_value()
        return read_or_create(self.data_dir / "notification_secret")


def database_address(value: str) -> str:
    """The address of a database, as SQLAlchemy takes it. Raises ValueError with what was expected."""
    try:
        url = parsed(re.sub(r"^postgres(?=://)", "postgresql", value))
    except (ArgumentError, ValueError):
        raise ValueError("expected postgresql://user:password@host/name or sqlite:////path") from None
    backend = url.get_backend_name()
    if backend not in ("postgresql", "sqlite"):
        raise ValueError("expected a postgresql:// or sqlite:// address")
    if backend == "sqlite" and url.database in (None, "", ":memory:"):
        raise ValueError("expected the path of a file: sqlite:////path")
    return url.render_as_string(hide_password=False)


def load_settings() -> Settings:
    """The settings of this process; `DATA_DIR` exists afterwards, if its disk can be written now.

    Raises Refused with one sentence that names the key and the value.
    """
    _refuse_misspelt(os.environ)
    try:
        settings = Settings()
    except ValidationError as error:
        raise _refusal(error) from None
    try:
        settings.make_data_dir()
    except OSError as error:
        if error.errno not in _PASSING_ERRORS:
            raise unusable("DATA_DIR", str(settings.data_dir), error.strerror or str(error)) from None
    return settings


def are_traces_sent() -> bool:
    """Whether the standard variables of OpenTelemetry name where traces go, and do not switch them off."""
    given = {key.removeprefix("OTEL_"): value for key, value in os.environ.items() if key.startswith("OTEL_")}
    if given.get("SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = given.get("TRACES_EXPORTER", "").strip()
    return exporter == "otlp" or (
        not exporter and any(given.get(f"EXPORTER_OTLP_{kind}ENDPOINT") for kind in ("", "TRACES_"))
    )


def setting_names() -> tuple[str, ...]:
    """Every setting's name, as the file spells it."""
    return tuple(name.upper() for name in Settings.model_fields)


def old_settings(settings: Settings) -> list[str]:
    """What of an old server's settings is set and does not do what it did; a sentence each."""
    embedded = settings.data_dir / _EMBEDDED if settings.shown_database_url is None else None
    prefixed = {key: value for key, value in os.environ.items() if key.startswith(PREFIX)}
    given = {key.removeprefix(PREFIX): value for key, value in prefixed.items()}
    return notices({**read_file(), **given}, embedded)


def _file_values() -> dict[str, Any]:
    others = {*IGNORED, *DATABASE_PARTS}
    values = {key: value for key, value in read_file().items() if value is not None and key not in others}
    for key, value in values.items():
        if key not in (*setting_names(), *_OTHER_NAMES):
            raise Refused(Code.SETTING_UNKNOWN, f"{key} in the settings file is not a setting{_hint(key)}")
        if not isinstance(value, str | int | float | bool):
            raise unusable(key, value, "expected a single value")
    return {key.lower(): value for key, value in values.items()}


def _refuse_misspelt(environment: Mapping[str, str]) -> None:
    for variable in sorted(environment):
        key = variable.removeprefix(PREFIX)
        known = {*setting_names(), *_OTHER_NAMES, *_NOT_SETTINGS, *IGNORED, *DATABASE_PARTS}
        if key != variable and key not in known and (hint := _hint(key, PREFIX)):
            raise Refused(Code.SETTING_UNKNOWN, f"{variable} is not a setting{hint}")


def _hint(key: str, prefix: str = "") -> str:
    near = difflib.get_close_matches(key.upper(), setting_names(), n=1, cutoff=0.75)
    return f": did you mean {prefix}{near[0]}?" if near else ""


def _refusal(error: ValidationError) -> Refused:
    first = error.errors(include_url=False, include_context=False)[0]
    key = str(first["loc"][0]).lower() if first["loc"] else ""
    name = "URL_API_PREFIX" if key == "api_url_prefix" else key.upper()
    return unusable(name, first["input"], first["msg"].removeprefix("Value error, "))
