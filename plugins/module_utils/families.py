"""The two IP families: their names, and addresses of either. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

FAMILIES = ("IPv4", "IPv6")  # as Kubernetes writes them
FAMILY_KEYS = ("ipv4", "ipv6")  # as the inventory, and all that is made from it, writes them
TITLES = dict(zip(FAMILY_KEYS, FAMILIES, strict=True))
BITS = {"ipv4": 32, "ipv6": 128}  # of an address


def family_of(address: str) -> str:
    """``IPv4`` or ``IPv6``. Raises ValueError when the text is no address."""
    return FAMILIES[0] if ipaddress.ip_address(address).version == 4 else FAMILIES[1]


def is_address(text: str) -> bool:
    """Whether the text is an IP address of either family."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def by_family(addresses: Iterable[str]) -> dict[str, str]:
    """The first address of each family that has one."""
    found: dict[str, str] = {}
    for address in addresses:
        if is_address(address):
            found.setdefault(family_of(address), address)
    return found


def bracketed(host: str) -> str:
    """A host as a URL writes it: IPv6 literals in brackets."""
    return f"[{host}]" if ":" in host else host


def endpoint(address: str, port: int) -> str:
    """``address:port`` in one spelling per address, whatever the source wrote."""
    return f"{bracketed(str(ipaddress.ip_address(address)))}:{port}"
