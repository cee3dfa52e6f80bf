"""kube-proxy says which mode it runs, and the kernel's tables agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES, endpoint
from ansible_collections.twinstack.core.plugins.module_utils.verify import commands
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import (
    HOST,
    Action,
    Fetch,
    Node,
    NoServers,
    Probe,
    Servers,
    Service,
    Verdict,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.objects import (
    CLUSTER_IP_SERVICES,
    NODE_PORT_SERVICE,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.requests import make_probe, missing
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope, Skip

ID = "kube-proxy"


def plan(scope: Scope) -> Iterator[Probe | Skip]:
    """The mode on every node, then the entries of every Service, or that none is left."""
    if scope.proxy_mode not in ("ipvs", "nftables"):
        found = scope.proxy_mode or "none"
        yield Skip(ID, f"no mode to compare with: found {found} in ConfigMap kube-system/kube-proxy")
        return
    names = [f"{scope.namespace}/{name}" for name in (*CLUSTER_IP_SERVICES, NODE_PORT_SERVICE)]
    for family in FAMILIES:
        for node in scope.cluster.nodes:
            mode = Fetch(f"http://{scope.cluster.proxy_metrics}/proxyMode", bodies=frozenset({scope.proxy_mode}))
            yield _on(family, node, "mode", f"mode is {scope.proxy_mode}", mode)
            if scope.proxy_mode == "nftables":
                yield _on(family, node, "ipvs", "nothing of IPVS is left", NoServers(family))
                continue
            for name in ["default/kubernetes", "kube-system/kube-dns", *names]:
                service = scope.cluster.services.get(name)
                if service is None or not _wants(name, family, service):
                    continue
                table = ipvs_entries(service, family, node.addresses.get(family, ""))
                action: Action = Servers(table) if table else missing(f"Service {name}", family)
                yield _on(family, node, name.replace("/", "-"), f"real servers of {name}", action)


def _wants(name: str, family: str, service: Service) -> bool:
    """Whether a Service should have IPVS entries of a family."""
    own = name.rpartition("/")[2]
    if own in CLUSTER_IP_SERVICES:
        return family in CLUSTER_IP_SERVICES[own][1]
    return name != "default/kubernetes" or family in service.addresses


def ipvs_entries(service: Service, family: str, node_address: str) -> Mapping[str, frozenset[str]]:
    """Entries and real servers that kube-proxy must have made for a Service on a node, empty without an address."""
    entries: dict[str, frozenset[str]] = {}
    address = service.addresses.get(family)
    if not address:
        return entries
    for protocol, port, node_port_number in service.ports:
        servers = service.servers.get((family, protocol, port), frozenset())
        entries[f"{protocol} {endpoint(address, port)}"] = servers
        if node_port_number and node_address:
            entries[f"{protocol} {endpoint(node_address, node_port_number)}"] = servers
    return entries


def _on(family: str, node: Node, what: str, title: str, action: Action) -> Probe:
    told, runner = f"kube-proxy on {node.name}: {title}", f"{HOST}/{node.name}"
    return make_probe(ID, family, node.name, what, told, action, runner=runner, address=what)


def next_command(probe: Probe, verdict: Verdict) -> str:
    """kube-proxy's pods, and the kernel's table on the node."""
    pods = "kubectl -n kube-system get pods -o wide -l k8s-app=kube-proxy"
    return f"{pods}; on {commands.runner_node(probe)}: ipvsadm -Ln"


GROUP = Group(
    id=ID,
    part=Part.CLUSTER,
    turn=Turn.SERVICES,
    plan=plan,
    next_command=next_command,
    document=Document(
        source="every host",
        target="its kernel and its kube-proxy",
        passes="`/proxyMode` names the expected mode. `ipvs`: `/proc/net/ip_vs` has every address, port and node port "
        "of the API's, the DNS's and the four Services, each with exactly the ready endpoints as real servers of "
        "weight above 0. `nftables`: no IPVS entry of the family is left",
    ),
)
