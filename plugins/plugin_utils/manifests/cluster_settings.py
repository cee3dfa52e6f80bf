"""One cluster's settings as typed data, from which every document about it follows.

The roles hand their settings over as one mapping (`twinstack_cluster`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILY_KEYS

# The tenth address of a service network is what kubeadm gives the DNS service (kubeadm: constants.GetDNSIP).
DNS_ADDRESS_OFFSET = 10


@dataclass(frozen=True)
class Node:
    """One host with its address in each family."""

    name: str
    ipv4: str
    ipv6: str

    def address(self, family: str) -> str:
        """The address of a family, ``ipv4`` or ``ipv6``."""
        return {"ipv4": self.ipv4, "ipv6": self.ipv6}[family]


@dataclass(frozen=True)
class Cluster:
    """Settings of one cluster; networks are text in CIDR form, keyed by family; periods are seconds."""

    name: str
    domain: str
    primary_family: str
    pod_cidr: Mapping[str, str]
    service_cidr: Mapping[str, str]
    node_mask: Mapping[str, int]
    proxy_mode: str
    ipvs_min_sync_period: int
    encapsulation: str
    mtu: int
    versions: Mapping[str, str]
    api_name: str
    api_port: int
    control_plane: tuple[Node, ...]
    worker: tuple[Node, ...]

    @property
    def families(self) -> tuple[str, str]:
        """Both families, the primary one first: the order of every dual list in Kubernetes."""
        return ("ipv4", "ipv6") if self.primary_family == "ipv4" else ("ipv6", "ipv4")

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All hosts, control plane first."""
        return self.control_plane + self.worker

    def dns_address(self, family: str) -> str:
        """The fixed address of cluster DNS in a family."""
        return str(ipaddress.ip_network(self.service_cidr[family])[DNS_ADDRESS_OFFSET])

    def api_service_address(self, family: str) -> str:
        """The first address of a family's service network; only the primary family's is `kubernetes.default`."""
        return str(ipaddress.ip_network(self.service_cidr[family])[1])


def parse_cluster(data: Mapping[str, Any]) -> Cluster:
    """A Cluster from the roles' mapping.

    Raises ValueError naming the field when one is missing: an absent family is never made up.
    """

    def families(field: str, kind: type) -> dict[str, Any]:
        values = data[field]
        missing = [family for family in FAMILY_KEYS if not values.get(family)]
        if missing:
            raise ValueError(f"{field}: found nothing for {' and '.join(missing)}, expected a value for both families")
        return {family: kind(values[family]) for family in FAMILY_KEYS}

    def networks(field: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for text in data[field]:
            network = ipaddress.ip_network(str(text))
            found[f"ipv{network.version}"] = str(network)
        if len(found) != len(FAMILY_KEYS) or len(data[field]) != len(FAMILY_KEYS):
            raise ValueError(f"{field}: found {', '.join(map(str, data[field]))}, expected one network of each family")
        return found

    def nodes(field: str) -> tuple[Node, ...]:
        found = []
        for item in data[field]:
            missing = [family for family in FAMILY_KEYS if not item.get(family)]
            if missing:
                raise ValueError(f"{item['name']}: {' and '.join(missing)}: found nothing, expected an address")
            # One spelling for all files and arguments, whatever the inventory's.
            found.append(Node(str(item["name"]), *(str(ipaddress.ip_address(item[family])) for family in FAMILY_KEYS)))
        return tuple(found)

    if data["primary_family"] not in FAMILY_KEYS:
        raise ValueError(f"primary_family: found {data['primary_family']!r}, expected ipv4 or ipv6")
    return Cluster(
        name=str(data["name"]),
        domain=str(data["domain"]),
        primary_family=str(data["primary_family"]),
        pod_cidr=networks("pod_cidrs"),
        service_cidr=networks("service_cidrs"),
        node_mask=families("node_mask", int),
        proxy_mode=str(data["proxy_mode"]),
        ipvs_min_sync_period=int(data["ipvs_min_sync_period"]),
        encapsulation=str(data["encapsulation"]),
        mtu=int(data["mtu"]),
        versions={key: str(value) for key, value in data["versions"].items()},
        api_name=str(data["api_name"]),
        api_port=int(data["api_port"]),
        control_plane=nodes("control_plane"),
        worker=nodes("worker"),
    )


def hosts_block(cluster: Cluster) -> str:
    """Lines for /etc/hosts: every node and the API's name in both families, so that no DNS is needed."""
    lines = []
    for family in cluster.families:
        for node in cluster.nodes:
            lines.append(f"{node.address(family)} {node.name}")
        for node in cluster.control_plane:
            lines.append(f"{node.address(family)} {cluster.api_name}")
    return "\n".join(lines)
