"""Networks of pods and Services: both families, apart from each other and from hosts, large enough. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.families import BITS, FAMILY_KEYS, TITLES
from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.addresses import (
    Address,
    AddressError,
    Network,
    parse_network,
    shown,
)
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.model import Inventory
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules.hosts import check_documentation
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.calico import CALICO_BLOCK_SIZE

# kube-controller-manager numbers the parts of a pool with 16 bits (clusterSubnetMaxDiff of its node IPAM).
NODE_MASK_BITS = 16
# kube-apiserver takes Service networks of at most 20 bits: /12 and /108. At least 8 bits are needed here: kubeadm gives
# the tenth address to cluster DNS, and below 256 addresses Kubernetes keeps next to none apart for fixed ones.
SERVICE_BITS = (8, 20)


def networks(inventory: Inventory, settings: Mapping[str, Any]) -> tuple[dict[tuple[str, str], Network], list[Finding]]:
    """Usable networks by (``pod`` or ``service``, family), and what is wrong with the others."""
    usable: dict[tuple[str, str], Network] = {}
    findings = []
    for use in ("pod", "service"):
        name = f"{use}_cidrs"
        where, order = inventory.where(name), []
        for value in settings.get(name, ()):
            try:
                network = parse_network(value)
            except AddressError as error:
                findings.append(Finding(where, name, error.found, error.expected))
                # It has a family all the same: that one is not missing.
                order.append("ipv6" if ":" in str(value) else "ipv4")
                continue
            findings += check_documentation(where, name, network)
            family = f"ipv{network.version}"
            if (use, family) in usable:
                found = f"{usable[use, family]} and {network}, both {TITLES[family]}"
                findings.append(Finding(where, name, found, "one network of each family"))
            else:
                usable[use, family] = network
            order.append(family)
        for family in FAMILY_KEYS:
            if name in settings and family not in order:
                expected = f"an {TITLES[family]} network too; no family is ever guessed"
                findings.append(Finding(where, name, f"no {TITLES[family]} network", expected))
        primary = settings.get("primary_family")
        # kubeadm hands the list on as it is; pods' networks may stand in any order.
        if use == "service" and len(set(order)) == len(FAMILY_KEYS) and primary in FAMILY_KEYS and order[0] != primary:
            expected = f"the {TITLES[primary]} network first, as primary_family says"
            hint = "kube-apiserver refuses a first one of another family than its own address"
            findings.append(Finding(where, name, f"{shown(settings[name][0])} first", f"{expected}; {hint}"))
    return usable, findings


def check_overlaps(
    inventory: Inventory,
    networks: Mapping[tuple[str, str], Network],
    addresses: Mapping[tuple[str, str], Address],
) -> Iterator[Finding]:
    """Pods, Services and hosts have networks of their own in each family."""
    for family in FAMILY_KEYS:
        pod, service = networks.get(("pod", family)), networks.get(("service", family))
        if pod and service and pod.overlaps(service):
            found = f"{service}, which overlaps {pod} of pod_cidrs"
            yield Finding(inventory.where("service_cidrs"), "service_cidrs", found, "networks that share no address")
    for (host, family), address in addresses.items():
        for use in ("pod", "service"):
            network = networks.get((use, family))
            if network and address in network:
                found = f"{address}, which is in {network} of {use}_cidrs"
                yield Finding(host, family, found, "hosts outside the networks of pods and Services")


def check_pools(
    inventory: Inventory, settings: Mapping[str, Any], networks: Mapping[tuple[str, str], Network], nodes: int
) -> Iterator[Finding]:
    """Every node gets its part of the pod network, from Kubernetes and from Calico."""
    for family in FAMILY_KEYS:
        name, pool = f"twinstack_node_mask_{family}", networks.get(("pod", family))
        mask = settings.get(name)
        where = inventory.where(name)
        if mask is not None and not 1 <= mask <= BITS[family]:
            yield Finding(where, name, str(mask), f"a prefix length of 1 to {BITS[family]}")
            continue
        if pool is None:
            continue
        block = CALICO_BLOCK_SIZE[family]
        if pool.prefixlen > block or 2 ** (block - pool.prefixlen) < nodes:
            field_name = "pod_cidrs"
            expected = f"room for a block of Calico's, a /{block}, for each of {nodes} hosts"
            yield Finding(inventory.where(field_name), field_name, str(pool), expected)
        if mask is None:
            continue
        found = f"{mask} with the pool {pool}"
        if mask < pool.prefixlen:
            yield Finding(where, name, found, f"{pool.prefixlen} or more: a node's part fits into the pool")
        elif mask - pool.prefixlen > NODE_MASK_BITS:
            expected = f"{pool.prefixlen + NODE_MASK_BITS} or less: kube-controller-manager's limit is 16 bits"
            yield Finding(where, name, found, expected)
        elif 2 ** (mask - pool.prefixlen) < nodes:
            parts = 2 ** (mask - pool.prefixlen)
            yield Finding(where, name, f"{found}: {_count(parts, 'part')}", f"a part for each of {nodes} hosts")


def check_services(inventory: Inventory, networks: Mapping[tuple[str, str], Network]) -> Iterator[Finding]:
    """The Service networks have a size that kube-apiserver accepts and that leaves room."""
    for family in FAMILY_KEYS:
        network = networks.get(("service", family))
        if network is None:
            continue
        widest, narrowest = BITS[family] - SERVICE_BITS[1], BITS[family] - SERVICE_BITS[0]
        if not widest <= network.prefixlen <= narrowest:
            name = "service_cidrs"
            reason = "kube-apiserver takes no wider one" if network.prefixlen < widest else "256 addresses or more"
            yield Finding(inventory.where(name), name, str(network), f"/{widest} to /{narrowest}: {reason}")


def _count(number: int, word: str) -> str:
    """``1 part``, ``2 parts``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
