"""Every Service has addresses of exactly its families, and pods and hosts on every node reach each of them."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify import commands
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import (
    HOST,
    POD,
    Action,
    Fetch,
    Known,
    Probe,
    Service,
    Verdict,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.objects import CLUSTER_IP_SERVICES, SERVICE_PORT
from ansible_collections.twinstack.core.plugins.module_utils.verify.requests import make_probe, missing, url
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope

ID = "cluster-ip"


def plan(scope: Scope) -> Iterator[Probe]:
    """What the API gave each Service, then requests to it."""
    backends = scope.backends()
    for family in FAMILIES:
        for name, (_, wanted) in CLUSTER_IP_SERVICES.items():
            service = scope.own_service(name)
            address = service.addresses.get(family, "")
            title = f"Service {name} has {'an' if family in wanted else 'no'} {family} address"
            given = _given(service, family, family in wanted)
            yield make_probe(ID, family, "cluster", name, title, given, address=address)
            if family not in wanted:
                continue
            for node in scope.cluster.nodes:
                for kind in (POD, HOST):
                    action: Action = missing(f"Service {name}", family)
                    if address:
                        action = scope.nobody() or Fetch(url(address, SERVICE_PORT, "/hostname"), bodies=backends)
                    yield make_probe(
                        ID,
                        family,
                        node.name,
                        name,
                        f"{kind} {'on ' if kind == POD else ''}{node.name} to Service {name}",
                        action,
                        runner=f"{kind}/{node.name}",
                        address=address,
                        name=f"{kind}/{name}",
                    )


def _given(service: Service, family: str, wanted: bool) -> Known:
    """Whether a Service has an address of a family exactly when it requests one."""
    address = service.addresses.get(family)
    if service.problem:
        return Known(not wanted, f"not created: {service.problem}")
    if wanted:
        return Known(bool(address), f"ClusterIP {address}" if address else f"found no {family} ClusterIP, expected one")
    return Known(not address, f"found ClusterIP {address}, expected none" if address else "none, as requested")


def next_command(probe: Probe, verdict: Verdict) -> str:
    """The kernel's table on the node, and what kube-proxy says."""
    logs = "kubectl -n kube-system logs -l k8s-app=kube-proxy --tail=20 --prefix"
    return f"on {commands.runner_node(probe)}: ipvsadm -Ln; {logs}"


GROUP = Group(
    id=ID,
    part=Part.CLUSTER,
    turn=Turn.SERVICES,
    plan=plan,
    next_command=next_command,
    document=Document(
        source="the API; a pod and the host on every node",
        target="the four Services",
        passes="a Service has addresses of exactly the families it requests; one of its pods answers",
    ),
)
