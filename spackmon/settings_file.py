"""The YAML file of settings, and the sentence about a value that cannot be used."""

import os
import re
from pathlib import Path
from typing import Any

import yaml

from spackmon.errors import Code, Refused

PREFIX = "SPACKMON_"
_SECRET_KEYS = frozenset(
    {"github_secret", "jwt_server_secret", "notification_secret", "oidc_client_secret", "smtp_password"}
)


def read_file() -> dict[str, Any]:
    """The values by key of the file that SPACKMON_SETTINGS_FILE names, none without one. Raises Refused."""
    path = os.environ.get(PREFIX + "SETTINGS_FILE")
    if not path:
        return {}
    name = PREFIX + "SETTINGS_FILE"
    try:
        document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise unusable(name, path, error.strerror or str(error)) from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise unusable(name, path, "the file is not YAML") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise unusable(name, path, "expected one `KEY: value` per line")
    return {str(key): value for key, value in document.items()}


def secret_folders() -> list[Path]:
    """Where a file is a setting by its name, as containers and systemd (`LoadCredential`) give secrets."""
    given = os.environ.get("CREDENTIALS_DIRECTORY")
    folders = [Path("/run/secrets"), *([Path(given)] if given else [])]
    return [folder for folder in folders if folder.is_dir()]


def unusable(name: str, value: Any, reason: str) -> Refused:
    """An error that names the setting and its value, if it has one that is no secret."""
    reason = reason[:1].lower() + reason[1:]
    if value is None or name.lower() in _SECRET_KEYS:
        return Refused(Code.SETTING_INVALID, f"{name} is not usable: {reason}")
    # An address may hold a password, and one that is wrong may hold any character unescaped.
    shown = re.sub(r"//.*@", "//***@", str(value), flags=re.DOTALL)
    return Refused(Code.SETTING_INVALID, f"{name} is {shown!r}, which is not usable: {reason}")
