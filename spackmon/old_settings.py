"""What the old server's settings.yml and environment say that this server has no setting for.

Their names are those of its settings.yml, of every version, and of the variables that its settings.py read.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from spackmon.errors import Code, Refused

_NO_CACHE = "nothing is cached between requests"
_NO_MAIL = "no mail is sent"
_NO_MODEL = "no model is trained"
_NO_SENTRY = "faults are written to the log, not sent to Sentry"
_NO_TRACKING = "pages load nothing from other sites"
_PUBLIC = "who may write is decided by DISABLE_AUTHENTICATION, and reading is public"

IGNORED: Mapping[str, str] = {
    "CACHE_DIR": _NO_CACHE,
    "DISABLE_CACHE": _NO_CACHE,
    "DISABLE_ONLINE_ML": _NO_MODEL,
    "ENABLE_CACHE": _NO_CACHE,
    "ENABLE_SENTRY": _NO_SENTRY,
    "GITHUB_REPOSITORY": "the pages link to GITHUB_DOCUMENTATION and HELP_CONTACT_URL",
    "GOOGLE_ANALYTICS_ID": _NO_TRACKING,
    "GOOGLE_ANALYTICS_SITE": _NO_TRACKING,
    "MODEL_FLAVOR": _NO_MODEL,
    "MODEL_LOAD_FROM_FILE": _NO_MODEL,
    "MODEL_NAME": _NO_MODEL,
    "PRIVATE_ONLY": _PUBLIC,
    "REQUIRE_AUTH": _PUBLIC,
    "SECRET_KEY": "sessions are not signed with it, and JWT_SERVER_SECRET signs access tokens",
    "SENDGRID_API_KEY": _NO_MAIL,
    "SENDGRID_SENDER_EMAIL": _NO_MAIL,
    "SENTRY_DSN": _NO_SENTRY,
    "TWITTER_USERNAME": _NO_TRACKING,
    "USE_SQLITE": "DATABASE_URL says where builds are stored, and without it that is an SQLite file",
}
"""Keys that an old settings.yml may have and that change nothing here, each with the reason."""

DATABASE_PARTS = (
    "DATABASE_ENGINE", "DATABASE_HOST", "DATABASE_PORT", "DATABASE_USER", "DATABASE_PASSWORD",
    "DATABASE_NAME",
)  # fmt: skip
"""The variables that made the old server's database; here they make DATABASE_URL where that is not set."""

# The last words of Django's engines; the one for maps is PostgreSQL with an extension.
_POSTGRESQL = frozenset({"postgresql", "postgresql_psycopg2", "postgres", "postgis"})
_SQLITE = frozenset({"sqlite3", "sqlite"})
_ENGINES = "expected django.db.backends.postgresql or django.db.backends.sqlite3"
_LAST_PORT = 65535


def database_url(environment: Mapping[str, str], file: Mapping[str, Any], prefix: str) -> str | None:
    """The database that DATABASE_PARTS name, with the prefix, without it or in the file; None without any.

    Raises Refused with a sentence that names the part that is missing or not usable.
    """
    set_values = {
        name: environment.get(prefix + name) or environment.get(name) or file.get(name)
        for name in DATABASE_PARTS
    }
    parts = {name: str(value) for name, value in set_values.items() if value not in (None, "")}
    if not parts:
        return None
    if "DATABASE_ENGINE" not in parts:
        # Its default was MySQL: who set the others alone may mean that.
        raise _unusable(f"DATABASE_ENGINE is missing beside {next(iter(parts))}: {_ENGINES}")
    engine = parts["DATABASE_ENGINE"]
    kind = engine.rpartition(".")[2].lower()
    if kind in _SQLITE:
        path = Path(_part(parts, "DATABASE_NAME")).expanduser().absolute()
        url = URL.create("sqlite", database=str(path))
    elif kind in _POSTGRESQL:
        url = _postgresql(parts)
    else:
        raise _unusable(f"DATABASE_ENGINE is {engine!r}, which is not supported: {_ENGINES}")
    return url.render_as_string(hide_password=False)


def _postgresql(parts: Mapping[str, str]) -> URL:
    host = _part(parts, "DATABASE_HOST")
    if "DATABASE_PASSWORD" in parts:
        _part(parts, "DATABASE_USER")
    # libpq takes the directory of a Unix socket for a host; in an address it stands among the parameters.
    is_socket = host.startswith("/")
    return URL.create(
        "postgresql",
        username=parts.get("DATABASE_USER"),
        password=parts.get("DATABASE_PASSWORD"),
        host=None if is_socket else host,
        port=_port(parts.get("DATABASE_PORT")),
        database=_part(parts, "DATABASE_NAME"),
        query={"host": host} if is_socket else {},
    )


def _port(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= _LAST_PORT):
        raise _unusable(f"DATABASE_PORT is {text!r}, which is not usable: expected 1 to {_LAST_PORT}")
    return int(text)


def _part(parts: Mapping[str, str], name: str) -> str:
    if name not in parts:
        raise _unusable(f"{name} is missing beside {next(iter(parts))}")
    return parts[name]


def _unusable(sentence: str) -> Refused:
    return Refused(Code.SETTING_INVALID, sentence)


def notices(given: Mapping[str, Any], embedded: Path | None) -> list[str]:
    """A sentence for each of `given`, the values by their names, that does not do what it did.

    `embedded` is the SQLite file that is used because no database is set; None with any other database.
    """
    sentences = [
        f"{name} is ignored: {reason}"
        for name, reason in IGNORED.items()
        if given.get(name) not in (None, "")
    ]
    # Without this key, and without a database, the old server meant the PostgreSQL of its compose file.
    if embedded is not None and "USE_SQLITE" in given and not given["USE_SQLITE"]:
        sentences.append(
            f"neither USE_SQLITE nor a database is set: builds are stored in {embedded}, where the old "
            "server meant postgresql://postgres@db/postgres (DATABASE_URL)"
        )
    return sentences
