"""A pod outside the mesh is refused by pods in it: nothing gets around their proxies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify import commands
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document, Group, Part, Turn
from ansible_collections.twinstack.core.plugins.module_utils.verify.mesh import service_probe, services_of
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import POD, Probe
from ansible_collections.twinstack.core.plugins.module_utils.verify.requests import ANY
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope

ID = "mesh-strict"


def plan(scope: Scope) -> Iterator[Probe]:
    """Requests from a plain pod on every node, where there is a mesh."""
    like = replace(ANY, refused=True)
    for family in FAMILIES:
        if not scope.mesh_nodes():
            return
        for node in scope.cluster.nodes:
            for name in services_of(family):
                title = f"plain pod on {node.name} is refused by {name}"
                yield service_probe(ID, family, node, POD, scope.mesh_service(name), title, like, "/hostname")


GROUP = Group(
    id=ID,
    part=Part.MESH,
    turn=Turn.SERVICES,
    plan=plan,
    next_command=lambda *_: f"kubectl get peerauthentications -A; {commands.redirection('any worker')}",
    document=Document(
        source="a plain pod on every node",
        target="the four Services in the mesh",
        passes="the connection is broken off; silence is no refusal",
    ),
)
