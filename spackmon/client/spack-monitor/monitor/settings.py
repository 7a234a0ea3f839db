"""Where reports go and where they wait: the environment first, then what `spack monitor login` stored."""

import contextlib
import json
import os
import re
import tempfile
from typing import Dict, NamedTuple, Optional

_DEFAULT_SPOOL_MEGABYTES = 512
_DEFAULT_WAIT_SECONDS = 2.0
_DEFAULT_LOG_SECONDS = 10.0


class Unusable(Exception):  # noqa: N818 -- says what it is about
    """A setting that cannot be used; its text is one sentence for the user."""


class Settings(NamedTuple):
    """`url` and `token` are None where nobody gave one; then reports wait in the spool."""

    url: Optional[str]
    token: Optional[str]
    spool: str
    maximum_bytes: int
    wait_seconds: float
    log_seconds: float


def read(login_file: str, spool: str) -> Settings:
    """The settings, of SPACKMON_URL, SPACKMON_TOKEN, SPACKMON_SPOOL, SPACKMON_SPOOL_MEGABYTES,
    SPACKMON_WAIT_SECONDS and SPACKMON_LOG_SECONDS, and of the file of `spack monitor login`; `spool` is the
    usual place.

    A setting that cannot be read counts as not given: an install must not fail of it.
    """
    stored = _stored(login_file)
    environment = os.environ
    url = environment.get("SPACKMON_URL") or stored.get("url")
    # A token belongs to the server it was given for: it is not shown to the one in the environment.
    token = environment.get("SPACKMON_TOKEN")
    if not token and url == stored.get("url"):
        token = stored.get("token")
    megabytes = _number(environment.get("SPACKMON_SPOOL_MEGABYTES"), _DEFAULT_SPOOL_MEGABYTES)
    return Settings(
        url=url.rstrip("/") if url and is_address(url) else None,
        token=token or None,
        spool=environment.get("SPACKMON_SPOOL") or _writable(spool),
        maximum_bytes=int(megabytes * (1 << 20)),
        wait_seconds=_number(environment.get("SPACKMON_WAIT_SECONDS"), _DEFAULT_WAIT_SECONDS),
        log_seconds=_number(environment.get("SPACKMON_LOG_SECONDS"), _DEFAULT_LOG_SECONDS),
    )


def store(login_file: str, url: str, token: Optional[str]) -> None:
    """Keep a login where nobody else can read it. Raises Unusable, OSError."""
    if not is_address(url):
        raise Unusable(f"{url!r} is no address: expected http://host:port")
    if token is not None and not re.match(r"[\x21-\x7e]+\Z", token):
        raise Unusable("the token has blanks or other characters that no token has")
    os.makedirs(os.path.dirname(login_file), mode=0o700, exist_ok=True)
    unfinished = f"{login_file}.{os.getpid()}"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump({"url": url.rstrip("/"), "token": token}, file)
        os.replace(unfinished, login_file)
    except BaseException:
        os.unlink(unfinished)
        raise


def is_address(url: str) -> bool:
    """Whether reports can be sent there."""
    return re.match(r"https?://[^/\s?#]+(/[^\s?#]*)?\Z", url) is not None


def _stored(login_file: str) -> Dict[str, str]:
    try:
        with open(login_file) as file:
            stored = json.load(file)
    except (OSError, ValueError):
        return {}
    if not isinstance(stored, dict):
        return {}
    return {name: value for name, value in stored.items() if isinstance(value, str)}


def _writable(directory: str) -> str:
    """The directory, or where a home cannot be written one of ours among the temporary files."""
    with contextlib.suppress(OSError):
        os.makedirs(directory, mode=0o700, exist_ok=True)
    if os.access(directory, os.W_OK | os.X_OK) or not hasattr(os, "getuid"):
        return directory
    other = os.path.join(tempfile.gettempdir(), f"spack-monitor-{os.getuid()}")
    is_somebody_elses = os.path.lexists(other) and os.lstat(other).st_uid != os.getuid()
    return directory if is_somebody_elses or os.path.islink(other) else other


def _number(text: Optional[str], default: float) -> float:
    try:
        number = float(text) if text else default
    except ValueError:
        return default
    return number if 0 <= number < 1e9 else default
