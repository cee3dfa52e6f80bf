"""Addresses and networks of the inventory: parsed strictly, refused where they cannot work.

Text that Python would accept but that means something else elsewhere (host bits, netmasks, zones) is refused. Another
spelling of an IPv6 address is as good as the canonical one: what comes back is compared by value.
"""

from __future__ import annotations

import ipaddress
import json
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.families import TITLES, is_address

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_ADDRESS = {"ipv4": ipaddress.IPv4Address, "ipv6": ipaddress.IPv6Address}
_EXAMPLE_ADDRESS = {"ipv4": "10.10.0.11", "ipv6": "fd00:10::11"}
_EXAMPLE_NETWORK = {"ipv4": "10.244.0.0/16", "ipv6": "fd00:244::/56"}
# The registries of special-purpose addresses (RFC 6890, 5737, 3849, 9637, 3879, 4291): none of these is an address that
# hosts, pods or Services could be reached at from each other. Private, shared and unique local ones are welcome.
_SPECIAL: dict[str, tuple[tuple[Network, str, str], ...]] = {
    "ipv4": tuple(
        (ipaddress.IPv4Network(network), word, network)
        for network, word in (
            ("0.0.0.0/8", "unspecified"),
            ("127.0.0.0/8", "loopback"),
            ("169.254.0.0/16", "link-local"),
            ("224.0.0.0/4", "multicast"),
            ("255.255.255.255/32", "broadcast"),
            ("240.0.0.0/4", "reserved"),
        )
    ),
    "ipv6": tuple(
        (ipaddress.IPv6Network(network), word, network)
        for network, word in (
            ("::/128", "unspecified"),
            ("::1/128", "loopback"),
            ("::ffff:0:0/96", "IPv4-mapped"),
            ("64:ff9b::/96", "NAT64"),
            ("100::/64", "discard"),
            ("2001::/32", "Teredo"),
            ("2002::/16", "6to4"),
            ("fe80::/10", "link-local"),
            ("fec0::/10", "site-local"),
            ("ff00::/8", "multicast"),
        )
    ),
}
# Meant for texts, not for networks (RFC 5737, 3849, 9637). They work all the same, so they are only warned of.
_DOCUMENTATION: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")
)
# What is left of IPv6 for unicast: global and unique local addresses. The rest is not assigned to anything.
_UNICAST_IPV6 = (ipaddress.IPv6Network("2000::/3"), ipaddress.IPv6Network("fc00::/7"))


class AddressError(ValueError):
    """A value that is no usable address or network; ``found`` and ``expected`` as in a Finding."""

    def __init__(self, found: str, expected: str) -> None:
        """Both texts end up in one line of a Finding."""
        super().__init__(f"found {found}; expected {expected}")
        self.found = found
        self.expected = expected


def shown(value: Any) -> str:
    """A value of the inventory in one short line, so that its writer recognises it."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        text = " ".join(value.split()) or "an empty text"
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, int | float):
        text = f"{value} (a number)" if isinstance(value, float) else str(value)
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."


def special(network: Network) -> str:
    """Why no host, pod or Service can use the network, like ``link-local, fe80::/10``; empty when they can."""
    family = "ipv4" if network.version == 4 else "ipv6"
    # The text as above: Python 3.13 spells IPv4-mapped networks in another way than the versions before.
    for other, word, text in _SPECIAL[family]:
        if network.overlaps(other):
            return f"{word}, {text}"
    if isinstance(network, ipaddress.IPv6Network) and not any(network.subnet_of(one) for one in _UNICAST_IPV6):
        return "neither global nor unique local"
    return ""


def documentation(value: Address | Network) -> str:
    """The range for documentation that an address or network is in; empty when it is in none."""
    network = ipaddress.ip_network(value)
    return next((str(other) for other in _DOCUMENTATION if network.overlaps(other)), "")


def parse_address(value: Any, family: str) -> Address:
    """The plain unicast address of a family that the text is.

    family: ``ipv4`` or ``ipv6``. Raises AddressError for anything else.
    """
    wanted = f"a plain {TITLES[family]} address like {_EXAMPLE_ADDRESS[family]}"
    if not isinstance(value, str):
        raise AddressError(shown(value), wanted)
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        head, slash, _ = value.partition("/")
        if slash and is_address(head):
            wanted = f"{head}, without a prefix length"
        raise AddressError(shown(value), wanted) from None
    if not isinstance(address, _ADDRESS[family]):
        raise AddressError(f"{value} ({TITLES[f'ipv{address.version}']})", f"an {TITLES[family]} address")
    if getattr(address, "scope_id", None):
        raise AddressError(value, f"{wanted}, without a zone")
    reason = special(ipaddress.ip_network(address))
    if reason:
        raise AddressError(f"{value} ({reason})", f"a private, unique local or global {TITLES[family]} address")
    return address


def parse_network(value: Any) -> Network:
    """The network in CIDR form that the text is.

    Raises AddressError for anything else: host bits, netmasks, lists, special networks.
    """
    if not isinstance(value, str):
        raise AddressError(shown(value), f"a network like {' or '.join(_EXAMPLE_NETWORK.values())}")
    family = "ipv6" if ":" in value else "ipv4"
    wanted = f"an {TITLES[family]} network like {_EXAMPLE_NETWORK[family]}"
    head, slash, prefix = value.partition("/")
    if not slash and is_address(head):
        raise AddressError(f"{value} without a prefix length", wanted)
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise AddressError(shown(value), wanted) from None
    if not prefix.isdecimal():
        raise AddressError(value, f"{network}, with a prefix length")
    if ipaddress.ip_address(head) != network.network_address:
        raise AddressError(f"{value}, which has host bits", str(network))
    reason = special(network)
    if reason:
        raise AddressError(f"{value} ({reason})", f"a private, unique local or global {TITLES[family]} network")
    return network
