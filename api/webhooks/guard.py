"""Where messages may go: an endpoint's owner must not make this system call its own network.

A URL is judged when it is subscribed, for a quick answer. What counts is judged at each connection:
the very address that is connected to, so a name that resolves to another one later, or to several,
gets nothing either (OWASP, Server-Side Request Forgery Prevention).
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final
from urllib.parse import urlsplit

MAX_URL_CHARS = 2_000
_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052: leads to the IPv4 address in its end


def url_problem(url: str, allows_local: bool) -> str:
    """Return what is wrong with a subscriber's URL, empty when nothing is.

    ``allows_local`` lets plain HTTP and this machine's own addresses pass, for tests and the
    embedded stack.
    """
    if len(url) > MAX_URL_CHARS or not url.isascii() or not url.isprintable() or " " in url:
        return f"a URL has at most {MAX_URL_CHARS} characters, all of them ASCII, none blank"
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "this is no URL"
    if parts.scheme != "https" and not (allows_local and parts.scheme == "http"):
        return "the scheme must be https"
    if not host:
        return "the URL has no host"
    if parts.username is not None or parts.password is not None:
        return "no user or password in the URL: the signature says who calls"
    if parts.fragment:
        return "no fragment in the URL"
    try:
        address = ip_address(host)
    except ValueError:
        return ""  # a name: judged by what it resolves to, at each connection
    return "" if is_allowed(address, allows_local) else "this address is not a public one"


def is_allowed(address: IPv4Address | IPv6Address, allows_local: bool) -> bool:
    """Tell whether messages may go to ``address``.

    Only to public unicast: not to private, loopback, link-local (169.254.169.254 tells clouds'
    secrets), shared, reserved or multicast ranges, also not inside of an IPv6 address.
    """
    if isinstance(address, IPv6Address):
        inner = _inside(address)
        if inner is not None:
            return is_allowed(inner, allows_local)
    if allows_local and address.is_loopback:
        return True
    return address.is_global and not address.is_multicast


def guarded_sockets(allows_local: bool) -> Callable[[Any], socket.socket]:
    """Return a maker of sockets for aiohttp's connector; it knows the address to connect to.

    It raises PermissionError, an OSError as for any address that cannot be reached.
    """

    def make(info: Any) -> socket.socket:
        family, kind, proto, _name, place = info
        host = place[0].partition("%")[0]  # fe80::1%eth0
        if not is_allowed(ip_address(host), allows_local):
            raise PermissionError(errno.EACCES, "the endpoint's address is not a public one")
        return socket.socket(family, kind, proto)

    return make


def _inside(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address leads to."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.sixtofour is not None:
        return address.sixtofour
    return address.ipv4_mapped
