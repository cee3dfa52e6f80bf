"""Who is probed, and what is known of each way so far."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass, field
from typing import Any

FAMILIES = ("ipv4", "ipv6")
# What is tried below the link's MTU when full-size packets vanish: PPPoE, common tunnels, and IPv6's minimum.
SMALLER_MTUS = (1500, 1492, 1480, 1450, 1420, 1400, 1380, 1340, 1280)
CLOCK_SAMPLES = 4


@dataclass(frozen=True)
class Peer:
    """Another host and its addresses by family."""

    name: str
    addresses: dict[str, str]


@dataclass(frozen=True)
class Plan:
    """What one host has to do.

    mtus: MTU in bytes of the link that carries our address, by family. deadline: seconds from the start.
    """

    cluster: str
    node: str
    addresses: dict[str, str]
    peers: tuple[Peer, ...]
    port: int
    vxlan_port: int
    mtus: dict[str, int]
    deadline: float


@dataclass
class Pair:
    """One peer in one family: the sockets to it and what is known so far."""

    peer: str
    family: str
    target: tuple[str, int]
    vxlan_target: tuple[str, int]
    mtu: int
    sockets: dict[str, socket.socket] = field(default_factory=dict)
    samples: list[tuple[float, float]] = field(default_factory=list)  # (round trip, clock offset), seconds
    path_mtu: int = 0
    sizes: list[int] = field(default_factory=list)
    tries: int = 0
    tcp_seconds: float = 0.0
    tcp_started: float = 0.0
    vxlan_ok: bool = False
    peer_vxlan: bool | None = None
    next_send: float = 0.0
    errors: dict[str, str] = field(default_factory=dict)

    def wanted(self, can_vxlan: bool) -> list[str]:
        """Tests that still lack an answer."""
        missing = []
        if len(self.samples) < CLOCK_SAMPLES:
            missing.append("ping")
        if not self.path_mtu and self.sizes:
            missing.append("full")
        if not self.tcp_seconds:
            missing.append("tcp")
        if can_vxlan and self.peer_vxlan is not False and not self.vxlan_ok:
            missing.append("vxlan")
        return missing


def candidate_sizes(mtu: int) -> list[int]:
    """Packet sizes to try in turn, the link's own MTU (bytes) first."""
    return [mtu, *(size for size in SMALLER_MTUS if size < mtu)]


def link_mtus(addresses: dict[str, str], links: dict[str, dict[str, Any]]) -> dict[str, int]:
    """MTU in bytes of the link that carries our address, by family; 0 where no link does."""
    ours = {family: ipaddress.ip_address(address) for family, address in addresses.items()}
    mtus = dict.fromkeys(FAMILIES, 0)
    for link in links.values():
        for item in link["addresses"]:
            if ipaddress.ip_address(item["address"]) == ours[item["family"]]:
                mtus[item["family"]] = link["mtu"]
    return mtus
