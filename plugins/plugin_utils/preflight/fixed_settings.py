"""Settings that cannot change while their cluster lives: those that it was made with, field by field. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILY_KEYS
from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.cluster_settings import Cluster
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.model import Settings
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.standing import Standing, nested, reset

# The variables, and why each of them cannot change. docs/running_again.md has the same table.
FIXED = {
    "pod_cidrs": "every node has a part of them, and every pod an address",
    "service_cidrs": "every Service has addresses of them, the API and cluster DNS among them",
    "primary_family": "every Service's first address is of this family, and the API server's own",
    "twinstack_node_mask_ipv4": "every node has a part of this size of the pods' network",
    "twinstack_node_mask_ipv6": "every node has a part of this size of the pods' network",
    "twinstack_cluster_domain": "it is in the DNS settings of every pod and in the API server's certificate",
    "twinstack_cluster_name": "every host's record and every kubeconfig name the cluster by it",
    "twinstack_api_name": "every node calls the API server by it",
    "twinstack_api_port": "every node calls the API server on it",
}


def wanted(cluster: Cluster) -> dict[str, str]:
    """The inventory's values by variable, each in one spelling."""
    return {
        "pod_cidrs": ", ".join(cluster.pod_cidr[family] for family in FAMILY_KEYS),
        "service_cidrs": ", ".join(cluster.service_cidr[family] for family in FAMILY_KEYS),
        "primary_family": cluster.primary_family,
        **{f"twinstack_node_mask_{family}": str(cluster.node_mask[family]) for family in FAMILY_KEYS},
        "twinstack_cluster_domain": cluster.domain,
        "twinstack_cluster_name": cluster.name,
        "twinstack_api_name": _host(cluster.api_name),
        "twinstack_api_port": str(cluster.api_port),
    }


def made_with(configuration: Mapping[str, Any]) -> dict[str, str]:
    """The cluster's values by variable, in the same spelling. What cannot be read is left out: it is no difference.

    configuration: kubeadm's ClusterConfiguration.
    """
    arguments = {
        item.get("name"): item.get("value")
        for item in nested(configuration, "controllerManager", "extraArgs") or ()
        if isinstance(item, Mapping)
    }
    endpoint = str(configuration.get("controlPlaneEndpoint") or "")
    services = nested(configuration, "networking", "serviceSubnet")
    read: dict[str, Callable[[], Any]] = {
        "pod_cidrs": lambda: ", ".join(map(str, _networks(nested(configuration, "networking", "podSubnet")))),
        "service_cidrs": lambda: ", ".join(map(str, _networks(services))),
        "primary_family": lambda: f"ipv{ipaddress.ip_network(str(services).split(',')[0].strip()).version}",
        "twinstack_node_mask_ipv4": lambda: arguments.get("node-cidr-mask-size-ipv4"),
        "twinstack_node_mask_ipv6": lambda: arguments.get("node-cidr-mask-size-ipv6"),
        "twinstack_cluster_domain": lambda: nested(configuration, "networking", "dnsDomain"),
        "twinstack_cluster_name": lambda: configuration.get("clusterName"),
        "twinstack_api_name": lambda: _host(urlsplit(f"//{endpoint}").hostname or ""),
        "twinstack_api_port": lambda: urlsplit(f"//{endpoint}").port,
    }
    found: dict[str, str] = {}
    for name, reader in read.items():
        try:
            value = reader()
        except ValueError:
            continue
        if value not in (None, ""):
            found[name] = str(value)
    return found


def _networks(text: Any) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Networks of a list with commas, IPv4's first."""
    found = [ipaddress.ip_network(part.strip()) for part in str(text or "").split(",") if part.strip()]
    return sorted(found, key=lambda network: network.version)


def _host(name: str) -> str:
    """A host's name or address in one spelling."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name.lower()


def check_fixed_settings(what: Standing, settings: Settings) -> Iterator[Finding]:
    """Variables that differ from what the cluster was made with."""
    if what.configuration is None:
        return  # no finished init: whatever the inventory says can still be done
    new, old = wanted(settings.desired), made_with(what.configuration)
    for name, reason in FIXED.items():
        if name in old and new[name] != old[name]:
            expected = f"{old[name]}, with which the cluster was made: {reason}"
            hint = f"go back to {old[name]}; or, for a new cluster instead of this one, {reset(what)}"
            yield Finding(settings.where(name), name, new[name], expected, hint)
