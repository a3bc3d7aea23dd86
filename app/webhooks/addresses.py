"""Which addresses webhooks may call: none of private networks, unless a setting allows them.

A URL is looked at when it is given, so that what can't work is refused at once. What counts is the connection: names are
resolved here, every address that a name has must be allowed, and it is one of these very addresses that is connected to,
so that a name that resolves to something else the next time gains nothing. Redirects aren't followed at all.
"""

import asyncio
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

import httpcore

from app.errors import WebhookUrlRefused

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

NOT_PUBLIC = [
    ip_network(each)
    for each in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
        *("192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
        *("224.0.0.0/4", "240.0.0.0/4"),
        *("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16"),
        *("3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
    )
]
"""IANA's registries of special-purpose addresses (RFC 6890), with multicast, and all of IPv6 that stands for IPv4 or leads
through somebody else's tunnel. Python's own `is_global` knows most of them, and not in every version the same."""
LOCAL_NAMES = (".localhost", ".local", ".internal", ".home.arpa")
LONGEST_URL = 2000
MOST_ADDRESSES = 3
"""Of a name, that are tried."""


class AddressNotAllowed(httpcore.ConnectError):
    """A name leads to an address that may not be called."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What webhooks may reach."""

    networks: Sequence[Network] = ()
    """Private networks that may be called all the same."""
    http: bool = False
    """Whether calls may go without TLS."""

    @classmethod
    def of(cls, networks: str, *, http: bool) -> "Reach":
        """From settings: networks in CIDR notation, parted by commas. Raises `ValueError`."""
        return cls([ip_network(each.strip()) for each in networks.split(",") if each.strip()], http=http)

    def allows(self, address: Address) -> bool:
        """Whether an address is of the public internet, or of a network that is allowed."""
        plain = _plain(address)
        if any(plain in network for network in self.networks if network.version == plain.version):
            return True
        return is_public(plain)

    def check(self, url: str) -> str:
        """A URL that may be called, as far as can be seen from it; returns its host. Raises `WebhookUrlRefused`."""
        if len(url) > LONGEST_URL:
            raise WebhookUrlRefused(f"The URL is longer than {LONGEST_URL} characters.")
        parts = _split(url)
        host = (parts.hostname or "").rstrip(".").lower()
        if parts.scheme != "https" and not (self.http and parts.scheme == "http"):
            raise WebhookUrlRefused("The URL has to begin with https://.")
        if not host or parts.username is not None or parts.password is not None:
            raise WebhookUrlRefused("The URL has to name a host, and no user or password.")
        address = literal(host)
        if address is not None and not self.allows(address):
            raise WebhookUrlRefused("The URL leads into a private network.")
        if address is None and not self.networks and f".{host}".endswith(LOCAL_NAMES):
            raise WebhookUrlRefused("The URL leads into a private network.")
        return host


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet, by IANA's registries of special-purpose addresses."""
    if not address.is_global or address.is_multicast:
        return False
    return not any(address in network for network in NOT_PUBLIC if network.version == address.version)


def literal(host: str) -> Address | None:
    """The address that a host is, also in the short and numeric forms that resolvers take; None for a name."""
    try:
        return ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _plain(address: Address) -> Address:
    """The IPv4 address that is meant by an IPv6 address that only maps one."""
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise WebhookUrlRefused("The URL can't be read.") from error
    if not url.isascii() or any(character <= " " for character in url):
        raise WebhookUrlRefused("The URL has characters that no URL has; write them percent-encoded.")
    return parts


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections to addresses that may be reached, and to no others."""

    def __init__(self, reach: Reach) -> None:
        self.reach = reach
        self._plain = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (httpcore's signature)
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, check, and connect to what was checked. Raises `AddressNotAllowed` before any packet is sent."""
        failure: Exception = httpcore.ConnectError("The name has no address.")
        addresses = await self.resolve(host, port)
        if not all(self.reach.allows(ip_address(address.partition("%")[0])) for address in addresses):
            raise AddressNotAllowed("The name leads into a private network.")
        for address in addresses[:MOST_ADDRESSES]:
            try:
                return await self._plain.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(
        self,
        path: str,  # noqa: ARG002
        timeout: float | None = None,  # noqa: ARG002, ASYNC109
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        """Never: no URL leads to a socket of this machine."""
        raise AddressNotAllowed("Webhooks don't call sockets.")

    async def sleep(self, seconds: float) -> None:
        """As httpcore asks for it."""
        await asyncio.sleep(seconds)

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """The addresses of a name. Raises `httpcore.ConnectError`."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("The name can't be resolved.") from error
        return list(dict.fromkeys(str(place[4][0]) for place in found))
