"""Next commands for failed probes, and the parts that several groups' commands have in common. Pure."""

from __future__ import annotations

import re

from ansible_collections.twinstack.core.plugins.module_utils.contract import ISTIO_SYSTEM, OBSERVABILITY
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Probe

POOLS = (
    "kubectl get ippools.crd.projectcalico.org -o "
    "custom-columns=NAME:.metadata.name,CIDR:.spec.cidr,OFF:.spec.disabled,NAT:.spec.natOutgoing"
)
PODS_ON = "kubectl get pods -A -o wide --field-selector spec.nodeName="
DNS_PODS = "kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide"
DNS_ADDRESSES = "kubectl -n kube-system get service kube-dns -o jsonpath={.spec.clusterIPs}"
JAEGER_LOGS = f"kubectl -n {OBSERVABILITY} logs deploy/jaeger --tail=20"


def runner_node(probe: Probe) -> str:
    """The node that an agent runs the probe on; empty outside and where the API alone is read."""
    return probe.runner.partition("/")[2]


def forwarding(probe: Probe) -> str:
    """Whether the kernel forwards packets of the probe's family."""
    return f"sysctl net.ipv{probe.family[-1]}.conf.all.forwarding"


def route(probe: Probe) -> str:
    """The route to the probe's address, or all routes of its family."""
    number = probe.family[-1]
    return f"ip -{number} route get {probe.address}" if probe.address else f"ip -{number} route"


def reach(probe: Probe) -> str:
    """The route to the probe's address and whether it answers, as its source sees them."""
    return f"{route(probe)}; ping -{probe.family[-1]} -c 3 {probe.address}"


def node_port(probe: Probe) -> str:
    """What the target does with requests to its node ports."""
    return f"on {probe.target}: ipvsadm -Ln; {forwarding(probe)}"


def from_outside(probe: Probe) -> str:
    """For every probe from outside the cluster, whatever its group."""
    return f"from outside: {reach(probe)}; {node_port(probe)}"


def redirection(node: str) -> str:
    """What istio-cni did in the pods of a node."""
    logs = f"kubectl -n {ISTIO_SYSTEM} logs -l k8s-app=istio-cni-node --tail=20"
    return f"{logs}; ip6tables-save in the pod's netns on {node}"


def untried(why: str) -> str:
    """For a probe that could not even be sent: look at what is missing."""
    runner, does_not_run, _ = why.partition(" does not run")
    if does_not_run:
        node = runner.partition("/")[2]
        return f"{PODS_ON}{node}; on {node}: journalctl -u kubelet -n 50"
    lacking = re.match(r"node (\S+) has no", why)
    if lacking:
        return f"kubectl get node {lacking[1]} -o jsonpath={{.status.addresses}}"
    if why.startswith("Service "):
        return f"kubectl get servicecidrs; {DNS_ADDRESSES}"
    return POOLS
