"""Where webhooks may go: to addresses of the Internet alone, and to those of the site that a setting names.

A rule's URL could otherwise have the server ask what stands behind a site's firewall. A name is looked up
once, all that it stands for is checked, and the connection is made to what was checked: a name that means
something else a moment later is of no use.
"""

import ipaddress
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from socket import IPPROTO_TCP
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpcore

from spackmon.errors import Code, Refused

_URL_CHARACTERS = 2_000
_PORTS = {"http": 80, "https": 443}
# Of IPv6 only this is of the Internet at all; within it, some addresses carry IPv4's, which may be private.
_UNICAST = ipaddress.ip_network("2000::/3")
_TUNNELS = (ipaddress.ip_network("2001::/32"), ipaddress.ip_network("2002::/16"))

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Allowed:
    """The hosts and networks of the site that webhooks may go to beside the Internet."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()

    @classmethod
    def of(cls, names: Iterable[str]) -> "Allowed":
        """Those that a setting names: `chat.example.org`, `10.1.2.0/24`."""
        hosts, networks = set(), []
        for name in names:
            try:
                networks.append(ipaddress.ip_network(name))
            except ValueError:
                hosts.add(name.lower().rstrip("."))
        return cls(frozenset(hosts), tuple(networks))

    def check(self, host: str, address: str) -> None:
        """Refuse an address that a host's name stands for. Raises Refused ADDRESS_PRIVATE."""
        if host.lower().rstrip(".") in self.hosts:
            return
        found = _unmapped(ipaddress.ip_address(address.partition("%")[0]))
        if _is_public(found) or any(found in network for network in self.networks):
            return
        raise Refused(
            Code.ADDRESS_PRIVATE,
            f"{host!r} is {found}, which is no address of the Internet: name the host or its network in "
            "WEBHOOK_PRIVATE_ALLOWED if messages may go there",
        )


def _unmapped(address: _Address) -> _Address:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_public(address: _Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and (
        address not in _UNICAST or any(address in tunnel for tunnel in _TUNNELS)
    ):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def check_url(url: str, allowed: Allowed) -> None:
    """Refuse a URL that no webhook can have. Raises Refused WEBHOOK_INVALID, ADDRESS_PRIVATE.

    A host that is a name is looked up when something is sent to it.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _unusable(url, "expected an address such as https://example.org/hook") from None
    if len(url) > _URL_CHARACTERS or not url.isascii() or not url.isprintable() or " " in url:
        raise _unusable(url, f"expected at most {_URL_CHARACTERS:,} printable ASCII characters")
    if parts.scheme not in _PORTS or not host or port == 0:
        raise _unusable(url, "expected an address such as https://example.org/hook")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise _unusable(url, "a user and a password in it are not sent")
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return
    allowed.check(host, host)


def host_alone(url: str) -> str:
    """A URL as it may be shown: a path or a query of a chat's is a secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "…"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/…"


def _unusable(url: str, expected: str) -> Refused:
    return Refused(Code.WEBHOOK_INVALID, f"the webhook's address {host_alone(url)!r} is unusable: {expected}")


@dataclass(frozen=True, slots=True)
class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """How a request is connected: to an address that was checked."""

    allowed: Allowed
    network: httpcore.AsyncNetworkBackend = field(default_factory=httpcore.AnyIOBackend)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to one of the host's addresses. Raises Refused, OSError, httpcore.ConnectError."""
        found = await anyio.getaddrinfo(host, port, proto=IPPROTO_TCP)
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        for address in addresses:
            self.allowed.check(host, address)
        failure: Exception | None = None
        for address in addresses:
            try:
                return await self.network.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError as error:
                failure = error
        raise failure or httpcore.ConnectError("no address")

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        """No URL leads to one."""
        raise httpcore.ConnectError("no Unix socket")

    async def sleep(self, seconds: float) -> None:
        """Wait, between tries that the library makes."""
        await anyio.sleep(seconds)


def certificates() -> ssl.SSLContext:
    """What the system trusts, which has a site's own authorities."""
    return ssl.create_default_context()
