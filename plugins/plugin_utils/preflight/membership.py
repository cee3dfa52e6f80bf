"""Hosts and nodes: whether the inventory's hosts are what they were, and are all that the cluster has. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILY_KEYS, TITLES, by_family
from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.module_utils.host import kubeadm
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.model import Host, Settings, same_address
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.standing import (
    Standing,
    finished,
    node_name,
    record,
    reset,
)

# Taints that Kubernetes itself sets and removes (its page of well-known labels, annotations and taints).
# node.kubernetes.io/out-of-service is not among them: a person sets it.
OWN_TAINTS = (
    "node-role.kubernetes.io/control-plane",
    "node.cloudprovider.kubernetes.io/uninitialized",
    "node.kubernetes.io/disk-pressure",
    "node.kubernetes.io/memory-pressure",
    "node.kubernetes.io/network-unavailable",
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/pid-pressure",
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/unschedulable",
)
KEEPS_AWAY = ("NoSchedule", "NoExecute")


def check_records(hosts: Sequence[Host], what: Standing, settings: Settings) -> Iterator[Finding]:
    """kubeadm's record can be read, and says the phase of the host's group."""
    for host in hosts:
        node = host.probe["own"]["node"]
        if node and node["error"]:
            hint = f"restore it from a backup, or {reset(what, host.name)}"
            yield Finding(host.name, kubeadm.RECORD, node["error"], "the record as it was written", hint)
        elif node:
            group, phase = ("control_plane", "init") if host.name in settings.control_plane else ("worker", "join")
            if node["phase"] != phase:
                other = "worker" if group == "control_plane" else "control_plane"
                found = f"group {group}, but the host was made one of group {other} (kubeadm {node['phase']})"
                hint = f"move it back, or {reset(what, host.name)}, then site.yml"
                yield Finding(host.name, "group", found, f"group {other}", hint)


def check_control_plane(hosts: Sequence[Host], what: Standing, settings: Settings) -> Iterator[Finding]:
    """A control plane that is none yet, while hosts are nodes: it would begin a second, empty cluster.

    An unfinished init with other nodes than its own was finished by somebody else; starting it over would lose them.
    """
    nodes = [host.name for host in what.members]
    for host in hosts:
        moved = (node := record(host)) is not None and node["phase"] != "init"
        if host.name in settings.control_plane and what.control_plane is None and not moved and nodes:
            former = [other.name for other in what.members if finished(other, "init")]
            found = f"{host.name}, which has no finished control plane, while {', '.join(nodes)} are nodes of a cluster"
            expected = f"{', '.join(former) or 'the host'} that runs that cluster's control plane"
            hint = f"name that host in group control_plane; or, for a new cluster, {reset(what, *nodes)}"
            yield Finding(host.name, "control_plane", found, expected, hint)
        elif node and node["cluster"] and not node["finished"]:
            names = [item["name"] for item in node["cluster"]["nodes"] if item["name"] != node_name(host)]
            if names:
                found = f"an unfinished kubeadm init, and a cluster that {', '.join(names)} joined"
                hint = f"for a new cluster, {reset(what)}"
                yield Finding(host.name, kubeadm.RECORD, found, "a finished one, or no other nodes", hint)


def check_identity(what: Standing) -> Iterator[Finding]:
    """Each member has the cluster's CA, and the name and addresses with which it joined."""
    for host in what.members:
        node = record(host)
        if node is None:
            continue
        again = f"{reset(what, host.name)}, then site.yml"
        if host is what.control_plane:
            again = f"for a new cluster, {reset(what)}"
        if node["node_name"] and node["node_name"] != host.name:
            hint = f"name the host {node['node_name']} in the inventory; or {again}"
            yield Finding(host.name, "inventory_hostname", host.name, f"{node['node_name']}, its node's name", hint)
        registered = by_family(node["node_ip"])
        for family in FAMILY_KEYS if registered else ():  # none before the kubelet was started
            old, new = registered.get(TITLES[family]), host.addresses[family]
            if old is None or not same_address(old, new):
                found = str(ipaddress.ip_address(new))
                expected = f"{old}, with which the node is in the cluster" if old else "a node with such an address"
                hint = f"put {old} back; or {again}" if old else again
                yield Finding(host.name, family, found, expected, hint)


def check_authority(hosts: Sequence[Host], what: Standing) -> Iterator[Finding]:
    """Hosts of another cluster of the same name. A join that was cut off counts: it would go on with that CA."""
    known = record(what.control_plane) if what.control_plane else None
    if what.control_plane is None or known is None or not known["ca_digest"]:
        return
    for host in hosts:
        node = record(host)
        ours = host.probe["own"]["cluster"] in ("", what.name)
        if node and ours and node["ca_digest"] not in ("", known["ca_digest"]):
            hint = f"{reset(what, host.name)}, then site.yml"
            expected = f"the CA of {what.control_plane.name}'s cluster"
            yield Finding(host.name, kubeadm.CA_FILE, "the CA of another cluster of this name", expected, hint)


def check_nodes(what: Standing, settings: Settings) -> Iterator[Finding]:
    """The API's nodes are the inventory's hosts, and take pods."""
    if what.api is None:
        return
    names = [node["name"] for node in what.nodes]
    # A host under another name has a finding of its own.
    expected = {host.name for host in settings.desired.nodes} | {node_name(host) for host in what.members}
    for name in names:
        if name not in expected:
            hint = f"add it to the inventory; or kubectl drain {name} --ignore-daemonsets, kubectl delete node {name}"
            found = "a node of the cluster that the inventory does not name"
            yield Finding(name, "node", found, "a host of the inventory", hint)
    for host in what.members:
        if node_name(host) not in names:
            hint = "if its Node was deleted by mistake: systemctl restart kubelet on the host"
            if host is not what.control_plane:
                hint += f"; else {reset(what, host.name)}, then site.yml to join it again"
            found = "a host that has joined the cluster, and no Node in the API"
            yield Finding(host.name, "node", found, "its Node", hint)
    for node in what.nodes:
        if node["unschedulable"]:
            hint = f"kubectl uncordon {node['name']}, when it is to take pods again"
            yield Finding(
                node["name"], "node", "cordoned", "a node that takes pods; it stays cordoned", hint, "warning"
            )
        for taint in node["taints"]:
            if taint["key"] not in OWN_TAINTS and taint["effect"] in KEEPS_AWAY:
                text = f"{taint['key']}{'=' if taint['value'] else ''}{taint['value']}:{taint['effect']}"
                hint = f"kubectl taint node {node['name']} {taint['key']}:{taint['effect']}-"
                what_stays = "a node that takes all pods; the taint stays"
                yield Finding(node["name"], "node", f"taint {text}", what_stays, hint, "warning")
