"""What the values of settings may be, and what they are read as."""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from limits import parse
from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

_FALSE_WORDS = frozenset({"", "0", "false", "no", "none", "null", "off"})


def _old_truth(value: Any) -> bool:
    """The old server took any value that was set for true; what plainly says no is false here."""
    return str(value).strip().lower() not in _FALSE_WORDS


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"[\s\"<>?#]", value):
        raise ValueError("expected an address such as https://monitor.example.org")
    return value.rstrip("/")


def _with_scheme(value: str) -> str:
    return value if "://" in value else f"https://{value}"


def _names(value: Any) -> Any:
    return frozenset(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


def _addresses(value: Any) -> Any:
    return tuple(value.split()) if isinstance(value, str) else value


def _rate(value: str) -> str:
    try:
        parse(value)
    except ValueError:
        raise ValueError("expected a number for a time, as 600/minute") from None
    return value


AUTHENTICATED = "authenticated"
Access = Annotated[
    Literal["public", "authenticated"],
    BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value),
]
Visible = Annotated[
    Literal["public", "internal", "private"],
    BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value),
]
LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
]
Truth = Annotated[bool, BeforeValidator(_old_truth)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
PublicUrl = Annotated[str, BeforeValidator(_with_scheme), AfterValidator(_base_url)]


def _origins(value: frozenset[str]) -> frozenset[str]:
    for origin in value - {"*"}:
        if not re.fullmatch(r"https?://[^\s/?#@]+", origin):
            raise ValueError("expected origins such as https://dashboard.example.org, without a path, or *")
    return value


def _reachable(value: frozenset[str]) -> frozenset[str]:
    for name in value:
        # A network whose address has bits behind its mask, and a list without commas, would allow nothing.
        if "/" in name or ":" in name or name.replace(".", "").isdigit():
            ip_network(name)
        elif not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?", name):
            raise ValueError("expected hosts and networks such as chat.example.org, 10.1.2.0/24")
    return value


def _mail_address(value: str) -> str:
    if not MAIL_ADDRESS.fullmatch(value):
        raise ValueError("expected an address such as spackmon@example.org")
    return value


MAIL_ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){0,10}"
)
"""What servers take without quotes and comments; a line's end in one would begin another header."""

MAIL_PORTS = {"starttls": 587, "tls": 465, "none": 25}
"""Where a server takes mail, by how the way there is encrypted."""

MailSecurity = Annotated[
    Literal["starttls", "tls", "none"],
    BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value),
]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
Addresses = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_addresses)]
Rate = Annotated[str, AfterValidator(_rate)]
Names = Annotated[frozenset[str], NoDecode, BeforeValidator(_names)]
Origins = Annotated[frozenset[str], NoDecode, BeforeValidator(_names), AfterValidator(_origins)]
Reachable = Annotated[frozenset[str], NoDecode, BeforeValidator(_names), AfterValidator(_reachable)]
AbsolutePath = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]
