"""From outside and from every host by the gateway's NodePort on every node to a pod in the mesh."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify import commands
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import (
    GATEWAY,
    HOST,
    MESH,
    OUTSIDE,
    Action,
    Fetch,
    Known,
    Probe,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.requests import make_probe, missing, url
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope, pairs

ID = "mesh-gateway"


def plan(scope: Scope) -> Iterator[Probe]:
    """Requests to the verification's own gateway by all of its node addresses."""
    if not scope.mesh_nodes():
        return
    service = scope.mesh_service(GATEWAY)
    ports = [port for _, _, port in service.ports if port]
    agents = [scope.agent(MESH, node.name) for node in scope.mesh_nodes()]
    backends = frozenset(agent.name for agent in agents if agent.running)
    sources = [(OUTSIDE, node) for node in scope.cluster.nodes] if scope.outside else []
    sources += [(one.name, other) for one, other in pairs(scope.cluster)]
    for family in FAMILIES:
        for source, node in sources:
            address = node.addresses.get(family, "")
            action: Action
            if not address:
                action = missing(f"node {node.name}", family)
            elif not ports or not backends:
                why = service.problem or ("no pod in the mesh runs" if ports else "no node port was given")
                action = Known(False, f"not tried: the gateway: {why}")
            else:
                action = Fetch(url(address, ports[0], "/hostname"), bodies=backends)
            title = f"{source} by the gateway's port on {node.name} into the mesh"
            runner = OUTSIDE if source == OUTSIDE else f"{HOST}/{source}"
            yield make_probe(ID, family, source, node.name, title, action, runner=runner, address=address)


GROUP = Group(
    id=ID,
    part=Part.MESH,
    turn=Turn.SERVICES,
    plan=plan,
    next_command=lambda probe, _: f"istioctl analyze -A; {commands.node_port(probe)}",
    document=Document(
        source="outside, every host",
        target="the gateway's NodePort on every (other) node",
        passes="a pod in the mesh answers",
    ),
)
