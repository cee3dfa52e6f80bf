"""Settings of the whole cluster: MTU, periods, ports, DNS names, and versions that go together. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.addresses import shown
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.model import Inventory
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import mesh as mesh_rules
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import versions
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules.hosts import LABEL

LONGEST_NAME = 253
SYNC_PERIOD = 30  # seconds; kube-proxy's own syncPeriod, which this must not exceed
# IPv6 does not run on links with less (RFC 8200, section 5); 9216 is the largest frame that common switches carry.
MTU_RANGE = (1280, 9216)
PORTS = (1, 65535)
UNPRIVILEGED_PORTS = (1024, 65535)
NODE_PORTS = (30000, 32767)
TAKEN_PORTS = {
    22: "SSH",
    179: "BGP",
    2379: "etcd",
    2380: "etcd",
    2381: "etcd",
    9091: "Calico",
    9099: "Calico",
    10248: "kubelet",
    10249: "kube-proxy",
    10250: "kubelet",
    10256: "kube-proxy",
    10257: "kube-controller-manager",
    10259: "kube-scheduler",
}


def check_numbers(inventory: Inventory, settings: Mapping[str, Any]) -> Iterator[Finding]:
    """MTU, periods and ports are in their range, and ports are free."""
    mtu = settings.get("twinstack_mtu", 0)
    if mtu != 0 and not MTU_RANGE[0] <= mtu <= MTU_RANGE[1]:
        expected = f"0, or {MTU_RANGE[0]} (the least for IPv6) to {MTU_RANGE[1]}"
        yield Finding(inventory.where("twinstack_mtu"), "twinstack_mtu", str(mtu), expected)
    period = settings.get("twinstack_ipvs_min_sync_period", 0)
    if not 0 <= period <= SYNC_PERIOD:
        name, expected = "twinstack_ipvs_min_sync_period", f"0 to {SYNC_PERIOD} s: as long a Service may send to no pod"
        yield Finding(inventory.where(name), name, str(period), expected)
    api, tunnel = settings.get("twinstack_api_port"), settings.get("twinstack_api_tunnel_port")
    if api is not None:
        where = inventory.where("twinstack_api_port")
        if not PORTS[0] <= api <= PORTS[1]:
            yield Finding(where, "twinstack_api_port", str(api), f"a port of {PORTS[0]} to {PORTS[1]}")
        elif NODE_PORTS[0] <= api <= NODE_PORTS[1]:
            expected = f"a port outside {NODE_PORTS[0]} to {NODE_PORTS[1]}"
            yield Finding(where, "twinstack_api_port", f"{api}, which is a NodePort", expected)
        elif api in TAKEN_PORTS:
            found = f"{api}, a port of {TAKEN_PORTS[api]}"
            yield Finding(where, "twinstack_api_port", found, "one that is free on the control plane")
    if tunnel is not None:
        where = inventory.where("twinstack_api_tunnel_port")
        if not UNPRIVILEGED_PORTS[0] <= tunnel <= UNPRIVILEGED_PORTS[1]:
            expected = f"a port of {UNPRIVILEGED_PORTS[0]} to {UNPRIVILEGED_PORTS[1]}"
            yield Finding(where, "twinstack_api_tunnel_port", str(tunnel), expected)
        elif tunnel == api:
            found = f"{tunnel}, which is twinstack_api_port too"
            yield Finding(where, "twinstack_api_tunnel_port", found, "another port")


def check_dns_names(inventory: Inventory, settings: Mapping[str, Any]) -> Iterator[Finding]:
    """Names of the cluster, its domain and its API are what DNS takes, and the API's is nobody else's."""
    cluster = settings.get("twinstack_cluster_name")
    if cluster is not None and not LABEL.fullmatch(cluster):
        where = inventory.where("twinstack_cluster_name")
        yield Finding(where, "twinstack_cluster_name", shown(cluster), "lower-case letters, digits and hyphens")
    for name in ("twinstack_cluster_domain", "twinstack_api_name"):
        value = settings.get(name)
        if value is None:
            continue
        if not _is_dns_name(value):
            yield Finding(inventory.where(name), name, shown(value), "a DNS name in lower case")
        elif name == "twinstack_api_name" and value in inventory.groups["all"]:
            found = f"{value}, which is a host's name"
            yield Finding(inventory.where(name), name, found, "a name of its own")


def _is_dns_name(text: str) -> bool:
    """Whether the text is a name made of DNS labels, and no address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return len(text) <= LONGEST_NAME and all(LABEL.fullmatch(label) for label in text.split("."))
    return False


def check_versions(
    inventory: Inventory,
    settings: Mapping[str, Any],
    pairs: tuple[versions.Pair, ...],
    mesh_pairs: tuple[versions.Pair, ...],
) -> Iterator[Finding]:
    """Versions that are tested together, and a proxy mode that this Kubernetes has."""
    chosen = settings.get(versions.FIELD)
    if chosen is None:
        return
    yield from versions.check_versions(chosen, pairs, inventory.where(versions.FIELD))
    mode, kubernetes = settings.get("twinstack_proxy_mode"), chosen.get("kubernetes")
    if isinstance(kubernetes, str):
        for name, field, tag in mesh_rules.tags(settings):
            yield from versions.check_istio(tag, kubernetes, mesh_pairs, inventory.where(name), field)
    if mode is None or not isinstance(kubernetes, str):
        return
    try:
        yield from versions.check_proxy_mode(mode, kubernetes, inventory.where("twinstack_proxy_mode"))
    except ValueError:
        return  # check_versions has said so
