"""What the cluster wants of its hosts, and what the probes found on them, as typed data."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.findings import Where
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.cluster_settings import Cluster


def nowhere(_name: str) -> str:
    """Where a variable is set, when nobody has looked."""
    return "inventory"


@dataclass(frozen=True)
class Settings:
    """What the cluster wants of its hosts.

    systems: versions by distribution, as os-release(5) writes both. cidrs: networks by variable, ``pod_cidrs`` and
    ``service_cidrs``. mtu: of pods, 0 = free. desired: the cluster that the inventory asks for; where: the file that
    sets a variable.
    metrics_host: who keeps Prometheus' data, empty = nobody; metrics_size: how much of it, as Prometheus
    reads it, empty = the role's own, which fits wherever a cluster fits.
    """

    cluster: str
    desired: Cluster
    systems: Mapping[str, Sequence[str]]
    api_port: int
    mtu: int
    proxy_mode: str
    encapsulation: str
    cidrs: Mapping[str, Sequence[str]]
    min_cpus: int
    min_memory_mb: int
    min_disk_gb: float
    cgroup_controllers: Sequence[str]
    max_clock_offset_seconds: float
    swap_is_turned_off: bool
    foreign_firewall: str
    control_plane: Sequence[str] = field(default_factory=tuple)
    metrics_host: str = ""
    metrics_size: str = ""
    where: Where = nowhere


@dataclass(frozen=True)
class Host:
    """One host: its addresses by family and the results of its two probes."""

    name: str
    addresses: Mapping[str, str]
    probe: Mapping[str, Any]
    peers: Mapping[str, Any]

    @property
    def ours(self) -> bool:
        """True when this project has installed or begun to install here, so its own state is no obstacle."""
        return bool(self.probe["own"]["present"])


def same_address(one: str, other: str) -> bool:
    """True when two spellings are the same address."""
    return ipaddress.ip_address(one) == ipaddress.ip_address(other)


def link_of(host: Host, family: str) -> tuple[str, Mapping[str, Any], Mapping[str, Any]] | None:
    """Name, link and address entry where the host's address of a family is; None when it is on no link."""
    for name, link in host.probe["links"].items():
        for item in link["addresses"]:
            if item["family"] == family and same_address(item["address"], host.addresses[family]):
                return name, link, item
    return None
