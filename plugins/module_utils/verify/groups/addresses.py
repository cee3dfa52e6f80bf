"""No node, no running pod and no pool lacks a family."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify import commands
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Known, Probe, Verdict
from ansible_collections.twinstack.core.plugins.module_utils.verify.requests import make_probe
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope

ID = "addresses"


def plan(scope: Scope) -> Iterator[Probe]:
    """What the API alone shows, so every probe has its outcome already."""
    for family in FAMILIES:
        for node in scope.cluster.nodes:
            found = node.addresses.get(family)
            what = f"InternalIP {found}" if found else f"found no {family} InternalIP, expected one"
            yield _known(family, node.name, "node", f"{node.name} has a node address", bool(found), what)

            ranges = [cidr for cidr in node.pod_cidrs if ipaddress.ip_network(cidr).version == int(family[-1])]
            if node.pod_cidrs:
                what = f"podCIDR {ranges[0]}" if ranges else f"found {', '.join(node.pod_cidrs)}, expected {family} too"
                yield _known(family, node.name, "pod-network", f"{node.name} has a pod network", bool(ranges), what)

            lacking = scope.cluster.pods_without[node.name, family]
            what = f"found {len(lacking)} without: {', '.join(lacking[:5])}" if lacking else "every running pod has one"
            yield _known(family, node.name, "pods", f"pods on {node.name} have addresses", not lacking, what)
        if scope.cluster.pools is not None:
            enabled = [
                pool.cidr
                for pool in scope.cluster.pools
                if not pool.disabled and ipaddress.ip_network(pool.cidr).version == int(family[-1])
            ]
            what = f"pool {', '.join(enabled)}" if enabled else f"found no enabled {family} pool, expected one"
            yield _known(family, "cluster", "pool", "Calico has a pool to give from", bool(enabled), what)


def _known(family: str, source: str, target: str, title: str, ok: bool, detail: str) -> Probe:
    return make_probe(ID, family, source, target, title, Known(ok, detail))


def next_command(probe: Probe, verdict: Verdict) -> str:
    """Look at what lacks the family."""
    if probe.target == "pool":
        return commands.POOLS
    if probe.target == "pods":
        return f"{commands.PODS_ON}{probe.source}"
    field = "{.status.addresses}" if probe.target == "node" else "{.spec.podCIDRs}"
    return f"kubectl get node {probe.source} -o jsonpath={field}"


GROUP = Group(
    id=ID,
    part=Part.CLUSTER,
    turn=Turn.FIRST,
    plan=plan,
    next_command=next_command,
    agents=False,
    document=Document(
        source="the API",
        target="nodes, pods, pools",
        passes="the node has an InternalIP; its podCIDRs, if it has any, name the family; no running pod on it lacks "
        "an address; Calico, if there, has an enabled pool",
    ),
)
