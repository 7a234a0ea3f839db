"""What a site may set, and how it hears of what it set wrong."""

import re
import stat
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import make_url

from spackmon.errors import Refused
from spackmon.old_settings import DATABASE_PARTS, IGNORED
from spackmon.ops.migrations import upgrade
from spackmon.secret_file import read_or_create
from spackmon.settings import load_settings, old_settings, setting_names
from tests.server import served
from tests.waiting import GIVE_UP_SECONDS

DOCUMENT = Path(__file__).parents[1] / "docs" / "settings.md"
OLD_FILE = Path(__file__).parent / "data" / "old-settings.yml"
ON_A_HOST = {
    "ENGINE": "django.db.backends.postgresql_psycopg2", "HOST": "db.example.org", "PORT": "5433",
    "USER": "spack", "PASSWORD": "p@ss/w:rd", "NAME": "monitor",
}  # fmt: skip


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory of its own, and no variable of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in (*setting_names(), "API_URL_PREFIX", "SETTINGS_FILE"):
        monkeypatch.delenv(f"SPACKMON_{name}", raising=False)
    for name in ("JWT_SERVER_SECRET", *DATABASE_PARTS, *(f"SPACKMON_{name}" for name in DATABASE_PARTS)):
        monkeypatch.delenv(name, raising=False)


def write_file(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    Path("settings.yml").write_text(text)
    monkeypatch.setenv("SPACKMON_SETTINGS_FILE", "settings.yml")


def test_without_any_setting_the_service_is_local_and_embedded(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.database_url == f"sqlite:///{tmp_path}/.spackmon/spackmon.sqlite3"
    assert (settings.public_url, settings.url_api_prefix) == ("http://127.0.0.1:8000", "ms1")
    assert (settings.disable_authentication, settings.api_token_expires_seconds) == (False, 600)


def test_an_old_settings_file_is_understood_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    write_file(
        monkeypatch,
        "TWITTER_USERNAME: spackpm\nUSE_SQLITE: true\nDISABLE_AUTHENTICATION: null\nAUTH_SERVER: null\n"
        "DOMAIN_NAME: http://monitor.example.org\nDOMAIN_PORT: 8080\nAPI_URL_PREFIX: /ms2/\nPORT: 81\n",
    )
    monkeypatch.setenv("SPACKMON_PORT", "82")
    settings = load_settings()
    assert (settings.port, settings.url_api_prefix, settings.disable_authentication) == (82, "ms2", False)
    assert settings.public_url == "http://monitor.example.org:8080"
    ignored = [sentence.split(" ")[0] for sentence in old_settings(settings)]
    assert ignored == ["TWITTER_USERNAME", "USE_SQLITE"]


def test_a_secret_may_be_a_file_and_the_environment_wins_over_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_file(monkeypatch, "DATABASE_URL: sqlite:////elsewhere.db\nPORT: 81\n")
    (tmp_path / "spackmon_database_url").write_text("postgresql://ada:s3cr3t@host/name\n")
    (tmp_path / "spackmon_port").write_text("82")
    (tmp_path / "database_password").write_text("of another program")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("SPACKMON_PORT", "83")
    settings = load_settings()
    assert settings.database_url == "postgresql://ada:s3cr3t@host/name"
    assert settings.port == 83


def test_the_old_server_s_own_file_starts_the_service_and_each_key_that_does_nothing_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_file(monkeypatch, OLD_FILE.read_text())
    settings = load_settings()
    assert (settings.log_level, settings.api_token_expires_seconds) == ("WARNING", 6000)
    assert settings.public_url == "http://127.0.0.1:5000"
    sentences = old_settings(settings)
    assert [sentence.split(" ")[0] for sentence in sentences[:-1]] == [
        "DISABLE_CACHE", "ENABLE_SENTRY", "GITHUB_REPOSITORY", "SENTRY_DSN", "TWITTER_USERNAME",
    ]  # fmt: skip
    # Its USE_SQLITE is null, and that server meant a PostgreSQL.
    assert f"builds are stored in {tmp_path}/.spackmon/spackmon.sqlite3" in sentences[-1]
    upgrade(settings.database_url)
    with served(settings.database_url, tmp_path) as server:
        assert server.http.get("/ms1/").json()["status"] == "running"


def set_parts(monkeypatch: pytest.MonkeyPatch, parts: dict[str, str], way: str) -> None:
    """The parts of a database as the old server read them, with the prefix, or in the settings file."""
    if way == "file":
        write_file(monkeypatch, "".join(f"DATABASE_{name}: {value!r}\n" for name, value in parts.items()))
        return
    for name, value in parts.items():
        monkeypatch.setenv(f"{way}DATABASE_{name}", value)


@pytest.mark.parametrize("way", ["", "SPACKMON_", "file"])
def test_the_old_server_s_database_variables_make_the_address(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_parts(monkeypatch, ON_A_HOST, way)
    url = make_url(load_settings().database_url)
    assert (url.host, url.port, url.database) == ("db.example.org", 5433, "monitor")
    assert (url.get_backend_name(), url.username, url.password) == ("postgresql", "spack", "p@ss/w:rd")
    monkeypatch.setenv("SPACKMON_DATABASE_URL", "postgresql://elsewhere/other")
    assert load_settings().database_url == "postgresql://elsewhere/other"


def test_a_socket_s_directory_and_a_file_are_databases_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_parts(monkeypatch, {**ON_A_HOST, "HOST": "/run/postgresql"}, "")
    url = make_url(load_settings().database_url)
    assert (url.host, dict(url.query)) == (None, {"host": "/run/postgresql"})
    set_parts(monkeypatch, {"ENGINE": "django.db.backends.sqlite3", "NAME": "here.sqlite3"}, "")
    assert load_settings().database_url == f"sqlite:///{tmp_path}/here.sqlite3"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"ENGINE": "django.db.backends.mysql"}, "mysql"), ({"ENGINE": "postgresql.mysql"}, "mysql"),
        ({"ENGINE": "django.db.backends.oracle"}, "oracle"), ({"ENGINE": ""}, "DATABASE_ENGINE is missing"),
        ({"HOST": ""}, "DATABASE_HOST is missing"), ({"NAME": ""}, "DATABASE_NAME is missing"),
        ({"USER": ""}, "DATABASE_USER is missing"), ({"PORT": "54 32"}, "DATABASE_PORT is '54 32'"),
        ({"PORT": "70000"}, "DATABASE_PORT is '70000'"),
    ],
)  # fmt: skip
def test_a_database_that_cannot_be_meant_stops_the_start_and_no_other_takes_its_place(
    changes: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_parts(monkeypatch, {**ON_A_HOST, **changes}, "")
    with pytest.raises(Refused, match=re.escape(named)) as refused:
        load_settings()
    assert "w:rd" not in refused.value.sentence


@pytest.mark.parametrize(
    ("value", "disabled"),
    [("true", True), ("x", True), ("1", True), ("false", False), ("0", False), ("No", False), ("", False)],
)
def test_authentication_is_disabled_by_any_value_that_does_not_say_no(
    value: str, disabled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPACKMON_DISABLE_AUTHENTICATION", value)
    assert load_settings().disable_authentication is disabled


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"), ("PORT", "70000"), ("API_TOKEN_EXPIRES_SECONDS", "0"),
        ("DATABASE_URL", "mysql://host/name"), ("DATABASE_URL", "nonsense"),
        ("DATABASE_DIRECT_URL", "postgresql://host/name"),
        ("DATABASE_URL", "sqlite:///:memory:"), ("URL_API_PREFIX", "graphql"), ("URL_API_PREFIX", "a b"),
        ("AUTH_SERVER", "ftp://host"), ("AUTH_SERVER", 'http://h"ost'), ("DATA_DIR", "/dev/null/x"),
        ("DOMAIN_PORT", "x"), ("LOG_LEVEL", "LOUD"), ("SIGN_IN_ROLE", "king"), ("OIDC_ISSUER", "ftp://x"),
        ("OIDC_ISSUER", "https://login.example.org"), ("OIDC_ROLES", "x"), ("OIDC_ROLES", "staff=king"),
        ("OIDC_ROLES", "staff=admin"), ("OIDC_SCOPES", "email"), ("OIDC_ALLOWED_DOMAINS", "@example.org"),
        ("GITHUB_URL", "nonsense"), ("GITHUB_TEAMS", "spack"), ("GITHUB_TEAMS", "a/b/c"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_its_key_in_one_sentence(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"SPACKMON_{name}", value)
    with pytest.raises(Refused) as refused:
        load_settings()
    assert name in refused.value.sentence
    assert repr(value) in refused.value.sentence
    assert "\n" not in refused.value.sentence


@pytest.mark.parametrize(
    ("name", "both"),
    [
        ("GITHUB_KEY", "GITHUB_KEY and GITHUB_SECRET"), ("GITHUB_SECRET", "GITHUB_KEY and GITHUB_SECRET"),
        ("SOCIAL_AUTH_GITHUB_SECRET", "GITHUB_KEY and GITHUB_SECRET"),
        ("OIDC_CLIENT_ID", "OIDC_CLIENT_ID and OIDC_ISSUER"),
    ],
)  # fmt: skip
def test_a_half_of_two_settings_is_refused_and_not_shown(
    name: str, both: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"SPACKMON_{name}", "xyzzy")
    with pytest.raises(Refused) as refused:
        load_settings()
    assert f"expected {both} together" in refused.value.sentence
    assert "xyzzy" not in refused.value.sentence


def test_what_is_no_setting_is_refused_with_a_suggestion(monkeypatch: pytest.MonkeyPatch) -> None:
    write_file(monkeypatch, "DATABSE_URL: sqlite:////tmp/x\n")
    with pytest.raises(Refused, match=r"DATABSE_URL in the settings file.*did you mean DATABASE_URL"):
        load_settings()
    monkeypatch.delenv("SPACKMON_SETTINGS_FILE")
    monkeypatch.setenv("SPACKMON_DATABSE_URL", "sqlite:////tmp/x")
    with pytest.raises(Refused, match=r"SPACKMON_DATABSE_URL.*did you mean SPACKMON_DATABASE_URL"):
        load_settings()


@pytest.mark.parametrize("text", ["- a list", "PORT: [1]", "a: b: c", "\x00"])
def test_a_file_that_is_no_settings_file_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_file(monkeypatch, text)
    with pytest.raises(Refused, match=r"PORT|SPACKMON_SETTINGS_FILE|settings file"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"), [("SPACKMON_PORT", "eighty"), ("DATABASE_ENGINE", "django.db.backends.mysql")]
)
def test_the_program_stops_with_the_sentence_and_without_a_traceback(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    program = Path(sys.executable).with_name("spackmon")
    run = subprocess.run([program, "serve"], capture_output=True, text=True, timeout=GIVE_UP_SECONDS)
    assert (run.returncode, run.stdout) == (1, "")
    assert re.fullmatch(rf"spackmon: {name.removeprefix('SPACKMON_')} is '{value}'[^\n]*\n", run.stderr)
    assert list(Path.cwd().rglob("*.sqlite3")) == []


@pytest.mark.parametrize("name", ["PORT", "MAXIMUM_COST", "STATEMENT_TIMEOUT_SECONDS"])
def test_a_yes_in_the_file_is_no_number(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_file(monkeypatch, f"{name}: yes\n")
    with pytest.raises(Refused, match=f"{name} is 'True', which is not usable: expected a number"):
        load_settings()


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACKMON_DATABASE_URL", "mysql://u:s3cr3t@host/name")
    with pytest.raises(Refused) as refused:
        load_settings()
    assert "s3cr3t" not in refused.value.sentence
    monkeypatch.setenv("SPACKMON_DATABASE_URL", "postgresql://u:s3/cr3t@host:port/name")
    with pytest.raises(Refused) as refused:
        load_settings()
    assert "cr3t" not in refused.value.sentence
    monkeypatch.setenv("SPACKMON_DATABASE_URL", "postgres://u:s3cr3t@host/name")
    monkeypatch.setenv("JWT_SERVER_SECRET", "s3cr3t")
    with pytest.raises(Refused, match="JWT_SERVER_SECRET") as refused:
        load_settings()
    assert "s3cr3t" not in refused.value.sentence
    monkeypatch.setenv("JWT_SERVER_SECRET", "s3cr3t" * 8)
    settings = load_settings()
    assert "s3cr3t" not in repr(settings)
    assert settings.signing_key() == "s3cr3t" * 8
    assert settings.database_url == "postgresql://u:s3cr3t@host/name"


def test_processes_that_start_together_make_one_secret_that_only_the_owner_reads(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret"
    with ProcessPoolExecutor(8) as pool:
        secrets = set(pool.map(read_or_create, [path] * 64))
    assert len(secrets) == 1
    assert len(secrets.pop()) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["secret"]


def test_the_settings_page_has_every_setting_and_no_other() -> None:
    documented = re.findall(r"^\| `([A-Z_]+)` \|", DOCUMENT.read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(setting_names())
    assert set(re.findall(r"`([A-Z_]+)`", DOCUMENT.read_text())) >= {*IGNORED, *DATABASE_PARTS}
