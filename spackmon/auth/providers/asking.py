"""What is asked of another service, and what is made of its faults; every address is one of the settings'."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import httpx2
from authlib.common.errors import AuthlibBaseError
from joserfc.errors import JoseError

from spackmon.auth.providers.claims import away, no_good

_TIMEOUT_SECONDS = 10.0
_SERVER_FAULT = 500


@cache
def tls() -> ssl.SSLContext:
    """Whose certificates are good; reading them takes a moment, and only who needs them does."""
    return httpx2.create_ssl_context()


def client_options() -> dict[str, Any]:
    """What every client here has in common: no redirect is followed."""
    return {"verify": tls(), "timeout": _TIMEOUT_SECONDS, "follow_redirects": False}


@contextmanager
def asked_of(name: str) -> Iterator[None]:
    """Faults of the service of this name are Refused PROVIDER_AWAY and PROVIDER_REFUSED."""
    try:
        yield
    except httpx2.TransportError as error:
        raise away(name, type(error).__name__) from None
    except httpx2.HTTPStatusError as error:
        if error.response.status_code >= _SERVER_FAULT:
            raise away(name, f"status {error.response.status_code}") from None
        raise no_good(name, f"status {error.response.status_code}") from None
    except (AuthlibBaseError, JoseError) as error:
        raise no_good(name, str(error)) from None
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, KeyError, TypeError, AttributeError) as error:
        raise no_good(name, f"an answer that cannot be read ({type(error).__name__})") from None


def json_of(answer: httpx2.Response) -> Any:
    """What a service says. Raises httpx2.HTTPStatusError, ValueError."""
    answer.raise_for_status()
    return answer.json()


def object_of(answer: httpx2.Response) -> Mapping[str, Any]:
    """The same of an object. Raises httpx2.HTTPStatusError, ValueError."""
    said = json_of(answer)
    if not isinstance(said, dict):
        raise ValueError("no object")
    return said
